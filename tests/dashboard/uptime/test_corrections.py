"""Closures, hours with a first day, groups and deletions of polls, over HTTP; and the days of the fleet."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.db.pool import Connection, transaction
from dashboard.uptime import corrections
from dashboard.uptime.corrections import Change
from dashboard.uptime.models.fleet import DaySpan, WantedStores
from dashboard.uptime.models.stores import StoredClosure
from dashboard.uptime.queries import days, imports
from dashboard.uptime.queries.stores import select_days
from tests.dashboard.uptime.conftest import HOURS, STATUS, ZONES, Stores
from tests.dashboard.uptime.fleet import Store, every_day, load, utc
from tests.dashboard.uptime.test_law import Scene, relaxed, scenes
from tests.support.databases import waits_for_lock
from tests.support.waiting import eventually

WINDOW = "from=2023-01-23T00:00:00Z&to=2023-01-24T00:00:00Z"


async def put(stores: Stores, path: str, body: Any, status: int = 200) -> Any:
    answer = await stores.client.put(path, json=body)
    found = await answer.get_json()
    assert answer.status_code == status, found
    return found


async def seconds(stores: Stores) -> tuple[float, float]:
    """Uptime and downtime of the example of the source."""
    found = await stores.get(f"/stores/1/timeline?{WINDOW}")
    return found["uptime_seconds"], found["downtime_seconds"]


async def test_a_closure_is_not_open_time_in_any_figure(stores: Stores) -> None:
    await stores.load_monday()
    closures = [{"from": "2023-01-23T17:30:00+00:00", "to": "2023-01-23T20:00:00Z", "reason": "Maintenance"}]
    answered = await put(stores, "/stores/1/closures", closures)
    assert answered == [
        {"from": "2023-01-23T17:30:00.000000Z", "to": "2023-01-23T20:00:00.000000Z", "reason": "Maintenance"}
    ]
    assert await stores.get("/stores/1/closures") == answered
    assert await seconds(stores) == (8100.0, 900.0)
    (incident,) = await stores.get(f"/stores/1/incidents?{WINDOW}")
    assert incident["duration_seconds"] == 900.0
    assert (await stores.get(f"/stores/1/coverage?{WINDOW}"))["open_seconds"] == 9000.0
    (day,) = await stores.get("/stores/1/days?days=1&to=2023-01-23")
    assert (day["open_seconds"], day["down_seconds"], day["incidents"]) == (9000.0, 900.0, 1)
    report = await stores.complete(await stores.trigger("?as_of=2023-01-23T18:00:00Z"))
    assert b"\n1,15.00,2.25,2.25,15.00,0.25,0.25\n" in await report.get_data()
    assert (await stores.get("/stores/sla?month=2023-01"))["breaches"] == 1
    assert await put(stores, "/stores/1/closures", []) == []
    assert await seconds(stores) == (8100.0, 2700.0)


async def test_a_closure_of_days_follows_the_time_zone_of_the_store(stores: Stores) -> None:
    await stores.put("status", STATUS + "1,active,2023-01-23 12:00:00 UTC\n")
    await put(stores, "/stores/1/closures", [{"from": "2023-01-23", "to": "2023-01-23"}])
    window = "/stores/1/timeline?from=2023-01-22T00:00:00Z&to=2023-01-26T00:00:00Z"
    assert [span["start"][:13] for span in (await stores.get(window))["open"]] == ["2023-01-22T00", "2023-01-24T06"]
    await stores.put("timezones", ZONES + "1,Asia/Tokyo\n")
    assert [span["start"][:13] for span in (await stores.get(window))["open"]] == ["2023-01-22T00", "2023-01-23T15"]


@pytest.mark.parametrize(
    ("closure", "field"),
    [
        ({"from": "2023-01-24", "to": "2023-01-23"}, "0.to"),
        ({"from": "2023-01-23", "to": "2023-01-24T00:00:00Z"}, "0.to"),
        ({"from": "2023-01-23T10:00:00Z", "to": "2023-01-23T10:00:00Z"}, "0.to"),
        ({"from": "2023-01-23T10:00:00", "to": "2023-01-23T11:00:00Z"}, "0.from"),
        ({"from": "2023-02-30", "to": "2023-03-01"}, "0.from"),
        ({"from": "1850-01-01", "to": "2023-03-01"}, "0.from"),
        ({"from": 5, "to": "2023-03-01"}, "0.from"),
        ({"from": "2023-01-23", "to": "2023-01-23", "why": ""}, "0.why"),
        ({"from": "2023-01-23", "to": "2023-01-23", "reason": "x\0"}, "0.reason"),
        ({"from": "2023-01-23"}, "0.to"),
    ],
)
async def test_a_wrong_closure_is_refused_and_changes_nothing(
    stores: Stores, closure: dict[str, Any], field: str
) -> None:
    await stores.load_monday()
    problem = await put(stores, "/stores/1/closures", [closure], 400)
    assert field in [error["field"] for error in problem["errors"]]
    assert await stores.get("/stores/1/closures") == []


async def test_changes_are_listed_with_the_caller_and_once(stores: Stores) -> None:
    await stores.load_monday()
    for _ in range(2):
        await put(stores, "/stores/1/closures", [{"from": "2023-01-23", "to": "2023-01-23"}])
        await put(stores, "/stores/1", {"group": "north"})
    deletion = "/stores/1/polls?from=2023-01-23T17:00:00Z&to=2023-01-23T18:00:00Z"
    for number in (1, 0):
        answer = await stores.client.delete(deletion)
        assert await answer.get_json() == {"deleted": number}
    found = await stores.get("/stores/imports")
    assert [(each["kind"], each["source"], each["new"]) for each in found[:3]] == [
        ("deleted-polls", "1", 1),
        ("group", "1", 1),
        ("closures", "1", 1),
    ]
    assert len(found) == 5
    assert all(each["made_by"].startswith("request from ") for each in found)
    assert found[1]["notices"] == ["its group is north"]


async def test_unknown_stores_and_fields_are_refused(stores: Stores) -> None:
    await stores.load_monday()
    await put(stores, "/stores/9/closures", [], 404)
    await put(stores, "/stores/9", {"group": "a"}, 404)
    await put(stores, "/stores/1", {"group": "a", "name": "b"}, 400)
    await put(stores, "/stores/1", {}, 400)
    await put(stores, "/stores/1", {"group": ""}, 400)
    for query in ("", "?from=2023-01-23T00:00:00Z", "?to=2023-01-23T00:00:00Z", f"?{WINDOW}&x=1"):
        assert (await stores.client.delete(f"/stores/1/polls{query}")).status_code == 400
    backwards = "?from=2023-01-24T00:00:00Z&to=2023-01-23T00:00:00Z"
    assert (await stores.client.delete(f"/stores/1/polls{backwards}")).status_code == 400
    future = (datetime.now(UTC) + timedelta(minutes=11)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = await stores.client.delete(f"/stores/1/polls?from=2023-01-24T00:00:00Z&to={future}")
    problem = await answer.get_json()
    assert answer.status_code == 400
    assert problem["errors"][0]["field"] == "to"
    assert problem["errors"][0]["message"].startswith("is in the future")
    assert (await stores.client.delete(f"/stores/9/polls?{WINDOW}")).status_code == 404


async def test_deleted_polls_change_every_figure_and_the_gaps(stores: Stores) -> None:
    await stores.load_monday()
    await stores.client.delete("/stores/1/polls?from=2023-01-23T17:15:00Z&to=2023-01-23T17:15:00.000001Z")
    assert await seconds(stores) == (10800.0, 0.0)
    assert await stores.get(f"/stores/1/incidents?{WINDOW}") == []
    gaps = await stores.get(f"/stores/gaps?{WINDOW}")
    assert next((gap["start"][11:16], gap["end"][11:16]) for gap in gaps) == ("16:14", "18:00")
    await stores.client.delete(f"/stores/1/polls?{WINDOW}")
    assert (await stores.get("/stores/1"))["state"] == "never_polled"
    assert [each["store_id"] for each in await stores.get("/stores?state=never_polled")] == ["1"]


async def test_hours_with_a_first_day_keep_the_past(stores: Stores) -> None:
    await stores.load_monday()
    later = HOURS.strip() + ",valid_from\n" + "1,0,09:00:00,10:00:00,2023-01-30\n"
    answer = await stores.put("business-hours", later)
    assert (await answer.get_json())["new"] == 1
    window = "/stores/1/timeline?from=2023-01-23T00:00:00Z&to=2023-01-31T00:00:00Z"
    spans = [(span["start"][8:13], span["end"][8:13]) for span in (await stores.get(window))["open"]]
    assert spans == [("23T15", "23T18"), ("30T15", "30T16")]
    assert (await (await stores.put("business-hours", later)).get_json())["new"] == 0
    # Without the column the file corrects the whole past.
    await stores.put("business-hours", HOURS + "1,0,09:00:00,11:00:00\n")
    spans = [(span["start"][8:13], span["end"][8:13]) for span in (await stores.get(window))["open"]]
    assert spans == [("23T15", "23T17"), ("30T15", "30T17")]


async def test_a_store_without_hours_was_always_open_before_its_first_ones(stores: Stores) -> None:
    await stores.put("status", STATUS + "1,active,2023-01-23 12:00:00 UTC\n")
    hours = HOURS.strip() + ",valid_from\n1,2,09:00,10:00,2023-01-25\n2,0,9:00,10:00,\n"
    answer = await (await stores.put("business-hours", hours)).get_json()
    assert (answer["rows"], answer["new"]) == (2, 2)
    found = await stores.get("/stores/1/timeline?from=2023-01-24T00:00:00Z&to=2023-01-26T00:00:00Z")
    assert [(span["start"][8:13], span["end"][8:13]) for span in found["open"]] == [
        ("24T00", "25T06"),
        ("25T15", "25T16"),
    ]


async def test_a_wrong_first_day_spoils_the_hours_of_its_store_only(stores: Stores) -> None:
    await stores.load_monday()
    text = HOURS.strip() + ",valid_from\n1,0,09:00:00,10:00:00,2023-02-30\n2,0,09:00:00,10:00:00,\n"
    found = await (await stores.put("business-hours", text)).get_json()
    assert found["rejected"][0]["reason"] == "valid_from '2023-02-30' is not a valid date"
    assert await seconds(stores) == (8100.0, 2700.0)


async def test_time_zones_may_bring_groups(stores: Stores) -> None:
    await stores.load_monday()
    await stores.put("timezones", ZONES.strip() + ",group\n1,America/Chicago,north\n2,America/Chicago,\n")
    assert (await stores.get("/stores/1"))["group"] == "north"
    await stores.put("timezones", ZONES + "1,America/Chicago\n")
    assert (await stores.get("/stores/1"))["group"] == "north"


async def test_a_month_is_that_of_each_store_and_says_how_far_it_is_counted(stores: Stores) -> None:
    await stores.load_monday()
    expected = {"stores": 2, "breaches": 1, "from": "2023-01-01", "to": "2023-01-31", "through": "2023-01-24"}
    found = await stores.get("/stores/sla?month=2023-01")
    assert {name: found[name] for name in expected} == expected
    assert found["incidents"] == 1
    (breach,) = await stores.get("/stores/sla/breaches?month=2023-01")
    assert (breach["store_id"], breach["uptime_share"]) == ("1", 0.75)
    listed = await stores.get("/stores?from=2023-01-23&to=2023-01-23&order=downtime")
    assert [each["store_id"] for each in listed] == ["1", "2"]
    assert (await stores.get("/stores/sla?from=2023-01-24&to=2023-01-25"))["stores"] == 1
    future = await stores.get("/stores/sla?month=2199-01")
    assert (future["stores"], future["through"]) == (0, None)


@pytest.mark.parametrize(
    "query",
    ["month=2023-13", "month=9999-12", "month=0001-01",
     "month=2023-1", "month=2023-01&from=2023-01-01", "from=2023-01-01", "to=2023-01-01",
     "from=2023-01-02&to=2023-01-01", "from=2021-01-01&to=2023-01-01", "month=2023-01&month=2023-02"],
)  # fmt: skip
async def test_wrong_days_are_refused(stores: Stores, query: str) -> None:
    for path in ("/stores/sla", "/stores/sla/breaches", "/stores"):
        await stores.get(f"{path}?{query}", 400)


async def test_late_polls_change_the_days_that_were_kept(stores: Stores) -> None:
    await stores.load_monday()
    assert (await stores.get("/stores/sla?month=2023-01"))["breaches"] == 1
    await stores.put("status", STATUS + "1,inactive,2023-01-23 15:00:00 UTC\n2,inactive,2023-01-24 18:00:00 UTC\n")
    assert (await stores.get("/stores/sla?from=2023-01-23&to=2023-01-23"))["breaches"] == 1
    (breach,) = await stores.get("/stores/sla/breaches?from=2023-01-23&to=2023-01-23")
    assert breach["downtime_seconds"] == 2700.0 + 74 * 60
    await stores.put("timezones", ZONES + "1,UTC\n")
    assert (await stores.get("/stores/sla?from=2023-01-23&to=2023-01-23"))["stores"] == 2


@relaxed
@given(scenes(), st.data())
async def test_the_days_of_the_fleet_are_those_of_its_stores_whenever_they_were_made(
    dashboard_db: asyncpg.Pool, scene: Scene, data: st.DataObject
) -> None:
    """Some polls come after the days were made, in any order; the sums stay those of the computed days."""
    late = {
        name: data.draw(st.sets(st.sampled_from(range(len(store.polls))))) if store.polls else set()
        for name, store in scene.stores.items()
    }
    early = {
        name: store._replace(polls=[poll for place, poll in enumerate(store.polls) if place not in late[name]])
        for name, store in scene.stores.items()
    }
    await load(dashboard_db, early)
    at = scene.now + timedelta(days=3)
    made_at = data.draw(st.sampled_from([scene.start, scene.end, at]))
    await days.make_recent_days(dashboard_db, 100, made_at, made_at)
    await import_polls(
        dashboard_db,
        [(name, *scene.stores[name].polls[place]) for name, places in late.items() for place in places],
    )
    await days.make_recent_days(dashboard_db, 100, at, at)
    span = DaySpan(at.date() - timedelta(days=200), at.date() + timedelta(days=2))
    found = await days.select_store_uptimes_of_days(dashboard_db, span, WantedStores("store_id"), None, 10, at)
    by_store = {each.store_id: (each.uptime_seconds, each.downtime_seconds) for each in found}
    kept = {
        row["store_id"]: row["through"]
        for row in await dashboard_db.fetch(
            "SELECT store_id, through FROM fleet_days($1, $2, $3, $4)", span.first, span.last, timedelta(minutes=90), at
        )
    }
    await dashboard_db.execute("TRUNCATE store_recent_day")
    await dashboard_db.execute("UPDATE store SET days_until = NULL, days_made_on = NULL")
    for name in scene.stores:
        computed = [
            day for day in await select_days(dashboard_db, name, 400, None, at) if span.first <= day.day <= kept[name]
        ] if name in kept else []  # fmt: skip
        sums = (sum(day.up_seconds for day in computed), sum(day.down_seconds for day in computed))
        assert by_store.get(name, (0.0, 0.0)) == pytest.approx(sums)


POLLS_OF_DAYS = "".join(
    f"1,{'inactive' if hour == 13 else 'active'},2023-01-{day} {hour:02}:00:00 UTC\n"
    for day in range(20, 25)
    for hour in range(24)
)
SECOND_CHANGES: dict[str, tuple[str, str, Any]] = {
    "earlier polls": ("PUT", "/stores/status", STATUS + "1,inactive,2023-01-21 05:30:00 UTC\n"),
    "a closure": ("PUT", "/stores/1/closures", [{"from": "2023-01-21", "to": "2023-01-21"}]),
    "a deletion": ("DELETE", "/stores/1/polls?from=2023-01-21T12:30:00Z&to=2023-01-21T13:30:00Z", None),
    "other hours": ("PUT", "/stores/business-hours", HOURS + "1,0,09:00:00,12:00:00\n1,5,09:00:00,20:00:00\n"),
    "another zone": ("PUT", "/stores/timezones", ZONES + "1,Asia/Tokyo\n"),
}


@pytest.mark.parametrize("second", SECOND_CHANGES)
async def test_a_second_change_of_a_store_before_its_days_are_made_again_counts_as_well(
    stores: Stores, dashboard_db: asyncpg.Pool, second: str
) -> None:
    await stores.put("timezones", ZONES + "1,UTC\n")
    await stores.put("status", STATUS + POLLS_OF_DAYS)
    made_at = utc("2023-01-27 00:00")
    await days.make_recent_days(dashboard_db, 100, made_at, made_at)
    assert (await stores.put("status", STATUS + "1,inactive,2023-01-24 05:30:00 UTC\n")).status_code == 200

    method, path, body = SECOND_CHANGES[second]
    sent = {"data": body, "headers": {"Content-Type": "text/csv"}} if isinstance(body, str) else {"json": body}
    answer = await stores.client.open(path, method=method, **sent)
    assert answer.status_code < 300, await answer.get_data()
    await days.make_recent_days(dashboard_db, 100, made_at, made_at)

    made = "SELECT day, open_time, uptime, observed_time, observed_uptime, incidents FROM store_recent_day ORDER BY day"
    found = await dashboard_db.fetch(made)
    await dashboard_db.execute("TRUNCATE store_recent_day")
    await dashboard_db.execute("UPDATE store SET days_until = NULL, days_made_on = NULL")
    await days.make_recent_days(dashboard_db, 100, made_at, made_at)
    assert found == await dashboard_db.fetch(made)


async def import_polls(db: asyncpg.Pool, polls: Sequence[tuple[str, datetime, bool]]) -> None:
    """What an import of polls does: those of stores, each with its instant and whether it was active."""
    async with transaction(db) as connection:
        await stage_and_merge_polls(connection, polls)


async def stage_and_merge_polls(connection: Connection, polls: Sequence[tuple[str, datetime, bool]]) -> None:
    """The statements of an import of polls, in a transaction of the caller."""
    await imports.create_poll_staging(connection)
    await connection.executemany(
        "INSERT INTO staged_poll VALUES ($1, $2, $3)",
        [(name, at, ("inactive", "active")[active]) for name, at, active in polls],
    )
    await imports.forget_days_of_staged_polls(connection)
    await imports.mark_inactive_on_conflict(connection)
    await imports.insert_staged_polls(connection)


NIGHTS = every_day("20:00", "10:00")
MADE_AT = utc("2023-01-25 06:30")
JANUARY_24 = DaySpan(date(2023, 1, 24), date(2023, 1, 24))


async def downtime_of_january_24(db: asyncpg.Pool, now: datetime) -> float | None:
    """Make the days that are over, and read this one of the only store."""
    await days.make_recent_days(db, 100, now - timedelta(hours=6), now)
    (found,) = await days.select_store_uptimes_of_days(db, JANUARY_24, WantedStores("store_id"), None, 10, now)
    return found.downtime_seconds


async def kept_days(db: asyncpg.Pool) -> int:
    kept: int = await db.fetchval("SELECT count(*) FROM store_recent_day")
    return kept


async def test_a_night_without_a_poll_is_kept_until_a_poll_of_the_next_morning_decides_it(
    dashboard_db: asyncpg.Pool,
) -> None:
    """The first poll of an opening decides the time before it, here four hours of the day before."""
    await load(dashboard_db, {"1": Store([(utc("2023-01-23 21:00"), True)], NIGHTS, "UTC")})
    assert await downtime_of_january_24(dashboard_db, MADE_AT) == 0
    assert await kept_days(dashboard_db) == 2
    await import_polls(dashboard_db, [("1", utc("2023-01-25 06:00"), False)])
    assert await kept_days(dashboard_db) == 1
    assert await downtime_of_january_24(dashboard_db, MADE_AT) == 4 * 3600
    assert await kept_days(dashboard_db) == 2


async def test_a_poll_of_a_later_opening_leaves_the_kept_days(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"1": Store([(utc("2023-01-23 21:00"), True)], NIGHTS, "UTC")})
    assert await downtime_of_january_24(dashboard_db, MADE_AT) == 0
    await import_polls(dashboard_db, [("1", utc("2023-01-25 21:00"), False)])
    assert await kept_days(dashboard_db) == 2
    assert await dashboard_db.fetchval("SELECT days_made_on FROM store") == date(2023, 1, 25)
    await import_polls(dashboard_db, [("1", utc("2023-01-25 09:00"), False)])
    assert await downtime_of_january_24(dashboard_db, MADE_AT + timedelta(hours=3)) == 4 * 3600


async def test_a_day_that_a_poll_dated_ahead_will_change_is_computed_when_it_is_asked_for(
    dashboard_db: asyncpg.Pool,
) -> None:
    polls = [(utc("2023-01-23 21:00"), True), (MADE_AT + timedelta(minutes=5), False)]
    await load(dashboard_db, {"1": Store(polls, NIGHTS, "UTC")})
    assert await downtime_of_january_24(dashboard_db, MADE_AT) == 0
    assert await kept_days(dashboard_db) == 1
    assert await downtime_of_january_24(dashboard_db, MADE_AT + timedelta(minutes=6)) == 4 * 3600


async def test_a_change_waits_for_an_import_and_both_are_kept(dashboard_db: asyncpg.Pool) -> None:
    await load(dashboard_db, {"1": Store([(utc("2023-01-23 12:00"), True)], timezone="UTC")})
    change = Change("1", "a test", datetime.now(UTC))
    closure = StoredClosure(utc("2023-01-23 10:00"), utc("2023-01-23 11:00"), "")
    async with transaction(dashboard_db) as connection:
        await imports.lock_imports(connection)
        waiting = asyncio.create_task(corrections.replace_closures(dashboard_db, change, [closure]))
        await eventually(lambda: waits_for_lock(dashboard_db))
        await stage_and_merge_polls(connection, [("1", utc("2023-01-23 13:00"), False)])
    await waiting
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_closure") == 1
    assert await dashboard_db.fetchval("SELECT last_polled_at FROM store") == utc("2023-01-23 13:00")
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_poll") == 2
