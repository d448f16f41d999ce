"""The landing page at `/` of an application: what it is, live figures, where to look next.

One template for both. It works without JavaScript; with it the figures refresh every few seconds.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from quart import Quart, Response
from quart_schema import hide

from common.db.errors import DATABASE_UNAVAILABLE

_templates = Environment(
    loader=PackageLoader("common.web", "templates"),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)

REFRESH_SCRIPT = """"use strict";
setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch("/", { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const shown = document.querySelector("main"), fresh = page.querySelector("main");
    const scrolled = [...shown.querySelectorAll(".scroll")].map((table) => table.scrollLeft);
    shown.replaceWith(fresh);
    fresh.querySelectorAll(".scroll").forEach((table, number) => { table.scrollLeft = scrolled[number] ?? 0; });
  } catch { /* the next attempt comes soon */ }
}, 3000);
"""
"""A page that nobody looks at asks for nothing, and a table that was moved sideways stays where it is."""


@dataclass(frozen=True)
class Figure:
    """One live count on the page."""

    label: str
    value: str


def instant_figure(label: str, instant: datetime | None) -> Figure:
    """An instant as a figure: the time of the day, the date beside its label."""
    return Figure(f"{label} {instant:%Y-%m-%d}", f"{instant:%H:%M:%S} UTC") if instant else Figure(label, "none yet")


@dataclass(frozen=True)
class Link:
    """A cell that leads somewhere."""

    text: str
    address: str


@dataclass(frozen=True)
class Table:
    """Rows of the page; a cell that is a float from 0 to 1 is drawn as a bar, a Link can be followed."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]


Content = Callable[[], Awaitable[tuple[Sequence[Figure], Sequence[Table]]]]


def install(app: Quart, *, title: str, words: str, links: Mapping[str, str], content: Content) -> None:
    """Serve the page. links: address to description. content: the live figures and tables."""
    template = _templates.get_template("landing.html")

    @app.get("/")
    @hide
    async def landing() -> Response:
        try:
            figures, tables = await content()
            trouble = ""
        except DATABASE_UNAVAILABLE:
            figures, tables, trouble = [], [], "The database cannot be reached at the moment."
        page = template.render(title=title, words=words, links=links, figures=figures, tables=tables, trouble=trouble)
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-store"}
        return Response(page, content_type="text/html; charset=utf-8", headers=headers)

    @app.get("/landing.js")
    @hide
    async def script() -> Response:
        return Response(REFRESH_SCRIPT, content_type="text/javascript; charset=utf-8")
