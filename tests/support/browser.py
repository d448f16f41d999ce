"""A headless Chromium, and what a page in it did that no page may do."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

TIMEOUT_MS = 60_000

PLAIN_HOST = "plain.test"
"""A name of the loopback that browsers do not trust as they trust its address: they send no Sec-Fetch-Site there."""

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1",
]  # fmt: skip

AXE_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}

COLLECT_VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => {
  violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Run Chromium; skips the test where it is not installed, but fails it in CI."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed, but CI requires it")
        pytest.skip("Chromium is not installed")
    async with async_playwright() as playwright:
        expect.set_options(timeout=TIMEOUT_MS)
        chromium = await playwright.chromium.launch(executable_path=executable, args=FLAGS, timeout=2 * TIMEOUT_MS)
        try:
            yield chromium
        finally:
            await chromium.close()


@dataclass
class Watched:
    """A page of a browser, and its console messages, errors and requests to other hosts so far."""

    page: Page
    origin: str
    faults: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Begin to note faults. The browser's own message about a status is not one: tests name the status."""
        self.page.on("console", lambda message: self._note("console", message.text))
        self.page.on("pageerror", lambda error: self._note("error", str(error)))
        self.page.on("request", lambda request: self._note_request(request.url))

    def _note(self, kind: str, text: str) -> None:
        if "Failed to load resource" not in text:
            self.faults.append(f"{kind}: {text}")

    def _note_request(self, url: str) -> None:
        if not url.startswith((self.origin, "data:")):
            self.faults.append(f"request to {url}")

    async def check(self) -> list[str]:
        """The faults so far, reports of the page's policy, and what axe finds; sideways scrolling is one too."""
        violations = await self.page.evaluate("window.violations")
        found = await Axe().run(self.page, options=AXE_RULES)
        axe = [
            f"axe {each['id']}: {node['html'][:200]} {node['failureSummary'][:200]}"
            for each in found.response["violations"]
            for node in each["nodes"][:3]
        ]
        width, window = await self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        wide = [f"the page is {width} wide in a window of {window}"] if width > window else []
        return [*self.faults, *(f"policy: {each}" for each in violations), *axe, *wide]


async def watch(browser: Browser, origin: str, **settings: Any) -> Watched:
    """A new page in a session of its own, watched from its first request on."""
    context = await browser.new_context(**settings)
    page = await context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    await page.add_init_script(COLLECT_VIOLATIONS)
    watched = Watched(page, origin)
    watched.listen()
    return watched
