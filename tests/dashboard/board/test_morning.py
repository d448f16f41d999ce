"""The page at `/`: its figures are those of the summary, and what is unusual is a line."""

import gzip
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID

import asyncpg
import pytest

from common.db.errors import NoConnectionError
from common.web.charts.number_text import count_text, signed_text
from common.web.resources import Application
from dashboard.board import morning_parts
from dashboard.board.page_views.question import Question
from dashboard.board.page_views.words import percent_text
from dashboard.board.routes_page import morning
from dashboard.board.routes_page.morning import Morning
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.models.feed_progress import ReadingProgress
from dashboard.bookings.models.morning import MorningMark
from provider.simulated_hotels.simulation import Simulation
from provider.simulated_hotels.story import tell_story
from tests.dashboard.board.conftest import GetPage, set_profile, store_events, store_history
from tests.dashboard.board.unusual import (
    fail_job,
    fall_behind,
    lower_price,
    poll_store_down,
    quarantine_value,
    receive_order,
)
from tests.support.waiting import eventually

NOW = datetime(2026, 11, 29, 7, 2, tzinfo=UTC)
MARK = MorningMark(0, 0, "", [], None)


def cells_of(page: str, hotel: int | str) -> list[str]:
    """The texts of the cells of a hotel's row, without pictures."""
    row = re.search(rf'<tr data-hotel="{hotel}">.*?</tr>', page, re.DOTALL)
    assert row is not None
    without_pictures = re.sub(r"<svg.*?</svg>", "", row[0], flags=re.DOTALL)
    cells = re.findall(r"<t[hd].*?</t[hd]>", without_pictures, re.DOTALL)
    return [" ".join(re.sub(r"<[a-z/][^>]*>", " ", cell).split()) for cell in cells]


def expected_cells(name: str, figures: dict[str, Any]) -> list[str]:
    """The cells of a row with these figures of `/summary`."""
    ahead = [figures[f"next_{nights}"] for nights in (7, 30, 90)]
    rooms, tonight = figures["rooms"], figures["tonight"]["on_the_books"]
    return [
        name,
        count_text(tonight),
        percent_text(tonight, rooms) or "–",
        *(text for each in ahead for text in (count_text(each["on_the_books"]), signed_text(each["difference"]))),
        *(
            signed_text(change)
            for day in ("yesterday", "today")
            for change in (figures[day]["bookings"], -figures[day]["cancellations"])
        ),
        "",
    ]


async def test_a_page_without_hotels_says_where_the_feed_is_and_how_to_import(get_page: GetPage) -> None:
    response, page = await get_page("/")

    assert response.status_code == 200
    assert "<code>http://127.0.0.1:9000</code>" in page
    assert "docs/own-data.md" in page
    assert "No store was polled yet." in page
    assert {"headline", "look-here", "houses", "cards", "system"} <= set(
        re.findall(r'id="([\w-]+)" [^>]*data-live', page)
    )


@pytest.mark.parametrize("query", ["", "sort=behind", "match=date&sort=pickup", "as_of={past}", "as_of={early}"])
async def test_each_figure_is_that_of_the_summary(
    get_page: GetPage, dashboard_app: Application, houses: None, today: date, query: str
) -> None:
    asked = query.format(past=today - timedelta(days=40), early=today - timedelta(days=500))
    response, page = await get_page(f"/?{asked}&utm_source=mail")
    summary = await (await dashboard_app.test_client().get(f"/summary?{asked}")).get_json()

    assert response.status_code == 200
    assert re.findall(r'data-hotel="(\d+)"', page) == [str(hotel["hotel_id"]) for hotel in summary["items"]]
    for hotel in summary["items"]:
        name = hotel["name"] or f"Hotel {hotel['hotel_id']}"
        assert cells_of(page, hotel["hotel_id"]) == expected_cells(name, hotel)
    assert cells_of(page, "total") == expected_cells("3 hotels", summary["total"])
    slept, changed = summary["total"]["last_night"], summary["total"]["yesterday"]
    assert f"{slept} rooms were slept" in page
    assert f"{count_text(changed['bookings'])} room nights" in page
    assert f"{count_text(changed['cancellations'])} cancelled; " in page
    assert f'href="/summary?{"&" if not asked else ""}'.rstrip("&") in page


async def test_a_past_page_shows_the_books_of_that_date_and_nothing_of_now(
    get_page: GetPage, houses: None, today: date
) -> None:
    past = today - timedelta(days=40)
    _, page = await get_page(f"/?as_of={past}&match=date")

    assert "The books of" in page
    assert 'href="/?match=date"' in page
    assert "data-refresh" not in page
    assert "orders wait" not in page
    assert "events counted" not in page
    assert f'href="/board/hotels/1?as_of={past}&match=date"' in page


async def test_a_date_in_the_future_is_refused_beside_its_field(get_page: GetPage, today: date) -> None:
    response, page = await get_page(f"/?as_of={today + timedelta(days=3)}")

    assert response.status_code == 400
    assert "Books as of is in the future" in page


@pytest.fixture
async def quiet(dashboard_db: asyncpg.Pool, today: date) -> None:
    """One hotel with one booking a year ago and nothing unusual."""
    await store_events(dashboard_db, [BookingEvent(1, 7, datetime(2024, 1, 1, tzinfo=UTC), 1, 1, date(2024, 1, 5))])


async def test_where_nothing_is_unusual_the_page_says_what_it_checked(get_page: GetPage, quiet: None) -> None:
    _, page = await get_page("/")

    assert re.search(r"Nothing unusual\. Checked 1 hotel, 0 stores, 0 products\.", page)


async def test_the_system_line_tells_events_and_leads_to_what_programs_read(
    get_page: GetPage, dashboard_app: Application, houses: None
) -> None:
    _, page = await get_page("/")
    events = sum(
        hotel["events"] for hotel in (await (await dashboard_app.test_client().get("/hotels")).get_json())["hotels"]
    )

    assert f"{events:,} events counted" in page
    for link in ("/docs", "/products", "/stores", "/reports", "/board/system", "/system", "/alerts"):
        assert f'href="{link}' in page


Change = Callable[[asyncpg.Pool], Awaitable[None]]


@pytest.mark.parametrize(
    ("change", "words", "address"),
    [
        (lambda db: receive_order(db, timedelta(minutes=11)), "One order waits", "/front-desk"),
        (poll_store_down, "One store is down now</b> corner", "/board/stores/corner"),
        (lower_price, "One price is at its lowest in 30 days</b> Towels", f"/board/prices/{UUID(int=5)}"),
        (quarantine_value, "One value of the feed was not counted", "/board/system#quarantine"),
        (fail_job, "A job fails</b> recount_hotels", "/board/system#jobs"),
        (fall_behind, "Bookings are behind", "/board/system#feeds"),
    ],
)
async def test_what_is_unusual_elsewhere_is_a_line_and_changes_the_page(
    get_page: GetPage, dashboard_db: asyncpg.Pool, dashboard_app: Application, quiet: None, change: Change, words: str,
    address: str,
) -> None:  # fmt: skip
    before, quiet_page = await get_page("/")
    assert words not in quiet_page
    await change(dashboard_db)
    after, page = await get_page("/", **{"If-None-Match": before.headers["ETag"]})

    assert after.status_code == 200
    assert f'<li><a href="{address}">' in page
    assert words in page
    assert "secret" not in page
    assert "Nothing unusual" not in page


async def test_an_order_that_waits_for_a_short_time_is_no_line(
    get_page: GetPage, dashboard_db: asyncpg.Pool, quiet: None
) -> None:
    await receive_order(dashboard_db, timedelta(minutes=9))
    _, page = await get_page("/")

    assert "Nothing unusual" in page
    assert "<b>1</b> order waits for an answer" in page.replace(' class=""', "")


async def test_a_price_that_is_known_for_less_than_30_days_is_not_called_the_lowest(
    get_page: GetPage, dashboard_db: asyncpg.Pool, quiet: None
) -> None:
    await lower_price(dashboard_db, days_known=29)
    _, page = await get_page("/")

    assert "at its lowest" not in page
    assert "−25%" in page


async def test_the_card_of_stores_says_the_same_as_their_page(
    get_page: GetPage, dashboard_app: Application, dashboard_db: asyncpg.Pool, quiet: None
) -> None:
    await poll_store_down(dashboard_db)
    spread = await (await dashboard_app.test_client().get("/stores/spread")).get_json()
    _, page = await get_page("/")
    _, stores = await get_page("/board/stores")

    assert (spread["states"]["down"], spread["breaches"], spread["measured"]) == (1, 0, 1)
    assert '<a href="/board/stores?state=down"><b class="behind">1</b></a> of 1 is down now' in page
    assert "0 of 1 missed 99% in the week to" in page
    assert "half were up 100.00%</p>" in page  # the poll that found it down is the end of the week
    assert "It was up 100.00% of its open time" in stores


async def test_the_morning_has_the_report_on_new_polls_made(
    get_page: GetPage, dashboard_db: asyncpg.Pool, quiet: None
) -> None:
    await poll_store_down(dashboard_db)

    async def is_counted() -> bool:
        return "0 of 1 missed 99% in the week to" in (await get_page("/"))[1]

    assert await eventually(is_counted)
    made = "SELECT count(*) FROM uptime_report WHERE status = 'complete'"
    assert await dashboard_db.fetchval(made) == 1


async def test_a_report_that_could_measure_no_store_is_not_said_to_be_missing(
    get_page: GetPage, dashboard_app: Application, dashboard_db: asyncpg.Pool, quiet: None
) -> None:
    await poll_store_down(dashboard_db)
    await dashboard_db.execute("DELETE FROM store_poll WHERE active")  # the only poll left is the end of the week
    await dashboard_db.execute("UPDATE store SET first_polled_at = last_polled_at")
    assert (await (await dashboard_app.test_client().get("/stores/spread")).get_json())["measured"] == 0

    _, page = await get_page("/")

    assert "No store was open and polled in the week to" in page
    assert "report" not in page[page.index("<h3>Stores</h3>") : page.index("<h3>Prices</h3>")]


async def test_a_store_that_has_closed_since_it_was_down_is_not_down_now(
    get_page: GetPage, dashboard_db: asyncpg.Pool, quiet: None
) -> None:
    await poll_store_down(dashboard_db)
    await dashboard_db.execute(
        """
        INSERT INTO store_hours (store_id, weekday, opens, closes)
        SELECT 'corner', extract(isodow FROM now() - interval '1 day')::int - 1, '00:00', '23:59:59'
        """
    )
    _, page = await get_page("/")

    assert "down now</b> corner" not in page


async def test_the_page_is_not_sent_again_until_something_on_it_changes(
    get_page: GetPage, dashboard_db: asyncpg.Pool, houses: None, today: date
) -> None:
    first, page = await get_page("/")
    same, body = await get_page("/", **{"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, body) == (304, "")
    assert 'data-refresh="10"' in page

    tags = {first.headers["ETag"]}
    booking = BookingEvent(900_000, 1, datetime.now(UTC) - timedelta(hours=3), 1, 1, today)
    await store_events(dashboard_db, [booking])
    tags.add((await get_page("/"))[0].headers["ETag"])
    await set_profile(dashboard_db, 3, "Third House", 12)
    tags.add((await get_page("/"))[0].headers["ETag"])
    await dashboard_db.execute("UPDATE hotel_profile SET hidden = true WHERE hotel_id = 3")
    tags.add((await get_page("/"))[0].headers["ETag"])
    assert len(tags) == 4


async def test_a_wave_of_cancellations_is_one_line(get_page: GetPage, dashboard_db: asyncpg.Pool, today: date) -> None:
    simulation = Simulation(1, 5, 30)
    story = tell_story(1, simulation.hotels, today.toordinal())
    await store_history(dashboard_db, simulation.history(today - timedelta(days=400), today, story))
    _, page = await get_page("/")
    lines = [" ".join(re.sub(r"<[^>]+>", " ", line).split()) for line in re.findall(r"<li><a .*?</li>", page)]

    (wave,) = [line for line in lines if "Hotel 5," in line and "cancelled yesterday" in line]
    assert re.fullmatch(r"−(\d+) cancelled Hotel 5, \w{3} .* to \w{3} \d+ \w{3} \1 rooms cancelled yesterday", wave)


async def test_a_part_that_cannot_be_read_says_so_and_the_others_stand(
    get_page: GetPage, houses: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def time_out(*_: object) -> NoReturn:
        raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")

    monkeypatch.setattr(morning, "select_notable_nights", time_out)
    monkeypatch.setattr(morning_parts, "select_desk_counts", time_out)
    response, page = await get_page("/")

    assert response.status_code == 200
    assert page.count("This part could not be read. The database took too long to answer.") == 2
    assert "Nothing unusual" not in page
    assert 'data-hotel="total"' in page
    assert "No store was polled yet." in page


async def test_a_page_with_a_missing_part_is_not_kept_and_comes_again_when_it_can_be_read(
    get_page: GetPage, houses: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def time_out(*_: object) -> NoReturn:
        raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")

    complete, _ = await get_page("/?sort=behind")
    with monkeypatch.context() as patched:
        patched.setattr(morning, "select_notable_nights", time_out)
        failed, _ = await get_page("/?sort=behind")
    assert "ETag" not in failed.headers
    assert failed.headers["Cache-Control"] == "no-store"
    again, page = await get_page("/?sort=behind")

    assert again.status_code == 200
    assert again.headers["ETag"] == complete.headers["ETag"]
    assert "could not be read" not in page


def test_what_is_said_of_the_last_hours_is_part_of_the_tag_of_today_alone(today: date) -> None:
    books = [Question(each, today, "weekday") for each in (today, today - timedelta(days=1))]
    reading = ReadingProgress(0, None, is_reading_the_past=False)
    now, past = [Morning(each, MARK, None, reading, 0, None) for each in books]

    assert now.current_hour(NOW) == NOW.replace(minute=0)
    assert past.current_hour(NOW) is None


async def test_a_night_audit_that_failed_is_not_said_to_have_found_nothing(
    get_page: GetPage, dashboard_db: asyncpg.Pool, quiet: None
) -> None:
    await dashboard_db.execute(
        """
        INSERT INTO job (name, interval_seconds, owner, epoch, due_at, last_finished, last_outcome)
        VALUES ('night_audit', 3600, '', 1, now() + interval '1 day', now(), 'failed')
            ON CONFLICT (name) DO UPDATE SET last_outcome = 'failed', last_finished = now()
        """
    )
    _, page = await get_page("/")

    assert "The last night audit failed." in page
    assert "0 differences" not in page


async def test_without_the_database_the_page_is_an_error_that_asks_again(
    get_page: GetPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> NoReturn:
        raise NoConnectionError

    monkeypatch.setattr(morning, "select_morning_mark", fail)
    response, page = await get_page("/")

    assert response.status_code == 503
    assert "data-error" in page


async def test_while_the_past_is_read_the_page_says_how_far_and_compares_nothing(
    get_page: GetPage, dashboard_db: asyncpg.Pool, houses: None
) -> None:
    await dashboard_db.execute(
        "UPDATE feed_progress SET first_read_at = NULL, past_events = 212000, about_events = 340000"
    )
    _, page = await get_page("/")

    assert "Reading the past: 212,000 of about 340,000 events" in page
    assert '<progress value="212000" max="340000"' in page
    assert "Look here first" not in page
    assert set(cells_of(page, "total")[4:9:2]) == {"–"}


class TestWithApiToken:
    """The catalogue is for programs with a token alone."""

    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return {**environment, "DASHBOARD_API_TOKEN": "a-token-of-the-catalogue-for-tests"}

    async def test_prices_that_need_a_token_are_not_on_the_page(
        self, get_page: GetPage, dashboard_db: asyncpg.Pool, quiet: None
    ) -> None:
        await lower_price(dashboard_db)
        _, page = await get_page("/")

        assert "Towels" not in page
        assert "Products and prices need the API token." in page
        assert re.search(r"Checked 1 hotel, 0 stores\.", page)


async def test_of_many_hotels_the_page_shows_some_and_leads_to_all(
    get_page: GetPage, dashboard_db: asyncpg.Pool, today: date
) -> None:
    now = datetime.now(UTC) - timedelta(days=400)
    await store_events(
        dashboard_db,
        [
            BookingEvent(hotel * 1000 + ahead, hotel, now, 1, 1, today + timedelta(days=ahead % 30))
            for hotel in range(1, 61)
            for ahead in range(-30, 120)
        ],
    )
    _, page = await get_page("/?sort=behind")

    assert page.count("data-hotel=") == morning.HOTELS_SHOWN + 1
    assert 'href="/board/hotels?sort=behind">All 60 hotels</a>' in page
    assert len(page.encode()) <= 120_000
    assert len(gzip.compress(page.encode())) <= 20_000
    for forbidden in (" style=", " onclick", "<style", "javascript:"):
        assert forbidden not in page
