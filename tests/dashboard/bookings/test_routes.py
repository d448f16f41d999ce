"""The booking figures over HTTP."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

import asyncpg
import pytest
from quart import Response

from common.web.resources import Application
from dashboard.bookings.decoding import BookingEvent, RejectedEvent
from dashboard.bookings.queries.ledger import insert_events
from dashboard.bookings.queries.quarantine import delete_old_quarantined, upsert_quarantine
from tests.support.feeds import MAIN_LEDGER

HOTEL = 4001


def booking_event(event_id: int, night: str, at: str, status: Literal[1, 2] = 1) -> BookingEvent:
    return BookingEvent(event_id, HOTEL, datetime.fromisoformat(at), status, 1, date.fromisoformat(night))


async def set_data_through(db: asyncpg.Pool, instant: str) -> None:
    await db.execute("UPDATE feed_progress SET data_through = $1::text::timestamptz", instant)


@pytest.fixture
async def booked(dashboard_db: asyncpg.Pool) -> None:
    """31 nights of January 2020 booked in 2019, 4 of them cancelled in 2020; one more on 29 February."""
    events = [booking_event(1000 + day, f"2020-01-{day:02}", "2019-12-24T12:00:00.000000Z") for day in range(1, 32)]
    events += [booking_event(2000 + day, f"2020-01-{day:02}", "2020-01-02T23:59:59.999999Z", 2) for day in range(1, 5)]
    events.append(booking_event(3000, "2020-02-29", "2020-01-03T00:00:00.000000Z"))
    async with dashboard_db.acquire() as connection:
        await insert_events(connection, MAIN_LEDGER, events)
    await set_data_through(dashboard_db, "2026-01-02 03:04:05Z")


async def get(app: Application, path: str, **headers: str) -> Response:
    return await app.test_client().get(path, headers=headers)


MONTHS = f"/dashboard?hotel_id={HOTEL}&period=month&year=2020"


async def test_figures_by_month(dashboard_app: Application, booked: None) -> None:
    response = await get(dashboard_app, MONTHS)
    body = await response.get_json()

    assert response.status_code == 200
    assert response.headers["X-Data-Through"] == "2026-01-02T03:04:05.000000Z"
    assert {key: body[key] for key in ("hotel_id", "period", "year", "by")} == {
        "hotel_id": HOTEL,
        "period": "month",
        "year": 2020,
        "by": "night_of_stay",
    }
    assert "as_of" not in body
    assert [item["period"] for item in body["items"]] == [f"2020-{month:02}" for month in range(1, 13)]
    assert body["items"][0] == {
        "period": "2020-01",
        "bookings": 31,
        "cancellations": 4,
        "net": 27,
        "cancellation_rate": 0.129,
    }
    assert body["items"][11]["cancellation_rate"] is None
    assert body["totals"] == {"bookings": 32, "cancellations": 4, "net": 28, "cancellation_rate": 0.125}


async def test_figures_by_day_of_a_leap_year(dashboard_app: Application, booked: None) -> None:
    items = (await (await get(dashboard_app, MONTHS.replace("month", "day"))).get_json())["items"]

    assert len(items) == 366
    assert items[0] == {"period": "2020-01-01", "bookings": 1, "cancellations": 1, "net": 0, "cancellation_rate": 1.0}
    assert items[59]["period"] == "2020-02-29"
    assert items[59]["bookings"] == 1


async def test_days_of_a_common_year_without_events_are_zeros(dashboard_app: Application, booked: None) -> None:
    body = await (await get(dashboard_app, f"/dashboard?hotel_id={HOTEL}&period=day&year=2021")).get_json()

    assert len(body["items"]) == 365
    assert body["totals"] == {"bookings": 0, "cancellations": 0, "net": 0, "cancellation_rate": None}


async def test_figures_of_a_year_are_one_item(dashboard_app: Application, booked: None) -> None:
    body = await (await get(dashboard_app, MONTHS.replace("month", "year"))).get_json()

    assert [(item["period"], item["net"]) for item in body["items"]] == [("2020", 28)]


async def test_events_can_be_counted_on_their_own_date(dashboard_app: Application, booked: None) -> None:
    body = await (await get(dashboard_app, f"{MONTHS}&by=event_date")).get_json()

    assert body["totals"] == {"bookings": 1, "cancellations": 4, "net": -3, "cancellation_rate": 4.0}


async def test_figures_as_of_a_past_date(dashboard_app: Application, booked: None) -> None:
    body = await (await get(dashboard_app, f"{MONTHS}&as_of=2020-01-02")).get_json()
    before = await (await get(dashboard_app, f"{MONTHS}&as_of=2020-01-01")).get_json()

    assert (body["as_of"], body["totals"]["net"]) == ("2020-01-02", 27)
    assert (before["totals"]["net"], before["totals"]["cancellations"]) == (31, 0)


async def test_an_event_dated_tomorrow_counts_from_tomorrow_on(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, today: date
) -> None:
    tomorrow = datetime.combine(today + timedelta(days=1), time(), UTC)
    async with dashboard_db.acquire() as connection:
        await insert_events(
            connection,
            MAIN_LEDGER,
            [
                booking_event(1, "2020-01-01", "2020-01-01T00:00:00.000000Z"),
                booking_event(2, "2020-01-02", tomorrow.isoformat()),
            ],
        )

    body = await (await get(dashboard_app, MONTHS)).get_json()

    assert body["totals"]["bookings"] == 1


async def test_figures_as_csv(dashboard_app: Application, booked: None) -> None:
    response = await get(dashboard_app, MONTHS, Accept="text/csv")
    rows = (await response.get_data(as_text=True)).splitlines()

    assert response.mimetype == "text/csv"
    assert rows[0] == "period,bookings,cancellations,net,cancellation_rate"
    assert rows[1] == "2020-01,31,4,27,0.129"
    assert rows[12] == "2020-12,0,0,0,"


async def test_the_etag_changes_only_with_the_figures(
    dashboard_app: Application, dashboard_db: asyncpg.Pool, booked: None
) -> None:
    first = await get(dashboard_app, MONTHS)
    await set_data_through(dashboard_db, "2026-01-03 00:00:00Z")
    same = await get(dashboard_app, MONTHS, **{"If-None-Match": f'W/"x", {first.headers["ETag"]}'})
    weakened = await get(dashboard_app, MONTHS, **{"If-None-Match": f"W/{first.headers['ETag']}"})
    async with dashboard_db.acquire() as connection:
        await insert_events(connection, MAIN_LEDGER, [booking_event(9000, "2020-01-01", "2020-01-01T00:00:00.000000Z")])
    changed = await get(dashboard_app, MONTHS, **{"If-None-Match": first.headers["ETag"]})

    assert not first.headers["ETag"].startswith("W/")
    assert (same.status_code, await same.get_data()) == (304, b"")
    assert weakened.status_code == 304, "a proxy that compresses a response weakens its ETag"
    assert same.headers["ETag"] == first.headers["ETag"]
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("period=month&year=2020", "hotel_id"),
        ("hotel_id=1&year=2020", "period"),
        ("hotel_id=1&period=month", "year"),
        ("hotel_id=1&period=week&year=2020", "period"),
        ("hotel_id=1&period=month&year=1899", "year"),
        ("hotel_id=1&period=month&year=2201", "year"),
        ("hotel_id=1&period=month&year=20_20", "year"),
        ("hotel_id=0&period=month&year=2020", "hotel_id"),
        ("hotel_id=9223372036854775808&period=month&year=2020", "hotel_id"),
        ("hotel_id=1&hotel_id=2&period=month&year=2020", "hotel_id"),
        ("hotel_id=1&period=month&year=2020&by=room", "by"),
        (f"hotel_id={HOTEL}&period=month&year=2020&as_of=2999-01-01", "as_of"),
        ("hotel_id=1&period=month&year=2020&as_of=yesterday", "as_of"),
        ("hotel_id=1&period=month&year=2020&hotel=1", "hotel"),
    ],
)
async def test_invalid_parameters_are_named(dashboard_app: Application, booked: None, query: str, field: str) -> None:
    response = await get(dashboard_app, f"/dashboard?{query}")

    assert response.status_code == 400
    assert response.mimetype == "application/problem+json"
    assert [fault["field"] for fault in (await response.get_json())["errors"]] == [field]


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard?hotel_id=4002&period=month&year=2020",
        "/dashboard?hotel_id=4002&period=day&year=2020",
        "/hotels/4002/pickup",
        "/hotels/4002/pace?year=2020",
        "/hotels/4002/booking-curve?night=2020-01-01",
        "/hotels/4002/lead-time?year=2020",
        "/hotels/0/pickup",
        "/hotels/9223372036854775808/pickup",
        "/hotels/x/pickup",
    ],
)
async def test_an_unknown_hotel_is_not_found(dashboard_app: Application, booked: None, path: str) -> None:
    response = await get(dashboard_app, path)

    assert (response.status_code, response.mimetype) == (404, "application/problem+json")


async def test_hotels(dashboard_app: Application, booked: None) -> None:
    body = await (await get(dashboard_app, "/hotels")).get_json()

    assert body["hotels"] == [
        {
            "hotel_id": HOTEL,
            "name": None,
            "rooms": None,
            "timezone": "UTC",
            "events": 36,
            "first_night": "2020-01-01",
            "last_night": "2020-02-29",
            "last_event_timestamp": "2020-01-03T00:00:00.000000Z",
            "hidden": False,
        }
    ]
    assert body["data_through"] == "2026-01-02T03:04:05.000000Z"
    assert body["lag_seconds"] > 0
    (feed,) = body["feeds"]
    assert feed.pop("lag_seconds") > 0
    assert feed == {"feed": "main", "data_through": body["data_through"], "feed_cut_off": 0}


async def insert_hotels(db: asyncpg.Pool, *hotels: int) -> None:
    await db.execute(
        """
        INSERT INTO hotel_summary
        SELECT hotel, 'UTC', 1, '2020-01-01', '2020-01-01', '2020-01-01', '2020-01-01', '2020-01-01'
          FROM unnest($1::bigint[]) AS hotel
        """,
        hotels,
    )


async def test_hotels_come_in_pages_and_can_be_searched(dashboard_app: Application, dashboard_db: asyncpg.Pool) -> None:
    await insert_hotels(dashboard_db, 1, 2, 12, 120, 21, 2**63 - 1)

    async def ids(path: str) -> list[int]:
        found = []
        while path:
            response = await get(dashboard_app, path)
            found += [hotel["hotel_id"] for hotel in (await response.get_json())["hotels"]]
            link = response.headers.get("Link", "")
            path = link[link.index("/hotels") : link.index(">")] if link else ""
        return found

    assert await ids("/hotels?limit=2") == [1, 2, 12, 21, 120, 2**63 - 1]
    assert await ids("/hotels?limit=1&search=12") == [12, 120]
    assert await ids("/hotels?search=3") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("search=%00", "search"),
        (f"search={201 * '1'}", "search"),
        ("hidden=yes", "hidden"),
        ("cursor=x", "cursor"),
    ],
)
async def test_invalid_pages_of_hotels_are_named(dashboard_app: Application, query: str, field: str) -> None:
    response = await get(dashboard_app, f"/hotels?{query}")

    assert response.status_code == 400
    assert [fault["field"] for fault in (await response.get_json())["errors"]] == [field]


async def test_the_lag_is_not_negative_when_the_clock_of_the_provider_is_ahead(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    await set_data_through(dashboard_db, "2999-01-01 00:00:00Z")

    assert (await (await get(dashboard_app, "/hotels")).get_json())["lag_seconds"] == 0


async def test_pickup(dashboard_app: Application, booked: None) -> None:
    body = await (await get(dashboard_app, f"/hotels/{HOTEL}/pickup?as_of=2020-01-03&days=2&nights=2")).get_json()

    assert body == {
        "hotel_id": HOTEL,
        "as_of": "2020-01-03",
        "days": 2,
        "items": [
            {"night": "2020-01-03", "on_the_books": 0, "pickup": -1},
            {"night": "2020-01-04", "on_the_books": 0, "pickup": -1},
        ],
    }


async def test_pickup_defaults_to_the_last_week_and_ninety_nights(
    dashboard_app: Application, booked: None, today: date
) -> None:
    body = await (await get(dashboard_app, f"/hotels/{HOTEL}/pickup")).get_json()

    assert (body["days"], len(body["items"])) == (7, 90)
    assert body["as_of"] == today.isoformat()


async def test_pace_of_a_year_after_a_leap_year(dashboard_app: Application, booked: None) -> None:
    body = await (await get(dashboard_app, f"/hotels/{HOTEL}/pace?year=2021&as_of=2021-06-01")).get_json()

    assert body["items"][0] == {"period": "2021-01", "on_the_books": 0, "last_year": 27, "difference": -27}
    assert body["items"][1]["last_year"] == 0  # 29 February has no counterpart


@pytest.mark.parametrize("match", ["date", "weekday"])
async def test_pace_as_of_the_first_year_of_the_calendar_is_zero(
    dashboard_app: Application, booked: None, match: str
) -> None:
    response = await get(dashboard_app, f"/hotels/{HOTEL}/pace?year=2020&as_of=0001-06-01&match={match}")

    assert response.status_code == 200
    assert {(item["on_the_books"], item["last_year"]) for item in (await response.get_json())["items"]} == {(0, 0)}


async def test_booking_curve(dashboard_app: Application, booked: None) -> None:
    body = await (await get(dashboard_app, f"/hotels/{HOTEL}/booking-curve?night=2020-01-01")).get_json()

    assert body["items"] == [
        *({"days_before": day, "on_the_books": 1} for day in range(8, 0, -1)),
        {"days_before": 0, "on_the_books": 0},
    ]


async def test_lead_time(dashboard_app: Application, booked: None) -> None:
    body = await (await get(dashboard_app, f"/hotels/{HOTEL}/lead-time?year=2020")).get_json()

    assert [(bucket["from"], bucket["to"]) for bucket in body["items"]] == [
        (0, 0), (1, 3), (4, 7), (8, 14), (15, 30), (31, 60), (61, 90), (91, 180), (181, None),
    ]  # fmt: skip
    assert sum(bucket["bookings"] for bucket in body["items"]) == 32
    assert body["median"] == 23.5


async def test_quarantined_values_are_listed_in_pages(dashboard_app: Application, dashboard_db: asyncpg.Pool) -> None:
    for number in range(3):
        await upsert_quarantine(dashboard_db, "main", [RejectedEvent(f"raw {number}", "not an event")])

    first = await get(dashboard_app, "/quarantine?limit=2")
    link = first.headers["Link"]
    second = await get(dashboard_app, link[link.index("/quarantine") : link.index(">")])

    assert [each["raw"] for each in (await first.get_json())["items"]] == ["raw 0", "raw 1"]
    assert [each["raw"] for each in (await second.get_json())["items"]] == ["raw 2"]
    assert "Link" not in second.headers


async def test_quarantined_values_are_deleted_when_they_were_not_received_again(dashboard_db: asyncpg.Pool) -> None:
    await upsert_quarantine(
        dashboard_db, "main", [RejectedEvent(f"raw {number}", "not an event") for number in range(5)]
    )
    await dashboard_db.execute(
        "UPDATE quarantined_event SET first_seen = now() - interval '200 days', last_seen = now() - interval '91 days'"
    )
    await upsert_quarantine(
        dashboard_db, "main", [RejectedEvent("raw 0", "not an event"), RejectedEvent("raw 9", "new")]
    )

    keep = timedelta(days=90)
    assert [await delete_old_quarantined(dashboard_db, keep, 3) for _ in range(3)] == [3, 1, 0]
    left = await dashboard_db.fetch("SELECT raw FROM quarantined_event ORDER BY raw")
    assert [row["raw"] for row in left] == ["raw 0", "raw 9"]
