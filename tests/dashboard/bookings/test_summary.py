"""`GET /summary`: the figures of every hotel equal a plain recount of its events, and the total is their sum."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args
from unittest.mock import ANY

import asyncpg
import pytest
from hypothesis import strategies as st

from common.web.errors import Invalid
from common.web.resources import Application
from dashboard.bookings.decoding import BookingEvent, Status
from dashboard.bookings.inputs import PaceMatch, SummaryQuery
from dashboard.bookings.models.figures import HotelProfile
from dashboard.bookings.models.summary import AskedSummary
from dashboard.bookings.queries.ledger import insert_events
from dashboard.bookings.queries.profiles import upsert_profile
from dashboard.bookings.queries.summary import select_hotel_figures
from dashboard.bookings.service import replace_profile
from dashboard.bookings.summary import compute_summary
from tests.dashboard.bookings.event_sources import plain
from tests.dashboard.bookings.test_figures import (
    NOW,
    Events,
    booking_events,
    check_and_roll_back,
    event_days,
    first_of_each_id,
    property_test,
)
from tests.dashboard.bookings.test_routes import get
from tests.support import tables
from tests.support.feeds import MAIN_LEDGER

AS_OF = "2025-03-10"
LAST_YEAR = "2024-03-11"
"""The date 364 days before."""


@property_test(st.tuples(booking_events(), event_days, st.sampled_from(get_args(PaceMatch))))
async def test_the_figures_of_all_hotels_equal_the_recount(
    db: asyncpg.Connection, example: tuple[Events, date, PaceMatch]
) -> None:
    events, as_of, match = example
    books = plain(first_of_each_id(events))

    async def check() -> None:
        found = await select_hotel_figures(db, AskedSummary(as_of, match, NOW, ""))
        assert sorted(found, key=lambda hotel: hotel.hotel_id) == [
            books.hotel(hotel_id, as_of, match) for hotel_id in sorted(books.first_dates)
        ]

    await check_and_roll_back(db, [events], check)


async def store(db: asyncpg.Pool, hotel_id: int, *events: tuple[str, str, Status]) -> None:
    """Store events of a hotel, each of a date, a night and a status."""
    stored = [
        BookingEvent(
            hotel_id * 1000 + number,
            hotel_id,
            datetime.fromisoformat(f"{day}T12:00Z"),
            status,
            9,
            date.fromisoformat(night),
        )
        for number, (day, night, status) in enumerate(events)
    ]
    async with db.acquire() as connection, connection.transaction():
        await insert_events(connection, MAIN_LEDGER, stored)


async def name(
    db: asyncpg.Pool, hotel_id: int, given: str | None, rooms: int | None = None, *, hidden: bool = False
) -> None:
    async with db.acquire() as connection:
        await upsert_profile(connection, HotelProfile(hotel_id, given, rooms, None, hidden))


@pytest.fixture
async def hotels(dashboard_db: asyncpg.Pool) -> None:
    """Three hotels: 12 is most behind last year and sold most yesterday, 3 is ahead of it, and 21 has no last year."""
    first: tuple[str, str, Status] = ("2023-01-01", "2023-01-01", 1)
    await store(
        dashboard_db,
        3,
        first,
        ("2025-03-01", AS_OF, 1),
        ("2025-03-09", "2025-03-09", 1),
        ("2025-03-10", "2025-03-20", 1),
    )
    await store(
        dashboard_db,
        12,
        first,
        (LAST_YEAR, LAST_YEAR, 1),
        (LAST_YEAR, "2024-03-15", 1),
        (LAST_YEAR, "2024-05-01", 1),
        ("2024-03-12", "2024-03-15", 1),
        ("2025-03-09", "2025-03-16", 1),
        ("2025-03-09", "2025-03-17", 1),
        ("2025-03-09", "2025-06-08", 1),
        ("2025-03-10", "2025-03-17", 2),
        ("2025-03-11", "2025-03-16", 1),
    )
    await store(dashboard_db, 21, ("2025-03-09", "2025-03-09", 1), ("2025-03-09", "2025-03-09", 2))
    await name(dashboard_db, 3, "zum Hafen", 40)
    await name(dashboard_db, 12, "Alpine Lodge", 25)


SUMMARY = f"/summary?as_of={AS_OF}"

LODGE = {
    "hotel_id": 12,
    "name": "Alpine Lodge",
    "rooms": 25,
    "as_of": AS_OF,
    "last_night": 0,
    "tonight": {"on_the_books": 0, "same_time_last_year": 1, "difference": -1},
    "next_7": {"on_the_books": 1, "same_time_last_year": 2, "difference": -1},
    "next_30": {"on_the_books": 1, "same_time_last_year": 2, "difference": -1},
    "next_90": {"on_the_books": 1, "same_time_last_year": 3, "difference": -2},
    "yesterday": {"bookings": 3, "cancellations": 0, "net": 3},
    "today": {"bookings": 0, "cancellations": 1, "net": -1},
    "next_30_nights": [0, 0, 0, 0, 0, 0, 1, *23 * [0]],
    "next_30_nights_last_year": [1, 0, 0, 0, 1, *25 * [0]],
}


async def summary(app: Application, query: str = "") -> dict[str, Any]:
    response = await get(app, SUMMARY + query)
    body: dict[str, Any] = await response.get_json()
    assert response.status_code == 200, body
    return body


async def test_the_summary_over_http(dashboard_app: Application, hotels: None) -> None:
    response = await get(dashboard_app, f"{SUMMARY}&search=LODGE")

    assert response.headers["Link"] == '</board/hotels>; rel="alternate"; type="text/html"'
    body = await response.get_json()
    figures = {field: value for field, value in LODGE.items() if field not in ("hotel_id", "name", "as_of")}
    assert body == {"as_of": AS_OF, "match": "weekday", "items": [LODGE], "total": {"hotels": 1, **figures}}


async def test_the_total_sums_all_hotels_found_and_not_the_page(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, hotels: None
) -> None:
    await name(dashboard_db, 21, None, 10, hidden=True)

    body = await summary(dashboard_app, "&limit=1")

    assert len(body["items"]) == 1
    assert body["total"] == {
        "hotels": 2,
        "rooms": 65,
        "last_night": 1,
        "tonight": {"on_the_books": 1, "same_time_last_year": 1, "difference": 0},
        "next_7": {"on_the_books": 2, "same_time_last_year": 2, "difference": 0},
        "next_30": {"on_the_books": 3, "same_time_last_year": 2, "difference": 1},
        "next_90": {"on_the_books": 3, "same_time_last_year": 3, "difference": 0},
        "yesterday": {"bookings": 4, "cancellations": 0, "net": 4},
        "today": {"bookings": 1, "cancellations": 1, "net": 0},
        "next_30_nights": [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, *19 * [0]],
        "next_30_nights_last_year": [1, 0, 0, 0, 1, *25 * [0]],
    }


async def test_a_total_is_unknown_if_that_of_one_hotel_is(dashboard_app: Application, hotels: None) -> None:
    body = await summary(dashboard_app)
    total = body["total"]

    assert (total["hotels"], total["rooms"]) == (3, None)
    for nights in ("tonight", "next_7", "next_30", "next_90"):
        assert (total[nights]["same_time_last_year"], total[nights]["difference"]) == (None, None)
    assert total["next_30_nights_last_year"] == 30 * [None]
    assert total["next_30"]["on_the_books"] == 3
    assert total["yesterday"] == {"bookings": 5, "cancellations": 1, "net": 4}


async def test_without_hotels_nothing_is_known_of_rooms_and_last_year(dashboard_app: Application) -> None:
    body = await summary(dashboard_app)

    assert body["items"] == []
    assert body["total"]["hotels"] == 0
    assert body["total"]["rooms"] is None
    assert body["total"]["next_7"] == {"on_the_books": 0, "same_time_last_year": None, "difference": None}


async def test_a_leap_day_alone_has_no_last_year_and_among_other_nights_compares_with_0(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await store(dashboard_db, 3, ("2022-01-01", "2023-02-28", 1), ("2022-01-01", "2023-03-01", 1))

    body = await (await get(dashboard_app, "/summary?as_of=2024-02-29&match=date")).get_json()

    (hotel,) = body["items"]
    assert hotel["tonight"] == {"on_the_books": 0, "same_time_last_year": None, "difference": None}
    assert hotel["next_7"] == {"on_the_books": 0, "same_time_last_year": 1, "difference": -1}
    assert hotel["next_30_nights_last_year"] == [None, 1, *28 * [0]]
    assert body["total"]["tonight"] == hotel["tonight"]


def ids(items: Iterable[dict[str, Any]]) -> list[int]:
    return [item["hotel_id"] for item in items]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [12, 3, 21, 30]),
        ("&sort=name", [12, 3, 21, 30]),
        ("&sort=pickup", [12, 3, 21, 30]),
        ("&sort=behind", [12, 30, 3, 21]),
        ("&search=2", [21]),
        ("&search=ha", [3]),
        ("&search=nowhere", []),
    ],
)
async def test_hotels_come_in_the_order_asked_for_also_in_pages(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, hotels: None, query: str, expected: list[int]
) -> None:
    await store(dashboard_db, 30, ("2023-01-01", "2023-01-01", 1))

    assert ids((await summary(dashboard_app, query))["items"]) == expected
    for limit in (1, 3):
        found, path = [], f"{SUMMARY}&limit={limit}{query}"
        while path:
            response = await get(dashboard_app, path)
            page = await response.get_json()
            assert len(page["items"]) <= limit
            found += ids(page["items"])
            link = response.headers["Link"]
            assert '</board/hotels>; rel="alternate"' in link
            path = link[1 : link.index(">")] if 'rel="next"' in link else ""
        assert found == expected


async def test_hidden_hotels_are_left_out(dashboard_app: Application, dashboard_db: asyncpg.Pool, hotels: None) -> None:
    await name(dashboard_db, 12, "Alpine Lodge", 25, hidden=True)

    body = await summary(dashboard_app)

    assert ids(body["items"]) == [3, 21]
    assert body["total"]["hotels"] == 2


async def test_the_summary_as_tables(dashboard_app: Application, hotels: None) -> None:
    columns = ["hotel_id", "name", "rooms", "as_of", "last_night"]
    for nights in ("tonight", "next_7", "next_30", "next_90"):
        columns += [f"{nights}_{field}" for field in ("on_the_books", "same_time_last_year", "difference")]
    for day in ("yesterday", "today"):
        columns += [f"{day}_{field}" for field in ("bookings", "cancellations", "net")]
    columns += ["next_30_nights", "next_30_nights_last_year"]
    figures = [0, 0, 1, -1, 1, 2, -1, 1, 2, -1, 1, 3, -2, 3, 0, 3, 0, 1, -1]
    lists = [json.dumps(LODGE[f"next_30_nights{year}"], separators=(",", ":")) for year in ("", "_last_year")]

    answer = await get(dashboard_app, f"{SUMMARY}&limit=2&format=csv")
    header, lodge, _ = await tables.rows(answer)
    assert header == columns
    assert lodge == ["12", "Alpine Lodge", "25", AS_OF, *map(str, figures), *lists]
    assert 'rel="next"' in answer.headers["Link"]

    header, lodge, harbour, unnamed = await tables.sheet(await get(dashboard_app, f"{SUMMARY}&format=xlsx"))
    assert header == columns
    assert lodge == ["12", "Alpine Lodge", 25, datetime(2025, 3, 10), *figures, *lists]  # noqa: DTZ001 - a workbook knows no zones
    assert harbour[1] == "zum Hafen"
    assert unnamed[1:3] == [None, None]


NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)


async def computed(db: asyncpg.Pool, **query: str) -> list[tuple[int, date]]:
    found = await compute_summary(db, SummaryQuery.model_validate(query), None, NOON)
    return [(hotel.hotel_id, hotel.as_of) for hotel in found.items]


@pytest.fixture
async def far_apart(dashboard_db: asyncpg.Pool) -> None:
    """At noon in UTC on 10 March it is 11 March at hotel 1, and 10 March at hotel 2."""
    for hotel_id in (1, 2):
        await store(dashboard_db, hotel_id, ("2025-03-10", "2025-03-11", 1))
    await replace_profile(dashboard_db, HotelProfile(1, None, None, "Pacific/Kiritimati", False), "UTC")


async def test_each_hotel_is_summed_up_at_its_own_date_of_today(dashboard_db: asyncpg.Pool, far_apart: None) -> None:
    assert await computed(dashboard_db) == [(1, date(2025, 3, 11)), (2, date(2025, 3, 10))]


async def test_a_date_that_only_some_hotels_have_reached_is_today_at_the_others(
    dashboard_db: asyncpg.Pool, far_apart: None
) -> None:
    assert await computed(dashboard_db, as_of="2025-03-11") == [(1, date(2025, 3, 11)), (2, date(2025, 3, 10))]
    assert await computed(dashboard_db, as_of="2025-03-09") == [(1, date(2025, 3, 9)), (2, date(2025, 3, 9))]


async def test_a_date_that_no_hotel_has_reached_is_in_the_future(dashboard_db: asyncpg.Pool, far_apart: None) -> None:
    with pytest.raises(Invalid):
        await computed(dashboard_db, as_of="2025-03-12")


async def test_without_hotels_tomorrow_in_utc_is_in_the_future(dashboard_db: asyncpg.Pool) -> None:
    assert await computed(dashboard_db, as_of="2025-03-10") == []
    with pytest.raises(Invalid):
        await computed(dashboard_db, as_of="2025-03-11")


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("&match=month", "match", ANY),
        ("&sort=id", "sort", ANY),
        ("&limit=0", "limit", ANY),
        ("&limit=1001", "limit", ANY),
        ("&search=%00", "search", ANY),
        ("&hidden=true", "hidden", ANY),
        ("&cursor=x", "cursor", "is not a valid cursor for this list"),
    ],
)
async def test_a_wrong_question_about_all_hotels_is_named(
    dashboard_app: Application, query: str, field: str, message: str
) -> None:
    response = await get(dashboard_app, SUMMARY + query)

    assert response.status_code == 400
    assert (await response.get_json())["errors"] == [{"field": field, "message": message}]


async def test_the_summary_of_a_future_date_is_refused(dashboard_app: Application, hotels: None) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)

    response = await get(dashboard_app, f"/summary?as_of={tomorrow}")

    assert response.status_code == 400
    assert (await response.get_json())["errors"] == [{"field": "as_of", "message": "is in the future"}]


@pytest.mark.parametrize("other", ["sort=name", "sort=pickup", "sort=behind&match=date", "sort=behind&search=1"])
async def test_a_cursor_of_another_question_is_refused(dashboard_app: Application, hotels: None, other: str) -> None:
    response = await get(dashboard_app, f"{SUMMARY}&limit=1&sort=behind")
    link = response.headers["Link"]
    path = link[1 : link.index(">")].replace("sort=behind", other)

    refused = await get(dashboard_app, path)

    assert refused.status_code == 400
    assert [fault["field"] for fault in (await refused.get_json())["errors"]] == ["cursor"]
