"""Single stores and the fleet over HTTP."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from dashboard.uptime import service
from tests.dashboard.uptime.conftest import HOURS, STATUS, Stores


async def pages(stores: Stores, path: str) -> list[Any]:
    """All items of a list, following its links."""
    found: list[Any] = []
    while path:
        answer = await stores.client.get(path)
        assert answer.status_code == 200, await answer.get_data()
        found += await answer.get_json()
        link = re.match(r'<(/.*)>; rel="next"', answer.headers.get("Link", ""))
        path = link[1] if link else ""
    return found


async def test_a_timeline_has_open_time_stretches_and_polls(stores: Stores) -> None:
    await stores.load_monday()
    found = await stores.get("/stores/1/timeline?from=2023-01-23T00:00:00.000000Z&to=2023-01-24T00:00:00%2B01:00")
    assert found == {
        "store_id": "1",
        "timezone": "America/Chicago",
        "from": "2023-01-23T00:00:00.000000Z",
        "to": "2023-01-23T23:00:00.000000Z",
        "uptime_seconds": 8100.0,
        "downtime_seconds": 2700.0,
        "open": [{"start": "2023-01-23T15:00:00.000000Z", "end": "2023-01-23T18:00:00.000000Z"}],
        "stretches": [
            {"start": "2023-01-23T15:00:00.000000Z", "end": "2023-01-23T17:15:00.000000Z", "status": "active"},
            {"start": "2023-01-23T17:15:00.000000Z", "end": "2023-01-23T18:00:00.000000Z", "status": "inactive"},
        ],
        "polls": [
            {"polled_at": "2023-01-23T16:14:00.000000Z", "status": "active", "open": True},
            {"polled_at": "2023-01-23T17:15:00.000000Z", "status": "inactive", "open": True},
        ],
    }
    default = await stores.get("/stores/1/timeline")
    assert (default["from"], default["to"]) == ("2023-01-16T18:00:00.000000Z", "2023-01-23T18:00:00.000000Z")


async def test_incidents_have_a_duration_and_may_be_ongoing(stores: Stores) -> None:
    await stores.load_monday()
    assert await stores.get("/stores/1/incidents?from=2023-01-23T00:00:00.000000Z") == [
        {
            "start": "2023-01-23T17:15:00.000000Z",
            "end": "2023-01-23T18:00:00.000000Z",
            "cut_start": None,
            "cut_end": None,
            "duration_seconds": 2700.0,
            "downtime_seconds": 2700.0,
            "unobserved_seconds": 0.0,
            "ongoing": True,
            "collector_gap": False,
        }
    ]
    assert await stores.get("/stores/2/incidents") == []


async def test_incidents_have_pages(stores: Stores) -> None:
    lines = [f"1,{'in' * (hour % 2)}active,2023-01-23 {hour:02}:00:00 UTC\n" for hour in range(10)]
    await stores.put("status", STATUS + "".join(lines))
    found = await pages(stores, "/stores/1/incidents?limit=2")
    assert [each["start"][11:13] for each in found] == ["01", "03", "05", "07"]
    await stores.get("/stores/1/incidents?cursor=nonsense", 400)


async def test_coverage_separates_missing_data_from_downtime(stores: Stores) -> None:
    await stores.load_monday()
    found = await stores.get("/stores/1/coverage?from=2023-01-23T00:00:00.000000Z")
    assert found["open_seconds"] == 10800.0
    assert found["no_data"] == [{"start": "2023-01-23T15:00:00.000000Z", "end": "2023-01-23T16:14:00.000000Z"}]
    assert found["covered_seconds"] == 10800.0 - 74 * 60
    assert found["share"] == pytest.approx(found["covered_seconds"] / 10800)


async def test_gaps_are_spans_without_any_poll(stores: Stores) -> None:
    polls = "".join(f"{store},active,2023-01-23 {hour}:00:00 UTC\n" for store in (1, 2) for hour in (10, 11, 15, 16))
    await stores.put("status", STATUS + polls)
    path = "/stores/gaps?from=2023-01-23T10:00:00.000000Z"
    assert await stores.get(path) == [
        {
            "start": "2023-01-23T11:00:00.000000Z",
            "end": "2023-01-23T15:00:00.000000Z",
            "cut_start": None,
            "cut_end": None,
            "duration_seconds": 14400.0,
            "ongoing": False,
        }
    ]
    assert len(await pages(stores, f"{path}&minutes=30&limit=1")) == 3
    assert await stores.get(f"{path}&minutes=1000") == []
    await stores.get(f"{path}&minutes=4", 400)


async def test_a_window_may_end_after_the_newest_poll_but_not_in_the_future(stores: Stores) -> None:
    """What nobody saw is a gap, and open time without data."""
    await stores.load_monday()
    window = "from=2023-01-23T18:00:00.000000Z&to=2023-01-24T18:00:00.000000Z"
    (gap,) = await stores.get(f"/stores/gaps?{window}")
    assert (gap["start"], gap["cut_end"], gap["ongoing"]) == (
        "2023-01-23T18:00:00.000000Z",
        "2023-01-24T18:00:00.000000Z",
        True,
    )
    coverage = await stores.get(f"/stores/2/coverage?{window}")
    assert (coverage["to"], coverage["open_seconds"], coverage["covered_seconds"]) == (
        "2023-01-24T18:00:00.000000Z",
        86_400,
        5400,
    )
    now = datetime.now(UTC)
    ahead = (now + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    behind = (now - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    timeline = await stores.get(f"/stores/2/timeline?from={behind}&to={ahead}")
    assert now <= datetime.fromisoformat(timeline["to"]) <= datetime.now(UTC)
    await stores.get(f"/stores/2/timeline?from={ahead}", 400)


async def test_a_timeline_has_a_limited_number_of_polls(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"1,active,2023-01-23 {hour:02}:00:00 UTC\n" for hour in range(4)]
    await stores.put("status", STATUS + "".join(lines))
    monkeypatch.setattr(service, "MAX_TIMELINE_POLLS", 3)
    problem = await stores.get("/stores/1/timeline?from=2023-01-23T00:00:00.000000Z", 400)
    assert problem["errors"][0]["message"] == "must be later: the window has more than 3 polls"
    assert len((await stores.get("/stores/1/timeline?from=2023-01-23T00:30:00.000000Z"))["polls"]) == 4


async def test_days_are_local_days(stores: Stores) -> None:
    await stores.load_monday()
    assert await stores.get("/stores/1/days?days=2&to=2023-01-24") == [
        {
            "day": "2023-01-23",
            "open_seconds": 10800,
            "up_seconds": 8100,
            "down_seconds": 2700,
            "observed_seconds": 6360,
            "observed_up_seconds": 3660,
            "incidents": 1,
        },
        {
            "day": "2023-01-24",
            "open_seconds": 0,
            "up_seconds": 0,
            "down_seconds": 0,
            "observed_seconds": 0,
            "observed_up_seconds": 0,
            "incidents": 0,
        },
    ]
    assert await stores.get("/stores/1/days?to=2023-01-22") == []
    assert len(await stores.get("/stores/1/days")) == 90
    for early in ("to=0001-01-02", "to=0001-01-02&days=400", "to=1900-01-01&days=400"):
        assert await stores.get(f"/stores/1/days?{early}") == []
    for wrong in ("days=0", "days=401", "to=yesterday", "to=0001-01-01", "to=9999-12-31", "from=2023-01-01"):
        await stores.get(f"/stores/1/days?{wrong}", 400)
    await stores.get("/stores/unknown/days", 404)


async def test_the_age_of_the_newest_poll_is_a_metric(stores: Stores, dashboard_db: asyncpg.Pool) -> None:
    """A poll dated in the future does not hide that the collector is dead."""
    polled_at = datetime.now(UTC) - timedelta(hours=5)
    await stores.put("status", STATUS + f"1,active,{polled_at.isoformat()}\n")
    await dashboard_db.execute("INSERT INTO store_poll VALUES ('1', '2199-01-01 00:00:00+00', TRUE)")
    await dashboard_db.execute("UPDATE store SET last_polled_at = '2199-01-01 00:00:00+00'")
    before = datetime.now(UTC)
    page = await (await stores.client.get("/metrics")).get_data(as_text=True)
    (age,) = re.findall(r"^store_newest_poll_age_seconds(?:\{.*\})? (.+)$", page, re.MULTILINE)
    assert before - polled_at <= timedelta(seconds=float(age)) <= datetime.now(UTC) - polled_at


async def test_windows_before_the_polls_that_are_kept_are_refused(stores: Stores, dashboard_db: asyncpg.Pool) -> None:
    await stores.load_monday()
    await dashboard_db.execute("UPDATE store SET polls_since = '2023-01-23 06:00:00+00' WHERE store_id = '1'")
    for view in ("timeline", "incidents", "coverage"):
        problem = await stores.get(f"/stores/1/{view}?from=2023-01-23T05:00:00.000000Z", 400)
        (error,) = problem["errors"]
        assert error["message"].startswith("must not be before 2023-01-23T06:00:00")
        await stores.get(f"/stores/1/{view}?from=2023-01-23T06:00:00.000000Z")
        await stores.get(f"/stores/2/{view}?from=2023-01-23T05:00:00.000000Z")


async def test_a_page_of_a_list_whose_report_was_replaced_is_refused(
    stores: Stores, dashboard_db: asyncpg.Pool
) -> None:
    """An empty page would say that there are no more stores."""
    await stores.load_monday()
    first = await stores.client.get("/stores?limit=1")
    link = re.match(r'<(?:http://[^/]+)?(.*)>; rel="next"', first.headers["Link"])
    assert link
    assert len(await stores.get(link[1])) == 1
    await dashboard_db.execute("DELETE FROM uptime_report")
    problem = await stores.get(link[1], 400)
    assert "request the first page again" in problem["errors"][0]["message"]


@pytest.mark.parametrize("view", ["timeline", "incidents", "coverage"])
async def test_an_unknown_store_is_404_and_a_wrong_window_400(stores: Stores, view: str) -> None:
    await stores.load_monday()
    await stores.get(f"/stores/unknown/{view}", 404)
    await stores.get(f"/stores/%00/{view}", 404)
    for wrong in (
        "from=2023-01-23T10:00:00.000000Z&to=2023-01-23T10:00:00.000000Z",
        "from=2023-01-25T10:00:00.000000Z",
        "from=2020-01-23T10:00:00.000000Z",
        "from=yesterday",
        "to=0001-01-03T00:00:00.000000Z",
        "since=2023-01-23T10:00:00.000000Z",
    ):
        problem = await stores.get(f"/stores/1/{view}?{wrong}", 400)
        assert problem["errors"]


async def test_a_store_id_may_have_any_printable_characters(stores: Stores) -> None:
    await stores.put("status", STATUS + "a/b c,active,2023-01-23 10:00:00 UTC\n")
    assert (await stores.get("/stores/a%2Fb%20c/timeline"))["store_id"] == "a/b c"


async def test_the_stores_are_ordered_by_downtime_of_the_newest_data(stores: Stores) -> None:
    await stores.load_monday()
    found = await stores.get("/stores?order=downtime&period=day")
    assert {store.pop("state") for store in found} <= {"closed", "stale"}
    assert found == [
        {
            "store_id": "1",
            "timezone": "America/Chicago",
            "uptime_seconds": 8100.0,
            "downtime_seconds": 2700.0,
            "uptime_share": 0.75,
        },
        {
            "store_id": "2",
            "timezone": "America/Chicago",
            "uptime_seconds": 86400.0,
            "downtime_seconds": 0.0,
            "uptime_share": 1.0,
        },
    ]
    await stores.put("status", STATUS + "3,inactive,2023-01-23 18:00:00 UTC\n")
    found = await pages(stores, "/stores?order=downtime&limit=1")
    assert [store["store_id"] for store in found] == ["3", "1", "2"]
    assert [store["store_id"] for store in await pages(stores, "/stores?limit=1")] == ["1", "2", "3"]
    assert [store["store_id"] for store in await pages(stores, "/stores?order=uptime&limit=2")] == ["3", "1", "2"]
    assert len(await stores.get("/reports")) == 2, "one report for each version of the data"
    for wrong in ("order=size", "period=year", "cursor=x", "limit=0"):
        await stores.get(f"/stores?{wrong}", 400)


async def test_stores_below_the_target_are_breaches(stores: Stores) -> None:
    await stores.load_monday()
    summary = await stores.get("/stores/sla?target=0.9&period=day")
    assert summary.pop("report_id")
    assert summary == {
        "as_of": "2023-01-23T18:00:00.000000Z",
        "period": "day",
        "target": 0.9,
        "stores": 2,
        "breaches": 1,
        "from": None,
        "to": None,
        "through": None,
        "incidents": None,
    }
    found = await pages(stores, "/stores/sla/breaches?target=0.9&period=day&limit=1")
    assert [store["store_id"] for store in found] == ["1"]
    assert await stores.get("/stores/sla/breaches?target=0.75&period=day") == []
    assert (await stores.get("/stores/sla?target=0.75&period=day"))["breaches"] == 0
    assert (await stores.get("/stores/sla?target=1e-3"))["breaches"] == 0
    for wrong in ("target=2", "target=-1", "target=nan", "target=x"):
        await stores.get(f"/stores/sla?{wrong}", 400)


async def test_a_store_that_has_hours_and_no_polls_has_a_timeline(stores: Stores, dashboard_db: asyncpg.Pool) -> None:
    await stores.put("business-hours", HOURS + "9,0,09:00:00,12:00:00\n")
    found = await stores.get("/stores/9/timeline?from=2023-01-23T00:00:00.000000Z&to=2023-01-24T00:00:00.000000Z")
    assert found["polls"] == found["stretches"] == []
    assert found["open"] == [{"start": "2023-01-23T15:00:00.000000Z", "end": "2023-01-23T18:00:00.000000Z"}]
    assert found["uptime_seconds"] is found["downtime_seconds"] is None
    assert await stores.get("/stores/9/incidents") == []


async def test_the_open_incident_of_a_store_is_shown_from_its_start_on(stores: Stores) -> None:
    began = datetime.now(UTC) - timedelta(minutes=50)
    polls = [(60, "active"), (50, "inactive"), (20, "inactive")]
    lines = [
        f"1,{status},{began + timedelta(minutes=50 - minutes):%Y-%m-%d %H:%M:%S.%f} UTC\n" for minutes, status in polls
    ]
    assert (await stores.put("status", STATUS + "".join(lines))).status_code == 200

    found = await stores.get("/stores/1")

    incident = found["incident"]
    assert (found["state"], incident["ongoing"], incident["cut_start"]) == ("down", True, None)
    assert datetime.fromisoformat(incident["start"]) == began
    assert 3000 <= incident["downtime_seconds"] < 3600


@pytest.mark.parametrize("part", ["coverage", "days", "incidents", "timeline", "polls", "uptime"])
async def test_the_path_of_a_part_of_a_store_is_no_store(stores: Stores, part: str) -> None:
    answer = await stores.client.put(f"/stores/1/{part}", json={"group": "north"})

    assert answer.status_code == 405
    assert "PUT" not in answer.headers["Allow"]
