"""The jobs of the system, with the night audits: rows to what the page shows."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.jobs.lease import JobState
from common.web.charts.number_text import UNKNOWN, count_text
from common.web.page_frame import duration_words
from common.web.words import counted
from dashboard.board.models import FeedReading
from dashboard.board.page_views.system_problems import INTERRUPTED, has_audited, is_failing, is_overdue
from dashboard.board.page_views.system_words import clock, did_words, error_words, job_label, shortened, until
from dashboard.bookings.job_names import NIGHT_AUDIT, job_of_feed

SHORTEST_WAIT = 15.0
"""A job that runs at least so often, in seconds, needs no button: it runs before its operator looks again."""


@dataclass(frozen=True, kw_only=True)
class JobRow:
    """A job as the page shows it. style: of the outcome. error: why the last run failed, or empty."""

    name: str
    label: str
    every: str
    outcome: str
    style: str
    error: str
    last: str
    did: str
    following: str
    can_run: bool


@dataclass(frozen=True)
class JobsView:
    """The jobs that are on, those that need a look first, the labels of those that are off, and who ran them last."""

    rows: Sequence[JobRow]
    off: Sequence[str]
    owners: Sequence[str]


def jobs_view(jobs: Sequence[JobState], now: datetime) -> JobsView:
    """The jobs at `now`."""
    on = [job for job in jobs if job.interval_seconds > 0]
    first = sorted(on, key=lambda job: not (is_failing(job) or is_overdue(job, now) or job.lease == "expired"))
    owners = Counter(job.owner for job in on if job.owner is not None)
    return JobsView(
        [job_row(job, now) for job in first],
        [job_label(job.name) for job in jobs if job.interval_seconds == 0],
        [f"{owner_words(owner)} ({counted(number, 'job')})" for owner, number in owners.most_common()],
    )


def job_row(job: JobState, now: datetime) -> JobRow:
    """A job at `now`."""
    outcome, style = outcome_of(job, now)
    failed = job.last_outcome == "failed" and job.last_error is not None and job.last_error != INTERRUPTED
    before = "the run before failed: " if job.lease == "held" else ""
    return JobRow(
        name=job.name,
        label=job_label(job.name),
        every=f"every {duration_words(job.interval_seconds)}" if job.interval_seconds >= 1 else "all the time",
        outcome=outcome,
        style=style,
        error=before + error_words(job.last_error) if failed and job.last_error else "",
        last=last_words(job, now),
        did=did_words(job.last_result) if job.last_outcome == "ok" else UNKNOWN,
        following=next_words(job, now),
        can_run=job.interval_seconds > SHORTEST_WAIT,
    )


def outcome_of(job: JobState, now: datetime) -> tuple[str, str]:
    """How a job stands, in words, and the style of these words."""
    if job.lease == "held":
        began = "" if job.last_started is None else f" since {duration_words(_seconds(job.last_started, now))}"
        return f"Running{began}, {owner_words(job.owner)}", ""
    if job.lease == "expired":
        return f"Its process died, or lost the database: {owner_words(job.owner)}", "bad"
    if job.last_outcome is None:
        return "Has not run yet", ""
    if job.last_outcome == "ok":
        return ("Overdue: no process has begun it", "bad") if is_overdue(job, now) else ("Succeeded", "good")
    if job.last_error == INTERRUPTED:
        return "Interrupted by the end of its process", ""
    return ("Failed" if job.failures < 2 else f"Failed {count_text(job.failures)} times in a row"), "bad"


def last_words(job: JobState, now: datetime) -> str:
    """When the last run began, and how long it took if it has ended."""
    if job.last_started is None:
        return UNKNOWN
    began = clock(job.last_started, now)
    if job.lease is not None or job.last_finished is None or job.last_finished < job.last_started:
        return began
    return f"{began}, {took_words((job.last_finished - job.last_started).total_seconds())}"


def took_words(seconds: float) -> str:
    """How long a run took, with a decimal below ten seconds."""
    if seconds < 0.05:
        return "under 0.1 s"
    return f"took {seconds:.1f} s" if seconds < 10 else f"took {duration_words(seconds)}"


def next_words(job: JobState, now: datetime) -> str:
    """When a job runs next."""
    if job.lease == "held":
        return "after this run"
    return UNKNOWN if job.next_run is None else until(job.next_run, now)


def owner_words(owner: str | None) -> str:
    """The process of a lease, such as `process 17 on vm`."""
    host, _, rest = (owner or "").partition(":")
    if host == "command":
        return f"a command, process {shortened(rest.partition(':')[0], 20)}"
    return f"process {shortened(rest.partition(':')[0], 20)} on {shortened(host, 60)}"


def _seconds(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())


@dataclass(frozen=True, kw_only=True)
class AuditRow:
    """The last night audit of a feed.

    job: its name, empty where it is switched off. figures: what it found, each a dash where that is not known.
    """

    feed: str
    job: str
    when: str
    outcome: str
    style: str
    figures: Sequence[str]
    unapplied: str
    corrections: str


AUDIT_FIGURES = ("read", "repaired", "changed_upstream", "missing_upstream", "rejected", "cut_off")


def audit_row(feed: FeedReading, jobs: Iterable[JobState], now: datetime) -> AuditRow:
    """The last night audit of a feed."""
    job = next((each for each in jobs if each.name == job_of_feed(NIGHT_AUDIT, feed.feed)), None)
    has_compared = job is not None and has_audited(job)
    outcome, style = ("Switched off", "") if job is None or job.interval_seconds == 0 else outcome_of(job, now)
    if style == "good" and not has_compared:
        is_read = feed.first_read_at is not None
        outcome = "Compared nothing: the feed had no event" if is_read else "Comes when the past of the feed is read"
        style = ""
    if feed.audit_started_at is not None and feed.audited_through is not None:
        outcome += f"; begun {clock(feed.audit_started_at, now)}, compared up to {clock(feed.audited_through, now)}"
    figures = [
        count_text(job.last_result.get(name)) if has_compared and job is not None else UNKNOWN for name in AUDIT_FIGURES
    ]
    finished = None if job is None else job.last_finished
    return AuditRow(
        feed=feed.feed,
        job=job.name if job is not None and job.interval_seconds > 0 else "",
        when=UNKNOWN if finished is None else clock(finished, now),
        outcome=outcome,
        style=style,
        figures=figures,
        unapplied=count_text(feed.missing + feed.changed),
        corrections=count_text(feed.applied),
    )
