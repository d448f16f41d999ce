"""Reports over HTTP: triggered, polled, fetched."""

import csv
import io
import re
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

import dashboard.app
import dashboard.config
from common.config import Secret, read_config
from common.web.resources import Application
from dashboard.uptime import service
from dashboard.uptime.models.reports import CSV_HEADER
from dashboard.uptime.queries import reports
from dashboard.uptime.report_runner import ReportRunner
from tests.dashboard.uptime.conftest import STATUS, Stores
from tests.support.asgi import call
from tests.support.tables import sheet
from tests.support.waiting import eventually

ROWS = [
    ["1", "15.00", "2.25", "2.25", "45.00", "0.75", "0.75"],
    ["2", "60.00", "24.00", "168.00", "0.00", "0.00", "0.00"],
]


async def test_a_report_is_triggered_and_fetched_as_csv(stores: Stores) -> None:
    await stores.load_monday()
    answer = await stores.complete(await stores.trigger())
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="uptime-20230123T180000Z.csv"'
    assert answer.headers["X-Report-As-Of"] == "2023-01-23T18:00:00.000000Z"
    text = (await answer.get_data()).decode()
    assert text.startswith(CSV_HEADER)
    header, *rows = csv.reader(io.StringIO(text))
    assert len(header) == 7
    assert rows == ROWS


async def test_a_report_is_json_for_clients_that_accept_json(stores: Stores) -> None:
    await stores.load_monday()
    await stores.put("status", STATUS + '"a ""b\\c"" ,ü",active,2023-01-23 12:00:00 UTC\n')
    report_id = await stores.trigger()
    answer = await stores.complete(report_id, Accept="application/json")
    assert answer.content_type == "application/json"
    body = await answer.get_json()
    assert body["status"] == "Complete"
    assert [list(row.values()) for row in body["rows"][:2]] == [[row[0], *map(float, row[1:])] for row in ROWS]
    assert list(body["rows"][0]) == [
        "store_id",
        *(f"{way}_last_{period}" for way in ("uptime", "downtime") for period in ("hour", "day", "week")),
    ]
    assert body["rows"][2]["store_id"] == 'a "b\\c" ,ü'
    rows = list(csv.reader(io.StringIO((await (await stores.fetch(report_id)).get_data()).decode())))
    assert rows[3][0] == 'a "b\\c" ,ü'


async def test_a_report_without_stores_has_a_header_and_no_rows(stores: Stores) -> None:
    report_id = await stores.trigger()
    assert (await (await stores.complete(report_id)).get_data()).decode() == CSV_HEADER
    body = await (await stores.fetch(report_id, Accept="application/json")).get_json()
    assert body == {"status": "Complete", "rows": []}
    assert await stores.get("/stores?order=downtime") == []
    await stores.get("/stores/sla", 404)


async def test_a_report_may_be_as_of_any_instant_and_get_triggers_like_post(stores: Stores) -> None:
    await stores.load_monday()
    answer = await stores.client.get("/trigger_report?as_of=2023-01-23T17:15:00.000000Z")
    assert answer.status_code == 202
    report_id = (await answer.get_json())["report_id"]
    text = (await (await stores.complete(report_id)).get_data()).decode()
    assert list(csv.reader(io.StringIO(text)))[1:] == [["1", "60.00", "2.25", "3.00", "0.00", "0.00", "0.00"]]
    (report,) = await stores.get("/reports")
    assert report["report_id"] == report_id
    assert report["as_of"] == report["requested_as_of"] == "2023-01-23T17:15:00.000000Z"
    assert report["data_version"] == 2
    assert report["stores"] == 1


@pytest.mark.parametrize("query", ["?as_of=yesterday", "?as_of=2023-01-23", "?asof=2023-01-23T00:00:00.000000Z"])
async def test_an_invalid_trigger_is_refused(stores: Stores, query: str) -> None:
    answer = await stores.client.post(f"/trigger_report{query}")
    assert answer.status_code == 400
    assert (await answer.get_json())["errors"]


async def test_an_unknown_report_is_404_and_a_missing_id_400(stores: Stores) -> None:
    for unknown in ("x", "0b0d6a3c-6f0e-4a53-9d3c-1f6f0a4f6c11", "%00", ""):
        assert (await stores.fetch(unknown)).status_code == 404
    assert (await stores.client.get("/get_report")).status_code == 400


async def test_a_failed_report_is_a_problem_with_the_reason(
    stores: Stores, dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise asyncpg.DivisionByZeroError("division by zero")

    monkeypatch.setattr(reports, "update_report_complete", fail)
    report_id = await stores.trigger()

    async def ended() -> Any:
        answer = await stores.fetch(report_id)
        return None if answer.status_code == 200 else answer

    answer = await eventually(ended)
    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    problem = await answer.get_json()
    assert problem["code"] == "report_failed"
    assert "DivisionByZeroError" in problem["detail"]
    (report,) = await stores.get("/reports")
    assert report["status"] == "Failed"


async def test_triggers_share_a_report_until_data_is_imported(stores: Stores, dashboard_db: asyncpg.Pool) -> None:
    await stores.load_monday()
    async with dashboard_db.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE uptime_report_row IN ACCESS EXCLUSIVE MODE")
        first = await stores.trigger()
        assert await stores.trigger() == first
        assert await stores.trigger("?as_of=2023-01-23T17:00:00.000000Z") != first
        running = await stores.fetch(first)
        assert running.headers["X-Report-Status"] == "Running"
        assert (await stores.client.get("/livez")).status_code == 200
        await stores.put("status", STATUS + "3,active,2023-01-23 18:30:00 UTC\n")
        second = await stores.trigger()
        assert second != first
    for report_id in (first, second):
        await stores.complete(report_id)
    assert await stores.trigger() not in (first, second)


async def test_an_idempotency_key_triggers_once(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"Idempotency-Key": "monday"}
    first = await stores.client.post("/trigger_report", headers=key)
    report_id = (await first.get_json())["report_id"]
    await stores.complete(report_id)
    started: list[object] = []
    monkeypatch.setattr(ReportRunner, "make", lambda _, started_id, now: started.append(started_id))
    again = await stores.client.post("/trigger_report", headers=key)
    assert again.status_code == 202
    assert (await again.get_json())["report_id"] == report_id
    assert started == []
    other = await stores.client.post("/trigger_report?as_of=2023-01-23T17:00:00.000000Z", headers=key)
    assert other.status_code == 422


async def test_health_checks_are_answered_during_a_report(stores: Stores, dashboard_db: asyncpg.Pool) -> None:
    lines = "".join(
        f"s{store},{'in' * (hour % 7 == 0)}active,2023-01-{20 + hour // 24} {hour % 24:02}:00:00 UTC\n"
        for store in range(200)
        for hour in range(96)
    )
    assert (await (await stores.put("status", STATUS + lines)).get_json())["new"] == 200 * 96
    report_id = await stores.trigger()
    health_checks = 0
    while (await stores.fetch(report_id)).headers["X-Report-Status"] == "Running" or not health_checks:
        assert (await stores.client.get("/livez")).status_code == 200
        health_checks += 1
    rows = (await (await stores.complete(report_id)).get_data()).decode().splitlines()
    assert len(rows) == 201


async def test_a_report_whose_process_died_is_made_by_the_next(
    dashboard_url: Secret, dashboard_db: asyncpg.Pool, environment: dict[str, str]
) -> None:
    report_id = await service.request_report(dashboard_db, None, datetime.now(UTC))
    await reports.upsert_report_attempt(dashboard_db, report_id)
    app = dashboard.app.create_app(read_config(dashboard.config.Config, environment), dashboard_url)
    async with app.test_app():
        await Stores(app).complete(str(report_id))


async def test_the_list_of_reports_has_pages(stores: Stores) -> None:
    report_ids = [await stores.trigger(f"?as_of=2023-01-23T{hour}:00:00Z") for hour in (10, 11, 12)]
    listed: list[str] = []
    path = "/reports?limit=2"
    while path:
        answer = await stores.client.get(path)
        listed += [report["report_id"] for report in await answer.get_json()]
        link = re.match(r'<(/.*)>; rel="next"', answer.headers.get("Link", ""))
        path = link[1] if link else ""
    assert listed == report_ids[::-1]
    assert (await stores.client.get("/reports?cursor=x")).status_code == 400


@pytest.mark.parametrize("accept", ["*/*", "application/json"])
async def test_a_head_request_returns_the_headers_of_the_report(stores: Stores, accept: str) -> None:
    report_id = await stores.trigger()
    await stores.complete(report_id)
    path = f"/get_report?report_id={report_id}"
    got = await call(stores.app, path, Accept=accept, X_Request_ID="mine")
    head = await call(stores.app, path, "HEAD", Accept=accept, X_Request_ID="mine")
    assert (head.status, head.body, head.headers) == (200, b"", got.headers)
    assert head.headers["x-report-status"] == "Complete"
    assert head.headers["content-length"] == str(len(got.body))


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "text/csv"),
        ("*/*", "text/csv"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/csv"),
        ("application/json, text/csv, */*", "application/json"),
        ("text/csv, application/json", "application/json"),
        ("application/json;q=0.5, text/csv", "text/csv"),
    ],
)
async def test_the_accept_header_chooses_the_form_of_a_report_json_on_a_tie(
    stores: Stores, accept: str | None, media_type: str
) -> None:
    report_id = await stores.trigger()
    await stores.complete(report_id)
    answer = await stores.client.get(f"/get_report?report_id={report_id}", headers={"Accept": accept} if accept else {})
    assert answer.mimetype == media_type


async def test_a_report_in_a_form_that_it_does_not_have_is_406(stores: Stores) -> None:
    report_id = await stores.trigger()
    await stores.complete(report_id)
    answer = await stores.client.get(f"/get_report?report_id={report_id}", headers={"Accept": "image/png"})
    assert answer.status_code == 406


async def test_a_report_has_an_etag_of_its_own_in_each_form_and_is_not_sent_again(stores: Stores) -> None:
    report_id = await stores.trigger()
    await stores.complete(report_id)
    path = f"/get_report?report_id={report_id}"
    tags = []
    for accept in ("text/csv", "application/json"):
        answer = await stores.client.get(path, headers={"Accept": accept})
        tags.append(answer.headers["ETag"])
        known = {"Accept": accept, "If-None-Match": tags[-1]}
        assert (await stores.client.get(path, headers=known)).status_code == 304
    assert tags[0] != tags[1]
    assert (await stores.client.get(path, headers={"If-None-Match": tags[1]})).status_code == 200


async def test_the_download_of_a_report_can_be_resumed(stores: Stores) -> None:
    report_id = await stores.trigger()
    whole = await (await stores.complete(report_id)).get_data(as_text=False)
    path = f"/get_report?report_id={report_id}"
    first = await stores.client.get(path, headers={"Range": "bytes=0-9"})
    resumed = {"Range": "bytes=10-", "If-Range": first.headers["ETag"]}
    rest = await stores.client.get(path, headers=resumed)
    assert (first.status_code, rest.status_code) == (206, 206)
    assert await first.get_data(as_text=False) + await rest.get_data(as_text=False) == whole
    assert first.headers["X-Report-Status"] == "Complete"
    assert (await stores.client.get(path, headers={"Range": f"bytes={len(whole)}-"})).status_code == 416


async def test_a_running_report_has_no_length_that_could_be_resumed(stores: Stores, dashboard_db: asyncpg.Pool) -> None:
    report_id = await service.request_report(dashboard_db, None, datetime.now(UTC))
    answer = await stores.client.get(f"/get_report?report_id={report_id}", headers={"Range": "bytes=0-1"})
    assert answer.status_code == 200
    assert "ETag" not in answer.headers
    assert (await answer.get_json())["status"] == "Running"


async def test_the_jobs_of_the_stores_are_listed(dashboard_app: Application) -> None:
    jobs = (await (await dashboard_app.test_client().get("/jobs")).get_json())["jobs"]
    assert {"pull_stores", "make_reports"} <= {job["name"] for job in jobs}


async def test_a_report_may_be_of_some_stores(stores: Stores) -> None:
    await stores.load_monday()
    await stores.put("status", STATUS + "3,active,2023-01-23 18:00:00 UTC\n")
    answer = await stores.client.put("/stores/3", json={"group": "north side"})
    assert answer.status_code == 200

    async def ids(query: str) -> list[str]:
        report = await stores.complete(await stores.trigger(query), Accept="application/json")
        return [row["store_id"] for row in (await report.get_json())["rows"]]

    assert await ids("?store_id=2") == ["2"]
    assert await ids("?store_id=3&store_id=1&store_id=3") == ["1", "3"]
    assert await ids("?group=north%20side") == ["3"]
    assert await ids("") == ["1", "2", "3"]
    listed = await stores.get("/reports")
    assert [(each["store_ids"], each["group"]) for each in listed[:3]] == [
        (None, None), (None, "north side"), (["1", "3"], None),
    ]  # fmt: skip
    assert [store["store_id"] for store in await stores.get("/stores")] == ["1", "2", "3"], "of a report on all stores"
    for wrong in ("store_id=9", "store_id=", "group=south", "group=", "store_id=1&group=north%20side", "store=1"):
        assert (await stores.client.post(f"/trigger_report?{wrong}")).status_code == 400


async def test_a_report_has_all_columns_on_request_in_every_form(stores: Stores) -> None:
    await stores.load_monday()
    await stores.client.put("/stores/1", json={"group": "=1+1"})
    report_id = await stores.trigger()
    source = await (await stores.complete(report_id)).get_data()
    full = f"/get_report?report_id={report_id}&columns=full"
    answer = await stores.client.get(full)
    lines = (await answer.get_data(as_text=True)).splitlines()
    assert lines[0].endswith(
        ",uptime_last_hour(in percent),uptime_last_day(in percent),uptime_last_week(in percent),"
        "coverage_last_hour(in percent),coverage_last_day(in percent),coverage_last_week(in percent),"
        "timezone,timezone_is_default,group,state"
    )
    assert lines[1:] == [
        "1,15.00,2.25,2.25,45.00,0.75,0.75,25.00,75.00,75.00,100.00,58.89,58.89,America/Chicago,true,'=1+1,closed",
        "2,60.00,24.00,168.00,0.00,0.00,0.00,100.00,100.00,100.00,0.00,0.00,0.00,America/Chicago,true,,up",
    ]
    (row, _) = (await (await stores.client.get(f"{full}&format=json")).get_json())["rows"]
    assert (row["coverage_percent_last_week"], row["group"], row["timezone_is_default"]) == (58.89, "=1+1", True)
    book = await stores.client.get(f"{full}&format=xlsx")
    _, first, _ = await sheet(book)
    assert first[13:] == ["America/Chicago", True, "=1+1", "closed"]
    assert await (await stores.fetch(report_id)).get_data() == source, "the file of the source stays as it is"
    assert (await stores.client.get(full, headers={"If-None-Match": answer.headers["ETag"]})).status_code == 304
    assert (await stores.client.get(f"{full}&columns=none")).status_code == 400


CORRECTIONS = [
    ("put", "/stores/1/closures", [{"from": "2023-01-23", "to": "2023-01-23"}]),
    ("put", "/stores/1", {"group": "north"}),
    ("delete", "/stores/2/polls?from=2023-01-23T00:00:00Z&to=2023-01-24T00:00:00Z", None),
]


async def test_the_full_columns_of_a_report_are_never_those_of_later_data(stores: Stores) -> None:
    await stores.load_monday()
    await stores.put("status", STATUS + "2,active,2023-01-22 18:00:00 UTC\n")
    asked_before, asked_late = [await stores.trigger(), await stores.trigger("?as_of=2023-01-23T18:00:00Z")]
    made_with = await stores.trigger("?columns=full")
    for report_id in (asked_before, asked_late, made_with):
        await stores.complete(report_id)
    path = "/get_report?columns=full&format=json&report_id="
    expected = await stores.get(path + asked_before)
    for method, corrected, body in CORRECTIONS:
        await getattr(stores.client, method)(corrected, **({"json": body} if body else {}))

    assert await stores.get(path + asked_before) == expected
    assert await stores.get(path + made_with) == expected
    problem = await stores.get(path + asked_late, 409)
    assert problem["code"] == "data_changed"
    assert "Trigger a new report with `columns=full`" in problem["detail"]
    later = await stores.trigger("?columns=full")
    await stores.complete(later)
    first, second = (await stores.get(path + later))["rows"]
    assert (first["state"], first["group"], first["uptime_last_day"]) == ("closed", "north", 0)
    assert (second["state"], second["coverage_percent_last_hour"]) == ("stale", 0)


@pytest.mark.parametrize("group", ["t", "f"])
async def test_a_group_with_the_name_of_a_boolean_stays_a_text_in_a_workbook(stores: Stores, group: str) -> None:
    await stores.load_monday()
    await stores.client.put("/stores/1", json={"group": group})
    report_id = await stores.trigger()
    await stores.complete(report_id)
    book = await stores.client.get(f"/get_report?report_id={report_id}&columns=full&format=xlsx")
    _, first, second = await sheet(book)
    assert (first[13:16], second[15]) == (["America/Chicago", True, group], None)
