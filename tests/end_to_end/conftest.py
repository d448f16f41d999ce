"""Real processes of both applications, on ports of the loopback that nobody uses."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from common.config import Secret

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Application:
    """One application as a process of its own; `start` and `kill` as often as a test likes."""

    name: str
    url: Secret
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        upper = self.name.upper()
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "NIGHTAUDIT_DEMO": "1",
            "PROVIDER_GENERATOR_RATE": "0",
            "PROVIDER_STORES_RATE": "0",
            "DASHBOARD_AUDIT_SECONDS": "0",
            "DASHBOARD_OFFERS_SECONDS": "0",
            "DASHBOARD_STORES_SECONDS": "0",
            f"{upper}_LOG_LEVEL": "warning",
            f"{upper}_PORT": str(self.port),
            f"{upper}_DATABASE_URL": self.url.reveal(),
            **self.settings,
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self.name, "serve", env=environment, start_new_session=True
        )
        async with aiohttp.ClientSession() as client, asyncio.timeout(READY_SECONDS):
            while True:
                assert self.process.returncode is None, f"{self.name} ended with {self.process.returncode}"
                try:
                    async with client.get(f"{self.base}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """kill -9, the whole session."""
        if self.process is not None and self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.terminate()
        async with asyncio.timeout(30):
            return await self.process.wait()

    async def get(self, path: str) -> Any:
        """The JSON of a page."""
        async with aiohttp.ClientSession() as client, client.get(self.base + path) as answer:
            answer.raise_for_status()
            return await answer.json()


@asynccontextmanager
async def running(*applications: Application) -> AsyncIterator[None]:
    """The applications run inside the block and are gone after it."""
    try:
        for each in applications:
            await each.start()
        yield
    finally:
        for each in applications:
            await each.kill()
