"""The words of the system's page: pure, of states that are hard to come by."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from common.db.distribution import Worker
from common.jobs.lease import JobState
from common.outbox.admin import MessageCounts
from common.web.health_checks import Check
from dashboard.alerts.models import Alert
from dashboard.board.models import FeedReading, QuarantineState, ReplicaReading, Versions
from dashboard.board.page_views.system import feed_view
from dashboard.board.page_views.system_jobs import audit_row, job_row, jobs_view
from dashboard.board.page_views.system_problems import Schedule, problems_of, works_words
from dashboard.board.page_views.system_words import bytes_text, did_words, error_words, job_label, shortened, visible
from dashboard.board.parts import FailedPart
from dashboard.board.system_state import Firing, SystemState

NOW = datetime(2026, 11, 29, 12, 4, 31, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
READ = Schedule(ingest_seconds=5)
OWNER = "vm:17:abcd"


def job(name: str = "ingest_booking_events", **changes: Any) -> JobState:
    """A job that runs every 5 s and succeeded 2 s ago."""
    state = JobState(
        name, 5.0, NOW - 2 * SECOND, NOW - SECOND, "ok", None, NOW + 3 * SECOND, {"read": 3, "new": 1}, 0, None, OWNER
    )
    return msgspec.structs.replace(state, **changes)


def feed(**changes: Any) -> FeedReading:
    """A feed that is counted through 2 s ago."""
    reading = FeedReading(
        "main", "http://feed.example", NOW - 2 * SECOND, 2.0, 40, 1000, 1000, NOW - HOUR, 0, None, None, None, None,
        None, 0, 0, 0, None,
    )  # fmt: skip
    return msgspec.structs.replace(reading, **changes)


def messages(**changes: Any) -> MessageCounts:
    return msgspec.structs.replace(MessageCounts("decision", 0, None, 0, 3), **changes)


AUDIT = job("night_audit", interval_seconds=86400.0, next_run=NOW + 20 * HOUR, last_result={"read": 1000})
AUDIT_A_DAY_AGO = msgspec.structs.replace(AUDIT, last_started=NOW - 4 * HOUR)
WORKING = SystemState(
    read_at=NOW,
    jobs=[job(), AUDIT],
    feeds=[feed()],
    quarantine=QuarantineState(0, 0, None),
    outbox=[messages()],
    firing=Firing(0, [], [], {}),
    checks=[Check("database", ok=True, detail="reachable")],
    tables=[],
    workers=[],
    pools=[],
    replica=None,
    versions=Versions("1", "3", "0", "0", "16"),
)


def sentences(schedule: Schedule = READ, **changes: Any) -> list[str]:
    return [each.sentence for each in problems_of(replace(WORKING, **changes), schedule)]


def test_nothing_is_wrong_while_everything_works() -> None:
    assert sentences() == []
    assert works_words(WORKING) == (
        "Everything works. Checked at 12:04:31 UTC: 2 jobs, 1 feed, the last night audit, the quarantine, the outbox "
        "and the database."
    )


def test_what_is_not_as_usual_is_said_though_everything_works() -> None:
    reading = feed(first_read_at=None, past_events=212_000, about_events=340_000)
    audit = msgspec.structs.replace(AUDIT, last_result={"read": 0})
    state = replace(
        WORKING,
        feeds=[reading],
        jobs=[job(), audit, job("refresh_offers", interval_seconds=0.0)],
        firing=Firing(2, [], [], {}),
        quarantine=QuarantineState(300, 0, NOW - 40 * HOUR),
    )

    assert works_words(state).partition("database. ")[2] == (
        "The past of the feed main is still being read: 212,000 of about 340,000 events. No night audit has compared a "
        "feed yet. 1 job is switched off. 300 values of the feeds are in quarantine, none of them new. 2 alerts fire."
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"workers": [Worker("a:1", is_reachable=True), Worker("b:2", is_reachable=False)]},
            "1 of 2 workers of the database cannot be reached (b:2): requests for the rows there fail.",
        ),
        (
            {"checks": [Check("migrations", ok=False, detail="pending: 0006_x.sql")]},
            "The process that made this page is not ready: migrations pending: 0006_x.sql.",
        ),
        ({"tables": FailedPart("Why.")}, "The sizes of the tables could not be read: Why."),
        (
            {"jobs": [job(next_run=NOW - MINUTE, last_started=NOW - 2 * MINUTE)]},
            "No process runs the jobs: the last one began 2 min ago.",
        ),
        (
            {
                "jobs": [
                    job(next_run=NOW - MINUTE, last_started=NOW - 2 * MINUTE),
                    job("send_decisions", next_run=NOW - 2 * MINUTE, last_started=NOW - 2 * MINUTE),
                    AUDIT_A_DAY_AGO,
                ]
            },
            "No process runs the jobs: the last one began 2 min ago.",
        ),
        (
            {"jobs": [job(), job("forget_old", next_run=NOW - 5 * MINUTE)]},
            "Deleting old rows was due 5 min ago, and no process has begun it.",
        ),
        (
            {"feeds": [feed(data_through=NOW - 7 * MINUTE, lag_seconds=420.0)]},
            "The feed main is counted through 2026-11-29 11:57 UTC only, 7 min behind.",
        ),
        (
            {
                "jobs": [
                    job("pull_stores", last_outcome="failed", failures=3, last_error="UpstreamError: x answered 503")
                ]
            },
            "Reading store files failed 3 times in a row: x answered 503.",
        ),
        (
            {"jobs": [job("night_audit:north", lease="expired")]},
            "The process vm:17:abcd died, or lost the database, while it had the job “Night audit of the feed north”: "
            "another process takes over within seconds.",
        ),
        ({"outbox": [messages(dead=1)]}, "1 message was given up: decisions to the restaurant."),
        (
            {"outbox": [messages(waiting=2, waiting_since=NOW - 12 * MINUTE)]},
            "2 messages wait to be sent, the oldest for 12 min: decisions to the restaurant.",
        ),
        (
            {"feeds": [feed(cut_offs=3, first_cut_off=NOW - HOUR, cut_off_reason="x")]},
            "The feed main may not have sent all events of 3 instants, the first at 2026-11-29 11:04:31 UTC.",
        ),
        (
            {"feeds": [feed(missing=2, changed=1)]},
            "The feed main no longer has 2 counted events, and has changed 1: the figures stay as they were counted, "
            "until an operator applies what the feed has now.",
        ),
        (
            {"replica": ReplicaReading(is_read=False, lag_seconds=90.0, problem="90 s behind")},
            "The read replica is not read, the primary is: 90 s behind.",
        ),
        (
            {"quarantine": QuarantineState(300, 2, NOW - MINUTE)},
            "In the last 24 hours the feeds sent 2 new values that are not counted, the last one 1 min ago.",
        ),
        (
            {"quarantine": QuarantineState(300, 1, NOW - MINUTE)},
            "In the last 24 hours the feeds sent 1 new value that is not counted, 1 min ago.",
        ),
        (
            {"firing": Firing(1, [], [Alert(1, "collector_silent", "", "firing", NOW, "No poll for 3 h.", NOW)], {})},
            "No polls: No poll for 3 h.",
        ),
    ],
)
def test_each_thing_that_is_wrong_is_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert sentences(**changes) == [sentence]


@pytest.mark.parametrize(
    "changes",
    [
        {"feeds": [feed(data_through=NOW - HOUR, lag_seconds=3600.0, first_read_at=None)]},
        {"feeds": [feed(data_through=None, lag_seconds=None)]},
        {"jobs": [job(last_outcome="failed", last_error="cancelled at shutdown")]},
        {"jobs": [job(interval_seconds=0.0, last_outcome="failed", last_error="x", next_run=None)]},
        {"jobs": [job(lease="held", next_run=NOW - HOUR)]},
        {"jobs": [job(last_started=None, last_finished=None, last_outcome=None, next_run=None, owner=None)]},
        {"quarantine": QuarantineState(300, 0, NOW - 40 * HOUR)},
        {"outbox": [messages(waiting=2, waiting_since=NOW - MINUTE)]},
    ],
)
def test_what_is_usual_is_not_wrong(changes: dict[str, Any]) -> None:
    assert sentences(**changes) == []


def test_a_feed_that_is_not_read_is_not_late() -> None:
    late = feed(data_through=NOW - HOUR, lag_seconds=3600.0)

    assert sentences(Schedule(ingest_seconds=0), feeds=[late]) == []
    assert sentences(Schedule(ingest_seconds=1800), feeds=[late]) == []
    assert sentences(feeds=[late]) != []


def test_why_a_feed_is_late_is_said_once() -> None:
    late = feed(data_through=NOW - 7 * MINUTE, lag_seconds=420.0)
    failing = job(last_outcome="failed", failures=30, last_error="UpstreamError: GET /events answered 503")
    behind = "The feed main is counted through 2026-11-29 11:57 UTC only, 7 min behind"

    assert sentences(feeds=[late], jobs=[failing]) == [f"{behind}: GET /events answered 503."]
    assert sentences(feeds=[feed()], jobs=[failing]) == [
        "Reading booking events failed 30 times in a row: GET /events answered 503."
    ]
    interrupted = job(last_outcome="failed", last_error="cancelled at shutdown")
    assert sentences(feeds=[late], jobs=[interrupted]) == [f"{behind}."]


def test_the_worst_job_comes_first() -> None:
    failing = [
        job(name, last_outcome="failed", failures=failures, last_error="x")
        for name, failures in (("pull_stores", 1), ("forget_old", 9))
    ]
    assert sentences(jobs=failing) == [
        "Deleting old rows failed 9 times in a row: x.",
        "Reading store files failed: x.",
    ]
    assert [row.name for row in jobs_view([job(), *failing], NOW).rows] == [
        "pull_stores", "forget_old", "ingest_booking_events",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "outcome", "style", "following"),
    [
        ({}, "Succeeded", "good", "in 3 s"),
        ({"lease": "held"}, "Running since 2 s, process 17 on vm", "", "after this run"),
        ({"lease": "expired"}, "Its process died, or lost the database: process 17 on vm", "bad", "in 3 s"),
        ({"last_outcome": "failed", "failures": 1, "last_error": "x"}, "Failed", "bad", "in 3 s"),
        ({"last_outcome": "failed", "failures": 99, "last_error": "x"}, "Failed 99 times in a row", "bad", "in 3 s"),
        (
            {"last_outcome": "failed", "last_error": "cancelled at shutdown"},
            "Interrupted by the end of its process", "", "in 3 s",
        ),
        ({"last_outcome": None, "next_run": None, "last_started": None}, "Has not run yet", "", "–"),
        ({"next_run": NOW - MINUTE}, "Overdue: no process has begun it", "bad", "now"),
    ],
)  # fmt: skip
def test_how_a_job_stands_in_words(changes: dict[str, Any], outcome: str, style: str, following: str) -> None:
    row = job_row(job(**changes), NOW)

    assert (row.outcome, row.style, row.following) == (outcome, style, following)


def test_a_run_that_failed_is_not_said_to_have_done_anything() -> None:
    row = job_row(job(last_outcome="failed", failures=1, last_error="ValueError: no", last_result={}), NOW)

    assert (row.did, row.error) == ("–", "no")
    again = job_row(job(last_outcome="failed", failures=1, last_error="ValueError: no", lease="held"), NOW)
    assert again.error == "the run before failed: no"


def test_who_ran_the_jobs_and_which_are_off() -> None:
    view = jobs_view(
        [job(), job("forget_old"), job("pull_stores", owner="command:9:x"), job("x", interval_seconds=0.0)], NOW
    )

    assert view.owners == ["process 17 on vm (2 jobs)", "a command, process 9 (1 job)"]
    assert view.off == ["x"]


def test_an_audit_that_compared_nothing_has_no_figures() -> None:
    audit = msgspec.structs.replace(AUDIT, last_result={"read": 0, "repaired": 0})
    row = audit_row(feed(), [audit], NOW)

    assert row.outcome == "Compared nothing: the feed had no event"
    assert audit_row(feed(first_read_at=None), [audit], NOW).outcome == "Comes when the past of the feed is read"
    assert set(row.figures) == {"–"}
    assert audit_row(feed(), [AUDIT], NOW).figures[0] == "1,000"
    goes_on = feed(audit_started_at=NOW - HOUR, audited_through=NOW - 9000 * HOUR)
    assert "begun 11:04:31, compared up to " in audit_row(goes_on, [AUDIT], NOW).outcome


def test_how_a_feed_is_read() -> None:
    assert feed_view(feed(), [job()], READ, NOW).state == "Read every 5 s"
    assert feed_view(feed(), [], READ, NOW).state == "Switched off: the feed is not read"
    waiting = feed_view(feed(wait_until=NOW + MINUTE), [job()], READ, NOW)
    assert waiting.state == "Waits until 12:05:31 UTC, as the feed has asked"
    assert feed_view(feed(data_through=None, lag_seconds=None), [job()], READ, NOW).counted_through == (
        "has not been read yet"
    )
    assert feed_view(feed(first_read_at=None), [job()], READ, NOW).counted_through == (
        "is read for the first time, and counted through 12:04:29 UTC so far"
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("UpstreamError: GET /events answered 503", "GET /events answered 503"),
        (
            "UpstreamError: GET /events: ClientConnectorError Cannot connect to host a:1 ssl:default [x]",
            "GET /events failed: nothing answers at a:1",
        ),
        ("UpstreamError: GET /events: TimeoutError", "GET /events was not answered in time"),
        ("UpstreamError: GET /e: ServerDisconnectedError x", "GET /e failed: the connection was closed"),
        ("UpstreamError: GET /e: the response is truncated", "GET /e failed: the response is truncated"),
        (
            "CircuitOpenError: not called: the service has failed too often recently: GET /e answered 500",
            "not called for some seconds after repeated failures, the last one: GET /e answered 500",
        ),
        ("UpstreamError: not called: the feed asked to wait until 2026-11-29T12:05:00.000000Z",
         "not called: the feed asked to wait until 2026-11-29 12:05 UTC"),
        ("took longer than 60 seconds", "took longer than 60 seconds"),
        ("RuntimeError", "RuntimeError"),
        ("ValueError: a\n\x1b[31mb", "a \\x1b[31mb"),
    ],
)  # fmt: skip
def test_errors_in_words(error: str, words: str) -> None:
    assert error_words(error) == words


def test_texts_are_cut_off_and_made_visible() -> None:
    assert shortened("x" * 300, 10) == "xxxxxxxxx…"
    assert len(error_words("ValueError: " + "y" * 900)) == 240
    assert visible("a\u202eb\r\n\0é") == "a\\u202eb\\r\\n\\x00é"


def test_numbers_in_words() -> None:
    assert did_words({"new": 5, "files": 1, "rows": 9339, "rejected": 0}) == "1 file, 9,339 rows, 5 new"
    assert did_words({"read": 0}) == "nothing to do"
    assert did_words({"firing": 1, "began": 2}) == "1 alert fires, 2 began"
    assert did_words({}) == "–"
    assert did_words({"failed_logins": 2}) == "2 failed logins"
    assert [bytes_text(size) for size in (None, 0, 999, 65_536, 84_189_184, 2_500_000_000_000)] == [
        "–", "0 bytes", "999 bytes", "65.5 kB", "84.2 MB", "2.5 TB",
    ]  # fmt: skip
    assert job_label("night_audit:north") == "Night audit of the feed north"
