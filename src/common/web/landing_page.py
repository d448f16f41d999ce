"""The landing page at `/` of an application: a description, links, and live figures.

It works without JavaScript; with it the figures refresh every few seconds.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quart import Quart, Response
from quart_schema import hide

from common.db.errors import DATABASE_UNAVAILABLE, explain_unavailability
from common.web.html import Templates, html_page

templates = Templates("common.web")


@dataclass(frozen=True)
class Figure:
    """One live count on the page."""

    label: str
    value: str


def instant_figure(label: str, instant: datetime | None) -> Figure:
    """An instant as a figure: its time of day, with the date next to the label."""
    return Figure(f"{label} {instant:%Y-%m-%d}", f"{instant:%H:%M:%S} UTC") if instant else Figure(label, "none yet")


@dataclass(frozen=True)
class FigureTable:
    """A table of the page."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class OperatorAddress:
    """An address of the API for operators. use: what is found there, in words.

    need: what a request has to carry; empty where a browser may simply open it, so that the page links to it.
    """

    address: str
    use: str
    need: str = ""


Figures = Callable[[], Awaitable[tuple[Sequence[Figure], Sequence[FigureTable]]]]


def install(
    app: Quart,
    *,
    title: str,
    description: str,
    links: Mapping[str, str],
    figures: Figures,
    for_operators: Sequence[OperatorAddress] = (),
) -> None:
    """Serve the page. links: address to label. figures: reads the live figures and tables."""

    @app.get("/")
    @html_page
    @hide
    async def landing_page() -> Response:
        try:
            shown, tables = await figures()
            notice = ""
        except DATABASE_UNAVAILABLE as error:
            shown, tables, notice = [], [], explain_unavailability(error)
        return templates.page(
            "landing_page.html",
            title=title,
            description=description,
            links=links,
            for_operators=for_operators,
            figures=shown,
            tables=tables,
            notice=notice,
        )
