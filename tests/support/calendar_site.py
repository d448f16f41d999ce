"""Another site with calendars: a server of the test's own on loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from aiohttp import web

from common.jobs.lease import Job, JobResult, Lease
from common.jobs.scheduler import run_now
from common.web.resources import Application
from provider.resources import resources_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def calendar_of(*events: tuple[str, date, date], more: str = "") -> str:
    """A calendar with all-day events: UID, first night, and the day after the last. more: further components."""
    made = "".join(
        f"BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:{first:%Y%m%d}\r\n"
        f"DTEND;VALUE=DATE:{end:%Y%m%d}\r\nSUMMARY:Mrs Guest\r\nEND:VEVENT\r\n"
        for uid, first, end in events
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Another//Site//EN\r\n{made}{more}END:VCALENDAR\r\n"


@dataclass
class CalendarSite:
    """The site. A test sets what it answers: a text, or a handler that answers every request."""

    url: str
    answer: str | Handler = field(default_factory=calendar_of)
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[web.Request] = field(default_factory=list)

    async def respond(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if not isinstance(self.answer, str):
            return await self.answer(request)
        etag = self.headers.get("ETag")
        if etag is not None and request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=self.headers)
        return web.Response(text=self.answer, content_type="text/calendar", headers=self.headers)


@asynccontextmanager
async def calendar_site(host: str = "127.0.0.1") -> AsyncIterator[CalendarSite]:
    """Serve a site on a free port."""
    site = CalendarSite("")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.respond)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        listener = web.TCPSite(runner, host, 0)
        await listener.start()
        port = runner.addresses[0][1]
        site.url = f"http://{host}:{port}"
        yield site
    finally:
        await runner.cleanup()


def answers(status: int, body: str = "", **headers: str) -> Handler:
    """A handler that always answers this."""

    async def respond(_: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=body, headers=named)

    return respond


async def never_answers(_: web.Request) -> web.Response:
    """A handler of a site that hangs."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def read_calendars(app: Application, now: datetime) -> dict[str, Any]:
    """Run the job that reads calendars, as of a time; returns its numbers."""
    resources = resources_of(app)

    async def run(lease: Lease) -> JobResult:
        return await resources.calendars.run(lease, now)

    return dict(await run_now(resources.pools.jobs, Job("read_calendars", 900, run)))
