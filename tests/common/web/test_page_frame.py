"""The frame around pages: navigation, how far the data goes, errors, and an ETag that costs no figures."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from quart import Response

from common.web import application
from common.web.charts.number_text import count_text
from common.web.errors import Invalid, NotFound
from common.web.html import Templates, html_page
from common.web.input_types import PageInput
from common.web.page_frame import Alternate, Frame, FrameState, duration_words, framed_page, page_tag, unchanged
from common.web.query_string import validate_querystring
from common.web.resources import Application

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
LINKS = {"/": "Morning", "/board/shelves": "Shelves", "/desk": "Desk"}
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
templates = Templates("common.web", count_text=count_text)


class ShelfQuery(PageInput):
    as_of: str | None = None


class Shelves:
    """What the pages under test show, and how often they read it."""

    def __init__(self) -> None:
        self.state = FrameState(datetime.now(UTC))
        self.count = 3
        self.reads = 0

    async def read_state(self) -> FrameState:
        return self.state


@pytest.fixture
def shelves() -> Shelves:
    return Shelves()


@pytest.fixture
def framed(shelves: Shelves) -> Application:
    """An application with a page in a frame, and pages that fail."""
    app = application.create("ground", title="Ground", description="For tests", tags={})
    app.frame = Frame("House", LINKS, shelves.read_state)

    @app.get("/board/shelves")
    @html_page
    async def get_shelves() -> Response:
        tag = await page_tag(shelves.count)
        if (answer := unchanged(tag)) is not None:
            return answer
        shelves.reads += 1
        json = Alternate("JSON", "application/json", "/shelves?a=1&b=2")
        return framed_page(templates, "frame.html", tag, alternates=[json], live_seconds=10)

    @app.get("/board/shelves/lost")
    @html_page
    @validate_querystring(ShelfQuery)
    async def get_lost(query_args: ShelfQuery) -> Response:
        if query_args.as_of == "2027-01-01":
            raise Invalid.field("as_of", "is in the future")
        if query_args.as_of == "down":
            raise asyncpg.CannotConnectNowError("the database system is shutting down")
        raise NotFound("There is no shelf <7>.")

    return app


Get = Callable[..., Awaitable[tuple[Response, str]]]


@pytest.fixture
def get(framed: Application) -> Get:
    async def get(path: str, **headers: str) -> tuple[Response, str]:
        response = await framed.test_client().get(path, headers={**BROWSER, **headers})
        return response, await response.get_data(as_text=True)

    return get


async def test_the_frame_marks_the_page_and_links_to_the_same_figures_in_other_formats(get: Get) -> None:
    response, page = await get("/board/shelves")

    assert response.status_code == 200
    assert '<a href="/board/shelves" aria-current="page">Shelves</a>' in page
    assert page.count("aria-current") == 1
    assert '<link rel="alternate" type="application/json" href="/shelves?a=1&amp;b=2">' in page
    assert page.count('href="/shelves?a=1&amp;b=2"') == 2
    assert 'data-refresh="10"' in page
    assert 'href="#main"' in page


async def test_a_page_is_answered_by_304_without_reading_it_until_what_it_shows_changes(
    get: Get, shelves: Shelves
) -> None:
    first, _ = await get("/board/shelves")
    shelves.state = FrameState(shelves.state.through and shelves.state.through + timedelta(seconds=1))
    same, body = await get("/board/shelves", **{"If-None-Match": first.headers["ETag"]})

    assert (same.status_code, body, shelves.reads) == (304, "", 1)
    assert same.headers["ETag"] == first.headers["ETag"]
    assert same.headers["X-Data-Through"] != first.headers["X-Data-Through"]
    shelves.count = 4
    changed, _ = await get("/board/shelves", **{"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, shelves.reads) == (200, 2)


async def test_another_question_has_another_tag(get: Get) -> None:
    tags = [(await get(path))[0].headers["ETag"] for path in ("/board/shelves", "/board/shelves?as_of=2020-01-01")]

    assert len(set(tags)) == 2


@pytest.mark.parametrize(
    ("through", "words", "is_late"),
    [(timedelta(seconds=5), "Counted through", False), (timedelta(minutes=3), "3 min behind", True), (None, "", False)],
)
async def test_the_frame_says_how_far_the_data_goes_and_when_it_is_late(
    get: Get, shelves: Shelves, through: timedelta | None, words: str, *, is_late: bool
) -> None:
    shelves.state = FrameState(None if through is None else datetime.now(UTC) - through)
    response, page = await get("/board/shelves")

    assert (words or "Nothing is counted yet") in page
    assert ("freshness late" in page) == is_late
    assert ("X-Data-Through" in response.headers) == (through is not None)


async def test_a_page_that_becomes_late_or_gets_a_badge_is_sent_again(get: Get, shelves: Shelves) -> None:
    first, _ = await get("/board/shelves")
    shelves.state = FrameState(shelves.state.through, {"/desk": "2 waiting"})
    badge, page = await get("/board/shelves", **{"If-None-Match": first.headers["ETag"]})
    assert badge.status_code == 200
    assert 'Desk <span class="badge">2<i> waiting</i></span></a>' in page

    shelves.state = FrameState(datetime.now(UTC) - timedelta(minutes=2))
    late, _ = await get("/board/shelves", **{"If-None-Match": badge.headers["ETag"]})
    assert late.status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/board/shelves/lost", 404, "There is no shelf &lt;7&gt;."),
        ("/board/nothing/here", 404, "Nightaudit has no page at this address."),
        ("/nothing/here", 404, "Nightaudit has no page at this address."),
        ("/board/shelves/", 404, "There is no /board/shelves/; use /board/shelves."),
        ("/board/shelves/lost?as_of=2027-01-01&match=date", 400, "as_of is in the future."),
        ("/board/shelves/lost?as_of=down", 503, "This page asks again every few seconds."),
    ],
)
async def test_a_browser_gets_errors_as_pages_in_the_frame(get: Get, path: str, status: int, words: str) -> None:
    response, page = await get(path)

    assert (response.status_code, response.mimetype) == (status, "text/html")
    assert 'aria-label="Pages"' in page
    assert words in page
    assert ("data-error" in page) == (status == 503)
    assert "require-trusted-types-for 'script'" in response.headers["Content-Security-Policy"]


async def test_a_wrong_field_can_be_corrected_where_the_message_stands(get: Get) -> None:
    _, page = await get("/board/shelves/lost?as_of=2027-01-01&match=date")

    assert (
        '<input id="as_of" name="as_of" value="2027-01-01" aria-invalid="true" aria-describedby="wrong-as_of">' in page
    )
    assert '<input type="hidden" name="match" value="date">' in page


async def test_programs_get_problem_documents_below_the_boards_too(framed: Application) -> None:
    response = await framed.test_client().get("/board/nothing")

    assert (response.status_code, response.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3600, "1 h"), (11_100, "3 h 5 min"), (172_800, "2 days")],
)
def test_durations_are_written_in_their_two_largest_units(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


def test_data_is_late_after_a_minute() -> None:
    assert not FrameState(NOW - timedelta(seconds=60)).is_late(NOW)
    assert FrameState(NOW - timedelta(seconds=61)).is_late(NOW)
    assert not FrameState(None).is_late(NOW)
