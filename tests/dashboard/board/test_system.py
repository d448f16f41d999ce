"""The page of the system: its figures are those of the API, the worst comes first, and buttons do what they say."""

import re
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, NoReturn

import asyncpg
import msgspec
import pytest
from quart import Response
from quart.typing import TestClientProtocol as Client

from common.db.errors import NoConnectionError
from common.outbox.queries import enqueue
from common.web.charts.number_text import count_text
from common.web.resources import Application
from dashboard.alerts.models import TOPIC as ALERT_TOPIC
from dashboard.board import system_state
from dashboard.bookings.decoding import BookingEvent, RejectedEvent
from dashboard.bookings.queries import differences
from dashboard.bookings.queries.quarantine import upsert_quarantine
from dashboard.front_desk.service import TOPIC as DECISION_TOPIC
from tests.dashboard.board.unusual import poll_store_down
from tests.support.pages import BROWSER, Element, addresses, by_id, figure, named, read_page, table
from tests.support.waiting import eventually

TOKEN = "the-token-of-operators"
PATH = "/board/system"
HOUR_JOB = "recount_hotels"


class Operator:
    """An operator with a browser."""

    def __init__(self, app: Application) -> None:
        self.client: Client = app.test_client()

    async def get(self, path: str = PATH, status: int = 200) -> Response:
        answer = await self.client.get(path, headers=BROWSER)
        assert answer.status_code == status, await answer.get_data(as_text=True)
        return answer

    async def page(self, path: str = PATH) -> Element:
        return read_page(await (await self.get(path)).get_data(as_text=True))

    async def json(self, path: str) -> Any:
        answer = await self.client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        return await answer.get_json()

    async def post(self, path: str, headers: dict[str, str] | None = None, /, **fields: str) -> Response:
        return await self.client.post(f"{PATH}/{path}", form=fields, headers={**BROWSER, **(headers or {})})

    async def notice(self, path: str, /, **fields: str) -> str:
        """The notice after a form."""
        answer = await self.post(path, **fields)
        assert answer.status_code == 303, await answer.get_data(as_text=True)
        page = await self.page(answer.headers["Location"])
        (notice,) = (each for each in page.below if "notice" in each.attributes.get("class", "").split())
        return notice.text


@pytest.fixture
def operator(dashboard_app: Application) -> Operator:
    return Operator(dashboard_app)


@pytest.fixture
async def db(dashboard_db: asyncpg.Pool, dashboard_app: Application) -> asyncpg.Pool:
    """The database, when the jobs have run that run at the start: they would overwrite what a test stores of them."""
    await eventually(lambda: has_run(dashboard_db, HOUR_JOB))
    return dashboard_db


async def has_run(db: asyncpg.Pool, name: str) -> bool:
    return await db.fetchval(
        "SELECT EXISTS (SELECT FROM job WHERE name = $1 AND last_outcome IS NOT NULL AND expires_at IS NULL)", name
    )


def text_of(element: Element) -> str:
    return " ".join(element.text.split())


def headline(page: Element) -> str:
    return text_of(by_id(page, "state"))


async def break_everything(db: asyncpg.Pool) -> None:
    """A job that failed three times, a late and cut-off feed, differences, a correction, quarantine, dead messages."""
    await fail_three_times(db)
    await db.execute(
        "UPDATE feed_progress SET data_through = now() - interval '20 minutes', first_read_at = now(), past_events = 7"
    )
    await db.execute(
        "INSERT INTO feed_cut_off VALUES ('main', '2026-01-02T03:04:05Z', 'at most 1,000 are sent', now(), now())"
    )
    await store_differences(db)
    await upsert_quarantine(db, "main", [RejectedEvent("{}", "status must be 1 or 2")])
    await insert_dead(db, DECISION_TOPIC, "table:3", "order 7 decision 1")
    await insert_dead(db, ALERT_TOPIC, "feed_behind main", "17")


async def fail_three_times(db: asyncpg.Pool, name: str = HOUR_JOB) -> None:
    error = (
        "UpstreamError: GET /events: ClientConnectorError Cannot connect to host feed.example:443 ssl:default [None]"
    )
    await db.execute(
        "UPDATE job SET last_outcome = 'failed', last_error = $2, failures = 3, last_result = '{}' WHERE name = $1",
        name,
        error,
    )


async def store_differences(db: asyncpg.Pool) -> None:
    """An event that the feed has changed, one that it no longer has, and a correction."""
    counted = [event(number, "101") for number in (1, 2, 3)]
    await differences.upsert_changed_events(db, "main", counted[:1], [event(1, "<b>102")], datetime.now(UTC))
    await differences.upsert_missing_events(db, "main", counted[2:], datetime.now(UTC))
    await differences.update_applied_differences(db, "main", [3], datetime.now(UTC), "The vendor deleted tests")
    await differences.upsert_missing_events(db, "main", counted[1:2], datetime.now(UTC))


def event(number: int, room: str) -> BookingEvent:
    value = {
        "id": number,
        "hotel_id": 70 + number,
        "event_timestamp": "2026-11-01T10:00:00Z",
        "status": 1,
        "room_id": room,
        "night_of_stay": "2026-12-12",
    }
    return msgspec.convert(value, BookingEvent)


async def insert_dead(db: asyncpg.Pool, topic: str, subject: str, event_name: str) -> int:
    """A message that was given up; returns its id."""
    await enqueue(db, topic, subject, event_name, {})
    return await db.fetchval(
        """
        UPDATE outbox
           SET state = 'dead', settled_at = now(), attempts = 8, last_error = 'UpstreamError: POST /x answered 503'
         WHERE subject = $1 AND event = $2
        RETURNING id
        """,
        subject,
        event_name,
    )


async def test_everything_works_and_the_page_says_what_was_checked_and_when(
    operator: Operator, db: asyncpg.Pool
) -> None:
    page = await operator.page()

    assert re.search(
        r"Everything works\. Checked at \d\d:\d\d:\d\d UTC: 4 jobs, the quarantine, the outbox and the database\. "
        r"7 jobs are switched off\.$",
        headline(page),
    )
    assert (await operator.json("/system"))["problems"] == []


async def test_what_is_wrong_comes_first_the_worst_before_the_others(operator: Operator, db: asyncpg.Pool) -> None:
    await break_everything(db)
    page = await operator.page()
    problems = (await operator.json("/system"))["problems"]

    assert [each["part"] for each in problems] == ["jobs", "outbox", "outbox", "feeds", "audits", "quarantine"]
    assert "Everything works" not in page.text
    for each in problems[:-1]:  # the last one says how long ago
        assert each["sentence"] in headline(page)
    assert headline(page).startswith(
        "Recount of hotels in another time zone failed 3 times in a row: GET /events failed: nothing answers at "
        "feed.example:443."
    )
    assert "1 value of the feeds was not counted within 24 hours, the last one" in headline(page)
    assert text_of(named(page, "title")[0]) == "(6) System – Nightaudit"


class TestOfAFeedThatIsRead:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"DASHBOARD_INGEST_SECONDS": "86400", "DASHBOARD_PROVIDER_URL": "http://127.0.0.1:1"}

    async def test_a_late_feed_comes_before_everything_else_with_the_reason(
        self, operator: Operator, db: asyncpg.Pool
    ) -> None:
        await eventually(lambda: has_run(db, "ingest_booking_events"))
        await break_everything(db)
        assert "The feed main may not have sent all events of the instant" in headline(await operator.page())
        await db.execute("UPDATE feed_progress SET data_through = now() - interval '4 days'")
        page = await operator.page()

        assert re.match(
            r"The feed main is counted through \d{4}-\d\d-\d\d \d\d:\d\d UTC only, 4 days behind: GET /events failed: "
            r"nothing answers at 127\.0\.0\.1:1\.",
            headline(page),
        )
        feed = text_of(by_id(page, "feeds"))
        assert "GET /events failed: nothing answers at 127.0.0.1:1" in feed
        assert "1 instant, the first 2026-01-02 03:04:05 UTC: at most 1,000 are sent" in feed


async def test_every_figure_is_that_of_the_api(operator: Operator, db: asyncpg.Pool, houses: None) -> None:
    await break_everything(db)
    await poll_store_down(db)
    await db.execute("UPDATE job SET last_result = '{\"read\": 1200, \"new\": 3}' WHERE name = 'make_store_days'")
    page = await operator.page()
    system, jobs = await operator.json("/system"), (await operator.json("/jobs"))["jobs"]

    rows = table(by_id(page, "jobs"))
    on = {job["name"] for job in jobs if job["interval_seconds"]}
    assert {re.search(r"\w+(?=, (?:every|all))", row[0])[0] for row in rows} == on  # type: ignore[index]  # it matches
    assert "Failed 3 times in a row" in rows[0][1]
    assert next(job for job in jobs if job["name"] == HOUR_JOB)["failures"] == 3
    assert "1,200 events read, 3 new" in [row[2] for row in rows]

    (feed,) = system["feeds"]
    assert figure(page, "events-main") == feed["events_last_hour"]
    (audit,) = table(by_id(page, "audits"))
    found = await operator.json("/audits")
    assert (audit[-2], audit[-1]) == (str(found["missing"] + found["changed"]), str(feed["applied"])) == ("2", "1")
    assert (feed["missing"], feed["changed"]) == (found["missing"], found["changed"]) == (1, 1)
    assert figure(page, "quarantined") == len((await operator.json("/quarantine"))["items"])

    counts = {row[0]: row[1:] for row in table(by_id(page, "outbox"))}
    assert list(counts) == ["Decisions to the restaurant", "Alerts to their receiver"]
    for row, topic in zip(counts.values(), system["outbox"], strict=True):
        assert [row[0], row[2], row[3]] == [str(topic[name]) for name in ("waiting", "dead", "sent_last_day")]
    dead = [message for message in await operator.json("/alerts/outbox") if message["state"] == "dead"]
    assert len(dead) == system["outbox"][1]["dead"] == 1

    imports = await operator.json("/stores/imports")
    assert (
        [(row[0], row[3], row[4]) for row in table(by_id(page, "stores"))]
        == [(each["kind"].capitalize(), str(each["rows"]), str(each["new"])) for each in imports]
        == [("Status", "2", "2")]
    )

    pools, tables = table(by_id(page, "database")), table(by_id(page, "database"), 1)
    assert [row[3] for row in pools] == [str(pool["max"]) for pool in system["pools"]]
    assert [(row[0], row[1]) for row in tables] == [
        (each["table"], count_text(each["rows"] or None)) for each in system["tables"]
    ]
    assert system["versions"]["postgresql"] in text_of(by_id(page, "versions"))


async def test_a_difference_links_to_the_nights_that_it_changes(operator: Operator, db: asyncpg.Pool) -> None:
    await store_differences(db)
    audits = by_id(await operator.page(), "audits")

    assert {"/board/hotels/71/nights/2026-12-12", "/board/hotels/72/nights/2026-12-12"} <= set(addresses(audits))
    rows = table(audits, 1)
    assert [row[1] for row in rows] == ["The feed no longer has it", "room id: 101, now <b>102"]
    ((_, _, _, applied),) = table(audits, 2)
    assert applied.endswith("The vendor deleted tests")
    assert "1 correction was applied" in text_of(audits)


async def test_a_lease_that_a_dead_process_holds_is_named(operator: Operator, db: asyncpg.Pool) -> None:
    """The job runs once a day, and its tick comes too late to claim the lease before the page is read."""
    await db.execute(
        """
        UPDATE job
           SET expires_at = clock_timestamp() - interval '2 seconds', owner = 'gone:4711:abcd'
         WHERE name = 'night_audit'
        """
    )
    await db.execute(
        """
        INSERT INTO job (name, interval_seconds, owner, epoch, expires_at, due_at, last_started)
        VALUES ('night_audit', 86400, 'gone:4711:abcd', 1, now() - interval '2 seconds', now(), now())
        """
    )
    (job,) = [each for each in (await operator.json("/jobs"))["jobs"] if each["name"] == "night_audit"]

    assert (job["lease"], job["owner"]) == ("expired", "gone:4711:abcd")
    await db.execute("UPDATE job SET expires_at = now() + interval '1 minute' WHERE name = 'night_audit'")
    (job,) = [each for each in (await operator.json("/jobs"))["jobs"] if each["name"] == "night_audit"]
    assert job["lease"] == "held"


async def test_of_20000_values_in_quarantine_the_latest_50_are_shown_and_all_are_counted(
    operator: Operator, db: asyncpg.Pool
) -> None:
    await db.execute(
        """
        INSERT INTO quarantined_event (feed, fingerprint, reason, raw, first_seen, last_seen)
        SELECT 'main', sha256(n::text::bytea), 'reason ' || n, repeat('<i>' || n, 300), now() - n * interval '1 second',
               now() - interval '2 days'
          FROM generate_series(1, 20000) AS n
        """
    )
    answer = await operator.get()
    html = await answer.get_data(as_text=True)
    page = read_page(html)
    quarantine = by_id(page, "quarantine")

    assert figure(page, "quarantined") == 20_000
    shown = [*table(quarantine), *table(quarantine, 1)]
    assert [row[1] for row in shown] == [f"reason {number}" for number in range(1, 51)]
    assert len(html) < 120_000
    assert "within 24 hours" not in headline(page)


async def test_a_long_text_with_markup_and_control_characters_is_cut_off_and_can_be_had_whole(
    operator: Operator, db: asyncpg.Pool
) -> None:
    raw = ("<script>alert(1)</script>\x1b[31m\u202eabc\r\n" * 30_000)[:1_000_000]
    await db.execute(
        "INSERT INTO quarantined_event (feed, fingerprint, reason, raw) VALUES ('main', sha256('x'), $1, $2)",
        "<img src=x onerror=alert(1)>\x07",
        raw,
    )
    html = await (await operator.get()).get_data(as_text=True)
    page = read_page(html)
    ((_, reason, shown, *_),) = table(by_id(page, "quarantine"))

    assert len(html) < 60_000
    assert "<script>alert" not in html
    assert "<img" not in html
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", html)
    assert reason == "<img src=x onerror=alert(1)>\\x07"
    assert shown.startswith("<script>alert(1)</script>\\x1b[31m\\u202eabc\\r\\n<script>")
    assert shown.endswith("all 1,000,000 characters")

    (link,) = [each for each in addresses(by_id(page, "quarantine")) if each.startswith(f"{PATH}/quarantine/")]
    whole = await operator.get(link)
    assert await whole.get_data(as_text=True) == raw
    assert whole.content_type == "text/plain; charset=utf-8"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert whole.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    for unknown in ("0" * 64, "zz", "0" * 63 + "g"):
        await operator.get(f"{PATH}/quarantine/main/{unknown}", 404)


async def test_a_job_is_made_due_by_its_button_also_twice(operator: Operator, db: asyncpg.Pool) -> None:
    label = "Recount of hotels in another time zone"
    assert await operator.notice("jobs/run", job=HOUR_JOB) == (
        f"“{label}” was made due: a process begins it within a few seconds."
    )
    await db.execute(
        "UPDATE job SET expires_at = now() + interval '1 hour', due_at = now() + interval '1 hour' WHERE name = $1",
        HOUR_JOB,
    )
    assert await operator.notice("jobs/run", job=HOUR_JOB) == (
        f"“{label}” was running. It was made due again, and runs once more after that run."
    )
    assert await db.fetchval("SELECT due_at <= clock_timestamp() FROM job WHERE name = $1", HOUR_JOB)


async def test_the_notice_of_a_job_that_cannot_run_says_so(operator: Operator, db: asyncpg.Pool) -> None:
    assert await operator.notice("jobs/run", job="night_audit") == (
        "“Night audit” is switched off, so it cannot run. Nothing was changed."
    )
    assert (await operator.post("jobs/run", job="nothing")).status_code == 404
    assert (await operator.post("jobs/run")).status_code == 404
    await db.execute("DELETE FROM job WHERE name = 'forget_old'")
    assert await operator.notice("jobs/run", job="forget_old") in (
        "“Deleting old rows” has never run, and was due anyway. Nothing was changed.",
        "“Deleting old rows” was made due: a process begins it within a few seconds.",
        "“Deleting old rows” was running. It was made due again, and runs once more after that run.",
    )


async def test_a_dead_alert_is_retried_once_and_a_replaced_one_never(operator: Operator, db: asyncpg.Pool) -> None:
    first = await insert_dead(db, ALERT_TOPIC, "feed_behind main", "17")
    last = await insert_dead(db, ALERT_TOPIC, "feed_behind main", "18")

    def retry(number: int) -> Awaitable[str]:
        return operator.notice("messages/retry", message=str(number), topic=ALERT_TOPIC)

    assert await retry(first) == (
        f"Message {first} was not made due: a later message about the same subject exists, and the receiver would get "
        "the old state last. Nothing was changed."
    )
    assert await retry(last) == f"Message {last} was made due: it is sent within a few seconds."
    for again in (last, 4711):
        assert await retry(again) == (
            f"Message {again} was not given up, or no longer exists: it may wait again already. Nothing was changed."
        )
    assert await db.fetchval("SELECT array_agg(state ORDER BY id) FROM outbox") == ["dead", "waiting"]


async def test_decisions_of_staff_are_retried_only_where_operators_have_a_token(
    operator: Operator, db: asyncpg.Pool
) -> None:
    number = await insert_dead(db, DECISION_TOPIC, "table:3", "order 7 decision 1")
    outbox = by_id(await operator.page(), "outbox")

    assert named(outbox, "button") == []
    assert "Decisions of staff are retried with the staff token" in text_of(outbox)
    assert (await operator.post("messages/retry", message=str(number), topic=DECISION_TOPIC)).status_code == 400
    assert await db.fetchval("SELECT state FROM outbox") == "dead"


@pytest.mark.parametrize("path", ["jobs/run", "messages/retry"])
async def test_a_form_of_another_site_changes_nothing(operator: Operator, db: asyncpg.Pool, path: str) -> None:
    number = await insert_dead(db, ALERT_TOPIC, "feed_behind main", "17")
    before = await db.fetchval("SELECT due_at FROM job WHERE name = $1", HOUR_JOB)
    fields = {"job": HOUR_JOB, "message": str(number), "topic": ALERT_TOPIC}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://other.example"}):
        assert (await operator.post(path, headers, **fields)).status_code == 403

    assert await db.fetchval("SELECT due_at FROM job WHERE name = $1", HOUR_JOB) == before
    assert await db.fetchval("SELECT state FROM outbox") == "dead"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"message": "x", "topic": ALERT_TOPIC},
        {"message": "0", "topic": ALERT_TOPIC},
        {"message": "9" * 30, "topic": ALERT_TOPIC},
        {"message": "1", "topic": "other"},
    ],
)
async def test_a_form_that_no_page_has_is_refused(operator: Operator, fields: dict[str, str]) -> None:
    assert (await operator.post("messages/retry", **fields)).status_code == 400


class TestWithAToken:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"DASHBOARD_OPERATIONS_TOKEN": TOKEN}

    async def log_in(self, operator: Operator, target: str = PATH) -> Response:
        return await operator.post("login", token=TOKEN, target=target)

    async def csrf(self, operator: Operator) -> str:
        (field, *_) = [each for each in named(await operator.page(), "input") if each.attributes.get("name") == "csrf"]
        return field.attributes["value"]

    async def test_the_page_asks_for_it_and_leads_back(self, operator: Operator, db: asyncpg.Pool) -> None:
        await upsert_quarantine(db, "main", [RejectedEvent('"a secret of a guest"', "no")])
        asked = await (await operator.get(f"{PATH}?notice=job_due&job=x")).get_data(as_text=True)
        assert 'name="token"' in asked
        assert "a secret of a guest" not in asked
        fingerprint = await db.fetchval("SELECT encode(fingerprint, 'hex') FROM quarantined_event")
        whole = f"{PATH}/quarantine/main/{fingerprint}"
        assert 'name="token"' in await (await operator.get(whole)).get_data(as_text=True)

        answer = await self.log_in(operator, whole)
        assert (answer.status_code, answer.headers["Location"]) == (303, whole)
        assert "Path=/board/system" in answer.headers["Set-Cookie"]
        assert await (await operator.get(whole)).get_data(as_text=True) == '"a secret of a guest"'
        page = await (await operator.get()).get_data(as_text=True)
        assert "a secret of a guest" in page
        assert TOKEN not in page
        assert "with the operations token" in page
        await operator.post("logout", csrf=await self.csrf(operator))
        assert 'name="token"' in await (await operator.get()).get_data(as_text=True)

    async def test_a_form_needs_a_session_and_its_csrf_token(self, operator: Operator, db: asyncpg.Pool) -> None:
        number = await insert_dead(db, DECISION_TOPIC, "table:3", "order 7 decision 1")
        fields = {"message": str(number), "topic": DECISION_TOPIC}
        answer = await operator.post("messages/retry", **fields)
        assert answer.headers["Location"] == f"{PATH}?notice=session_expired"
        await self.log_in(operator)
        for wrong in ({}, {"csrf": "0" * 64}):
            assert (await operator.post("messages/retry", **fields, **wrong)).status_code == 403
            assert (await operator.post("jobs/run", job=HOUR_JOB, **wrong)).status_code == 403
        assert await db.fetchval("SELECT state FROM outbox") == "dead"

        csrf = await self.csrf(operator)
        assert "was made due" in await operator.notice("messages/retry", csrf=csrf, **fields)
        assert "Nothing was changed" in await operator.notice("messages/retry", csrf=csrf, **fields)
        assert "was made due" in await operator.notice("jobs/run", csrf=csrf, job=HOUR_JOB)
        assert await db.fetchval("SELECT state FROM outbox") == "waiting"


async def time_out(*_: object, **__: object) -> NoReturn:
    raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("select_jobs", "The jobs could not be read: The database took too long to answer."),
        ("select_feed_statuses", "The feeds could not be read: The database took too long to answer."),
        ("select_quarantine_counts", "The quarantine could not be read: The database took too long to answer."),
        ("select_message_counts", "The outbox could not be read: The database took too long to answer."),
        ("select_firing_count", "The alerts could not be read: The database took too long to answer."),
        ("select_table_sizes", "The sizes of the tables could not be read: The database took too long to answer."),
        ("select_workers", "The workers of the cluster could not be read: The database took too long to answer."),
        ("select_latest_quarantined", ""),
        ("select_messages", ""),
        ("select_imports", ""),
    ],
)
async def test_each_part_fails_alone(
    operator: Operator, db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, function: str, sentence: str
) -> None:
    await break_everything(db)
    monkeypatch.setattr(system_state, function, time_out)
    page = await operator.page()

    assert "The database took too long to answer." in page.text
    assert headline(page).startswith(sentence)
    for part in ("jobs", "feeds", "audits", "quarantine", "outbox", "alerts", "database"):
        by_id(page, part)
    answer = await operator.json("/system")
    assert answer["problems"][0]["sentence"].startswith(sentence)


async def test_without_a_database_the_page_says_so_and_asks_again(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> NoReturn:
        raise NoConnectionError

    monkeypatch.setattr(system_state, "select_jobs", fail)
    page = await (await operator.get(status=503)).get_data(as_text=True)

    assert "data-error" in page
    assert 'data-refresh="5"' in page


async def test_no_secret_is_on_the_page(
    environment: dict[str, str], operator: Operator, db: asyncpg.Pool, dashboard_url: Any
) -> None:
    await break_everything(db)
    html = await (await operator.get()).get_data(as_text=True)

    assert "ann@example.com" not in html
    for name, value in environment.items():
        if any(word in name for word in ("TOKEN", "SECRET", "PASSWORD")):
            assert value not in html, name
