"""The frame around an application's pages: its name, the navigation, how far the data goes, and the footer.

A page has an ETag that is known before its figures are read, so asking for it again costs one cheap statement.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from quart import Response, g, request

from common.instants import format_instant
from common.version import VERSION
from common.web.html import ASSETS, PAGE_POLICY, Templates
from common.web.resources import current_application
from common.web.spooled import is_current, not_modified

LATE_SECONDS = 60.0
"""Data counted through an instant longer ago than this is shown as late."""

_ASSETS_VERSION = hashlib.sha256(
    "".join([VERSION, *sorted(asset.url for asset in ASSETS.values())]).encode()
).hexdigest()[:8]


@dataclass(frozen=True)
class FrameState:
    """What the frame shows of the application's state.

    through: up to when all data is there; None if that is not known. badges: by address of the navigation, a few words
    such as "3 waiting".
    """

    through: datetime | None
    badges: Mapping[str, str] = field(default_factory=dict)

    def is_late(self, now: datetime) -> bool:
        return self.through is not None and (now - self.through).total_seconds() > LATE_SECONDS

    def behind(self, now: datetime) -> str:
        """How long ago `through` is, in words."""
        return "" if self.through is None else duration_words(max(0.0, (now - self.through).total_seconds()))

    def tag(self, now: datetime) -> str:
        """The part of the ETag that stands for this state.

        It leaves out `through`, which each response has in a header.
        While the data is late, the page changes with each minute.
        """
        badges = ",".join(f"{address}:{text}" for address, text in sorted(self.badges.items()))
        return f"{self.through is None} {badges} {self.behind(now) if self.is_late(now) else ''}"


@dataclass(frozen=True)
class Frame:
    """The frame of an application's pages.

    links: address to label. read_state: reads what changes. labels: what forms call their fields, by name.
    """

    name: str
    links: Mapping[str, str]
    read_state: Callable[[], Awaitable[FrameState]]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PageTag:
    """The ETag of a page, without its quotes, and the state of the frame that is part of it.

    is_kept: whether a browser may keep the page under this tag.
    """

    value: str
    state: FrameState
    is_kept: bool = True

    def uncached(self) -> "PageTag":
        """That of a page on which a part is missing, which is not kept: the tag stands for the complete page."""
        return replace(self, is_kept=False)

    def headers(self) -> dict[str, str]:
        kept = {"ETag": f'W/"{self.value}"', "Cache-Control": "no-cache"}
        headers = {**(kept if self.is_kept else {"Cache-Control": "no-store"}), "Vary": "Accept"}
        if self.state.through is not None:
            headers["X-Data-Through"] = format_instant(self.state.through)
        return headers


async def page_tag(*parts: object) -> PageTag:
    """The ETag of a page that shows what `parts` tell apart, in the current frame and with the current assets.

    It changes with the date in UTC, as the moments on the page do. parts: cheap to read, such as the number of events
    that are counted.
    """
    state = await frame().read_state()
    now = datetime.now(UTC)
    text = "\n".join(map(str, (*parts, state.tag(now), now.date(), request.full_path, _csrf())))
    return PageTag(f"{hashlib.sha256(text.encode()).hexdigest()[:20]}-{_ASSETS_VERSION}", state)


def unchanged(tag: PageTag) -> Response | None:
    """The 304 for a browser that has the page with this tag; None if it has not."""
    return not_modified(tag.headers()) if is_current(tag.value) else None


@dataclass(frozen=True)
class Alternate:
    """The same figures in another format: `JSON`, `CSV` or `XLSX`."""

    label: str
    content_type: str
    address: str


def framed_page(
    templates: Templates,
    template: str,
    tag: PageTag,
    *,
    alternates: Sequence[Alternate] = (),
    live_seconds: float | None = None,
    **content: Any,
) -> Response:
    """A page in the frame; no cache keeps one that needs a session (see `page_session`).

    Its Referrer-Policy lets its forms say that they come from here: with `no-referrer` their Origin would be null.

    live_seconds: how often a browser asks whether the page has changed; None: never.
    """
    now = datetime.now(UTC)
    text = templates.render(
        template,
        frame=frame(),
        state=tag.state,
        now=now,
        version=VERSION,
        path=request.path,
        alternates=alternates,
        live_seconds=live_seconds,
        has_session=bool(_csrf()),
        **content,
    )
    headers = {**tag.headers(), "Content-Security-Policy": PAGE_POLICY, "Referrer-Policy": "same-origin"}
    if _csrf():
        headers["Cache-Control"] = "no-store"
    return Response(text, content_type="text/html; charset=utf-8", headers=headers)


def _csrf() -> str:
    """The CSRF token in the forms of the current page; empty where the page needs no session."""
    session = g.get("page_session")
    return "" if session is None else session.csrf


def duration_words(seconds: float) -> str:
    """A duration for people, rounded down: `45 s`, `12 min`, `3 h 5 min`, `2 days`."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86_400)
    if minutes < 1:
        return f"{int(seconds)} s"
    if hours < 1:
        return f"{minutes} min"
    if days < 2:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} days"


def frame() -> Frame:
    """The frame of the application that serves the current request."""
    found = current_application().frame
    assert isinstance(found, Frame)
    return found
