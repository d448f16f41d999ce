"""The page of the system: its figures are those of the API, the worst comes first, and buttons do what they say."""

import asyncio
import gc
import re
from typing import Any, NoReturn

import asyncpg
import pytest

from common.db.errors import NoConnectionError
from common.web.charts.number_text import count_text
from dashboard.board import system_state
from tests.dashboard.board.system_operator import (
    HOUR_JOB,
    PATH,
    Operator,
    break_everything,
    has_run,
    headline,
    store_differences,
    text_of,
)
from tests.dashboard.board.unusual import poll_store_down
from tests.support.pages import Element, addresses, by_id, figure, named, read_page, table
from tests.support.waiting import eventually


async def test_everything_works_and_the_page_says_what_was_checked_and_when(
    operator: Operator, settled_db: asyncpg.Pool
) -> None:
    page = await operator.page()

    assert re.search(
        r"Everything works\. Checked at \d\d:\d\d:\d\d UTC: 4 jobs, the quarantine, the outbox and the database\. "
        r"7 jobs are switched off\. All times are in UTC\.$",
        headline(page),
    )
    assert (await operator.json("/system"))["problems"] == []


async def test_what_is_wrong_comes_first_the_worst_before_the_others(
    operator: Operator, settled_db: asyncpg.Pool
) -> None:
    await break_everything(settled_db)
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
    assert "In the last 24 hours the feeds sent 1 new value that is not counted" in headline(page)
    assert text_of(named(page, "title")[0]) == "(6) System – Nightaudit"


class TestOfAFeedThatIsRead:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"DASHBOARD_INGEST_SECONDS": "86400", "DASHBOARD_PROVIDER_URL": "http://127.0.0.1:1"}

    async def test_a_late_feed_comes_before_everything_else_with_the_reason(
        self, operator: Operator, settled_db: asyncpg.Pool
    ) -> None:
        await eventually(lambda: has_run(settled_db, "ingest_booking_events"))
        await break_everything(settled_db)
        assert "The feed main may not have sent all events of the instant" in headline(await operator.page())
        await settled_db.execute("UPDATE feed_progress SET data_through = now() - interval '4 days'")
        page = await operator.page()

        assert re.match(
            r"The feed main is counted through \d{4}-\d\d-\d\d \d\d:\d\d UTC only, 4 days behind: GET /events failed: "
            r"nothing answers at 127\.0\.0\.1:1\.",
            headline(page),
        )
        feed = text_of(by_id(page, "feeds"))
        assert "GET /events failed: nothing answers at 127.0.0.1:1" in feed
        assert "1 instant, the first 2026-01-02 03:04:05 UTC: at most 1,000 are sent" in feed


async def test_every_figure_is_that_of_the_api(operator: Operator, settled_db: asyncpg.Pool, houses: None) -> None:
    await break_everything(settled_db)
    await poll_store_down(settled_db)
    await settled_db.execute(
        "UPDATE job SET last_result = '{\"read\": 1200, \"new\": 3}' WHERE name = 'make_store_days'"
    )
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
    assert (audit[-3], audit[-2]) == (str(found["missing"] + found["changed"]), str(feed["applied"])) == ("2", "1")
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
    ready = await (await operator.client.get("/readyz?verbose")).get_json()
    assert system["checks"] == ready["checks"][: len(system["checks"])]
    for check in system["checks"]:
        assert f"{check['name'].capitalize()}: {check['detail']}." in text_of(by_id(page, "database"))
    assert system["versions"]["postgresql"] in text_of(by_id(page, "versions"))


async def test_a_difference_links_to_the_nights_that_it_changes(operator: Operator, settled_db: asyncpg.Pool) -> None:
    await store_differences(settled_db)
    audits = by_id(await operator.page(), "audits")

    assert {"/board/hotels/71/nights/2026-12-12", "/board/hotels/72/nights/2026-12-12"} <= set(addresses(audits))
    rows = table(audits, 1)
    assert [row[1] for row in rows] == ["The feed no longer has it", "room id: 101, now <b>102"]
    ((_, _, _, applied),) = table(audits, 2)
    assert applied.endswith("The vendor deleted tests")
    assert "1 correction was applied" in text_of(audits)


async def test_a_lease_that_a_dead_process_holds_is_named(operator: Operator, settled_db: asyncpg.Pool) -> None:
    """The dashboard of the test takes the lease over at its next look, so what is shown until then is read at once."""

    async def with_lease(ends_in: str) -> tuple[Any, Element]:
        await settled_db.execute(
            """
            UPDATE job
               SET expires_at = clock_timestamp() + $2::text::interval, owner = 'gone:4711:abcd', epoch = epoch + 1
             WHERE name = $1
            """,
            HOUR_JOB,
            ends_in,
        )
        page, jobs = await operator.page(), (await operator.json("/jobs"))["jobs"]
        return next(job for job in jobs if job["name"] == HOUR_JOB), page

    async def is_named() -> bool:
        job, page = await with_lease("-2 seconds")
        named_at_top = "The process gone:4711:abcd died, or lost the database, while it had the job" in headline(page)
        named_below = "died, or lost the database: process 4711 on gone" in text_of(by_id(page, "jobs"))
        return (job["lease"], job["owner"]) == ("expired", "gone:4711:abcd") and named_at_top and named_below

    await eventually(is_named)
    job, page = await with_lease("1 minute")
    assert job["lease"] == "held"
    assert "process 4711 on gone" in text_of(by_id(page, "jobs"))
    assert "Everything works." in headline(page)


async def test_of_20000_values_in_quarantine_the_latest_50_are_shown_and_all_are_counted(
    operator: Operator, settled_db: asyncpg.Pool
) -> None:
    await settled_db.execute(
        """
        INSERT INTO quarantined_event (feed, fingerprint, reason, raw, first_seen, last_seen)
        SELECT 'main', sha256(n::text::bytea), 'reason ' || n, repeat('<i>' || n, 300),
               now() - interval '2 days' - n * interval '1 second',
               now()
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
    assert headline(page).startswith("Everything works."), "each night audit receives all of them again"
    assert "20,000 values of the feeds are in quarantine, none of them new." in headline(page)


async def test_a_long_text_with_markup_and_control_characters_is_cut_off_and_can_be_had_whole(
    operator: Operator, settled_db: asyncpg.Pool
) -> None:
    raw = ("<script>alert(1)</script>\x1b[31m\u202eabc\r\n" * 30_000)[:1_000_000]
    await settled_db.execute(
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
        ("readiness", "The state of the schema could not be read: The database took too long to answer."),
        ("select_table_sizes", "The sizes of the tables could not be read: The database took too long to answer."),
        ("select_workers", "The workers of the cluster could not be read: The database took too long to answer."),
        ("select_latest_quarantined", ""),
        ("select_messages", ""),
        ("select_imports", ""),
        ("select_hidden_hotels", ""),
    ],
)
async def test_each_part_fails_alone(
    operator: Operator, settled_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, function: str, sentence: str
) -> None:
    await break_everything(settled_db)
    monkeypatch.setattr(system_state, function, time_out)
    page = await operator.page()

    assert "The database took too long to answer." in page.text
    assert headline(page).startswith(sentence)
    for part in ("jobs", "feeds", "audits", "quarantine", "hotels", "stores", "outbox", "alerts", "database"):
        by_id(page, part)
    answer = await operator.json("/system")
    assert answer["problems"][0]["sentence"].startswith(sentence)


@pytest.mark.parametrize(
    ("message", "status"), [("failure on connection marked as essential: 10.0.0.7", 200), ("cache lookup failed", 500)]
)
async def test_a_node_that_is_lost_is_a_part_that_fails_and_another_internal_error_is_not(
    operator: Operator, settled_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, message: str, status: int
) -> None:
    async def fail(*_: object) -> NoReturn:
        raise asyncpg.InternalServerError(message)

    monkeypatch.setattr(system_state, "select_feed_statuses", fail)
    page = await (await operator.get(status=status)).get_data(as_text=True)

    assert ("The feeds could not be read: A node of the database cannot be reached" in page) == (status == 200)


async def test_without_a_database_the_page_says_so_and_asks_again(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> NoReturn:
        raise NoConnectionError

    monkeypatch.setattr(system_state, "select_jobs", fail)
    page = await (await operator.get(status=503)).get_data(as_text=True)

    assert "data-error" in page
    assert 'data-refresh="5"' in page


async def test_a_database_that_is_gone_is_one_error_however_many_parts_miss_it(
    operator: Operator, settled_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No reading is left to end alone, with a failure that nobody hears of."""

    async def fail(*_: object) -> NoReturn:
        raise NoConnectionError

    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    for function in ("select_jobs", "select_table_sizes", "select_workers", "select_feed_statuses"):
        monkeypatch.setattr(system_state, function, fail)
    await operator.get(status=503)
    gc.collect()

    assert faults == []


SECRETS = {
    "DASHBOARD_PROVIDER_URL": "http://feed-user:feed-password@feed.example/base?key=feed-key",
    "DASHBOARD_FEED_TOKEN": "the-token-of-the-feed",
    "DASHBOARD_STAFF_TOKEN": "the-token-of-the-staff",
    "DASHBOARD_ACCOUNTING_SECRET": "the-secret-of-the-accounting-program",
    "DASHBOARD_API_TOKEN": "the-token-of-the-api",
    "DASHBOARD_ALERT_WEBHOOK_URL": "http://hook-user:hook-password@hook.example/secret-path",
    "DASHBOARD_ALERT_SECRET": "the-secret-of-the-receiver",
}


class TestWithSecrets:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | SECRETS

    async def test_no_secret_and_no_contact_of_a_guest_is_on_the_page(
        self, operator: Operator, settled_db: asyncpg.Pool
    ) -> None:
        await break_everything(settled_db)
        await settled_db.execute(
            """
            INSERT INTO front_desk_order (table_id, id, callback_url, table_type, seats, price, minutes, ordered_at,
                                          received_at, provider_status, name, email, phone)
            VALUES (3, 7, 'http://provider.example/', 'window', 4, 10, 60, now(), now(), 'waiting', 'Ann Guest',
                    'ann@example.com', '+4930123456')
            """
        )
        page = await (await operator.get()).get_data(as_text=True)
        system = await (await operator.client.get("/system")).get_data(as_text=True)

        assert "http://feed.example/base" in page
        secrets = [*SECRETS.values(), "feed-password", "feed-key", "hook-password", "secret-path"]
        found = [each for each in (*secrets, "Ann Guest", "ann@example.com", "+49") if each in page + system]
        assert found == []
