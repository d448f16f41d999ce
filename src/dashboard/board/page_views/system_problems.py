"""What is wrong with the system now, in sentences, the worst first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.instants import format_minute
from common.jobs.lease import JobState
from common.outbox.admin import MessageCounts
from common.web.charts.number_text import count_text
from common.web.page_frame import LATE_SECONDS, duration_words
from common.web.words import counted, listed
from dashboard.board.models import FeedReading, Part, SystemProblem
from dashboard.board.page_views.system_words import (
    TOPIC_LABELS,
    ago,
    error_words,
    job_label,
    shortened,
)
from dashboard.board.parts import value_or_none
from dashboard.board.system_state import SystemState
from dashboard.bookings.job_names import INGESTION, NIGHT_AUDIT, job_of_feed
from dashboard.bookings.models.figures import DifferenceCounts

OVERDUE = timedelta(seconds=30)
"""A job that is due for longer, and that no process has begun, is overdue: processes look every 5 s."""
LONG_WAIT = timedelta(minutes=10)
"""A message that waits for longer is reported."""
INTERRUPTED = "cancelled at shutdown"
"""The error of a run that was ended by the end of its process. It is not a failure, and the job is due again."""
SECTIONS: Mapping[str, Part] = {
    "jobs": "jobs",
    "feeds": "feeds",
    "quarantine": "quarantine",
    "outbox": "outbox",
    "firing": "alerts",
    "checks": "database",
    "tables": "database",
    "workers": "database",
}
NAMES_OF_PARTS: Mapping[str, str] = {
    "firing": "alerts",
    "checks": "state of the schema",
    "tables": "sizes of the tables",
    "workers": "workers of the cluster",
}


@dataclass(frozen=True)
class Schedule:
    """How often the feeds are read, in seconds; 0: never."""

    ingest_seconds: int


def problems_of(state: SystemState, schedule: Schedule) -> list[SystemProblem]:
    """What is wrong now, the worst first."""
    return [
        *_workers_lost(state),
        *_failed_checks(state),
        *_unreadable_parts(state),
        *_stopped_jobs(state),
        *_late_feeds(state, schedule),
        *_failing_jobs(state, schedule),
        *_dead_processes(state),
        *_dead_messages(state),
        *_waiting_messages(state),
        *_cut_offs(state),
        *_differences(state),
        *_unread_replica(state),
        *_quarantine(state),
        *_alerts(state),
    ]


def _workers_lost(state: SystemState) -> Iterator[SystemProblem]:
    workers = value_or_none(state.workers) or []
    lost = [each.worker for each in workers if not each.is_reachable]
    if lost:
        sentence = (
            f"{len(lost)} of {counted(len(workers), 'worker')} of the database cannot be reached "
            f"({', '.join(lost)}): requests for the rows there fail."
        )
        yield SystemProblem("database", sentence)


def _failed_checks(state: SystemState) -> Iterator[SystemProblem]:
    for check in value_or_none(state.checks) or []:
        if not check.ok:
            sentence = f"The process that made this page is not ready: {check.name} {shortened(check.detail, 200)}"
            yield SystemProblem("database", _as_sentence(sentence))


def _unreadable_parts(state: SystemState) -> Iterator[SystemProblem]:
    for name, part in state.failed_parts.items():
        yield SystemProblem(SECTIONS[name], f"The {NAMES_OF_PARTS.get(name, name)} could not be read: {part.reason}")


def _stopped_jobs(state: SystemState) -> Iterator[SystemProblem]:
    """Jobs that no process begins although they are due; all of them together, if none has begun any since then."""
    jobs = [job for job in value_or_none(state.jobs) or [] if job.interval_seconds > 0]
    overdue = [job for job in jobs if is_overdue(job, state.read_at)]
    since = min((job.next_run for job in overdue if job.next_run is not None), default=None)
    last_begun = max((job.last_started for job in jobs if job.last_started is not None), default=None)
    is_any_running = any(job.lease == "held" for job in jobs)
    if since is not None and last_begun is not None and last_begun <= since and not is_any_running:
        yield SystemProblem("jobs", f"No process runs the jobs: the last one began {ago(last_begun, state.read_at)}.")
        return
    for job in overdue:
        assert job.next_run is not None
        sentence = f"{job_label(job.name)} was due {ago(job.next_run, state.read_at)}, and no process has begun it."
        yield SystemProblem("jobs", sentence)


def is_overdue(job: JobState, now: datetime) -> bool:
    """Whether no process has begun a job that is due for long."""
    is_due = job.interval_seconds > 0 and job.next_run is not None and now - job.next_run > OVERDUE
    return is_due and job.lease is None


def is_failing(job: JobState) -> bool:
    """Whether the last run of a job failed, other than by the end of its process."""
    return job.interval_seconds > 0 and job.last_outcome == "failed" and job.last_error != INTERRUPTED


def _late_feeds(state: SystemState, schedule: Schedule) -> Iterator[SystemProblem]:
    jobs = {job.name: job for job in value_or_none(state.jobs) or []}
    for feed in value_or_none(state.feeds) or []:
        if is_late(feed, schedule):
            assert feed.data_through is not None
            assert feed.lag_seconds is not None
            job = jobs.get(job_of_feed(INGESTION, feed.feed))
            reason = (
                f": {error_words(job.last_error)}" if job is not None and is_failing(job) and job.last_error else ""
            )
            sentence = (
                f"The feed {feed.feed} is counted through {format_minute(feed.data_through)} only, "
                f"{duration_words(feed.lag_seconds)} behind{reason}"
            )
            yield SystemProblem("feeds", _as_sentence(sentence))


def is_late(feed: FeedReading, schedule: Schedule) -> bool:
    """Whether a feed is behind. One whose past is still being read is not: until then nothing is compared."""
    limit = max(LATE_SECONDS, 3 * schedule.ingest_seconds)
    is_read = schedule.ingest_seconds > 0 and feed.first_read_at is not None
    return is_read and feed.lag_seconds is not None and feed.lag_seconds > limit


def _failing_jobs(state: SystemState, schedule: Schedule) -> Iterator[SystemProblem]:
    """Jobs whose last run failed, but for those that are named as the reason of a late feed."""
    late = [feed.feed for feed in value_or_none(state.feeds) or [] if is_late(feed, schedule)]
    named = {job_of_feed(INGESTION, feed) for feed in late}
    failing = [job for job in value_or_none(state.jobs) or [] if is_failing(job) and job.name not in named]
    for job in sorted(failing, key=lambda each: -each.failures):
        times = "" if job.failures < 2 else f" {count_text(job.failures)} times in a row"
        sentence = f"{job_label(job.name)} failed{times}: {error_words(job.last_error or 'no reason is known')}"
        yield SystemProblem("jobs", _as_sentence(sentence))


def _dead_processes(state: SystemState) -> Iterator[SystemProblem]:
    for job in value_or_none(state.jobs) or []:
        if job.lease == "expired" and job.interval_seconds > 0:
            sentence = (
                f"The process {shortened(job.owner or '', 80)} died, or lost the database, while it had the job "
                f"“{job_label(job.name)}”: another process takes over within seconds."
            )
            yield SystemProblem("jobs", sentence)


def _dead_messages(state: SystemState) -> Iterator[SystemProblem]:
    for counts in value_or_none(state.outbox) or []:
        if counts.dead:
            were = "was" if counts.dead == 1 else "were"
            sentence = f"{counted(counts.dead, 'message')} {were} given up: {_topic(counts)}."
            yield SystemProblem("outbox", sentence)


def _waiting_messages(state: SystemState) -> Iterator[SystemProblem]:
    for counts in value_or_none(state.outbox) or []:
        since = counts.waiting_since
        if since is not None and state.read_at - since > LONG_WAIT:
            waited = duration_words((state.read_at - since).total_seconds())
            verb = "waits" if counts.waiting == 1 else "wait"
            sentence = (
                f"{counted(counts.waiting, 'message')} {verb} to be sent, the oldest for {waited}: {_topic(counts)}."
            )
            yield SystemProblem("outbox", sentence)


def _topic(counts: MessageCounts) -> str:
    label = TOPIC_LABELS.get(counts.topic, counts.topic)
    return label[0].lower() + label[1:]


def _cut_offs(state: SystemState) -> Iterator[SystemProblem]:
    for feed in value_or_none(state.feeds) or []:
        if feed.cut_offs:
            assert feed.first_cut_off is not None
            instants = "the instant" if feed.cut_offs == 1 else f"{count_text(feed.cut_offs)} instants, the first at"
            sentence = (
                f"The feed {feed.feed} may not have sent all events of {instants} "
                f"{feed.first_cut_off:%Y-%m-%d %H:%M:%S} UTC."
            )
            yield SystemProblem("feeds", sentence)


def _differences(state: SystemState) -> Iterator[SystemProblem]:
    for feed in value_or_none(state.feeds) or []:
        if feed.missing or feed.changed:
            sentence = (
                f"The feed {feed.feed} {DifferenceCounts(feed.missing, feed.changed).in_words}: the figures stay as "
                "they were counted, until an operator applies what the feed has now."
            )
            yield SystemProblem("audits", sentence)


def _unread_replica(state: SystemState) -> Iterator[SystemProblem]:
    if state.replica is not None and state.replica.problem is not None:
        sentence = f"The read replica is not read, the primary is: {shortened(state.replica.problem, 200)}"
        yield SystemProblem("database", _as_sentence(sentence))


def _quarantine(state: SystemState) -> Iterator[SystemProblem]:
    """Values that are new: one that its feed does not correct is received again by each night audit, for ever."""
    found = value_or_none(state.quarantine)
    if found is not None and found.new_last_day and found.newest is not None:
        is_one = found.new_last_day == 1
        sentence = (
            f"In the last 24 hours the feeds sent {counted(found.new_last_day, 'new value')} that "
            f"{'is' if is_one else 'are'} not counted, {'' if is_one else 'the last one '}"
            f"{ago(found.newest, state.read_at)}."
        )
        yield SystemProblem("quarantine", sentence)


def _alerts(state: SystemState) -> Iterator[SystemProblem]:
    firing = value_or_none(state.firing)
    for alert in firing.of_system if firing is not None else ():
        yield SystemProblem("alerts", _as_sentence(f"{alert.label}: {shortened(alert.detail, 240)}"))


def _as_sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def works_words(state: SystemState) -> str:
    """What was checked, and when, where nothing is wrong; then what is not as usual, though not wrong."""
    jobs = value_or_none(state.jobs) or []
    on = [job for job in jobs if job.interval_seconds > 0]
    feeds = [feed for feed in value_or_none(state.feeds) or [] if _is_read(feed, on)]
    audits = [job for job in on if job.name.partition(":")[0] == NIGHT_AUDIT]
    compared = [job for job in audits if has_audited(job)]
    audited = "the last night audit" if len(compared) == 1 else f"the last night audits of {len(compared)} feeds"
    checked = [
        counted(len(on), "job"),
        *([counted(len(feeds), "feed")] if feeds else []),
        *([audited] if compared else []),
        "the quarantine",
        "the outbox",
        "the database",
    ]
    sentences = [
        f"Everything works. Checked at {state.read_at:%H:%M:%S} UTC: {listed(checked)}.",
        *(reading_words(feed) for feed in feeds if feed.first_read_at is None),
    ]
    if len(compared) < len(audits):
        sentences.append("Not every feed was audited yet." if compared else "No night audit has compared a feed yet.")
    if off := len(jobs) - len(on):
        sentences.append(f"{counted(off, 'job')} {'is' if off == 1 else 'are'} switched off.")
    quarantine, firing = value_or_none(state.quarantine), value_or_none(state.firing)
    if quarantine is not None and quarantine.values:
        verb = "is" if quarantine.values == 1 else "are"
        sentences.append(f"{counted(quarantine.values, 'value')} of the feeds {verb} in quarantine, none of them new.")
    if firing is not None and firing.count:
        sentences.append(f"{counted(firing.count, 'alert')} {'fires' if firing.count == 1 else 'fire'}.")
    return " ".join(sentences)


def has_audited(job: JobState) -> bool:
    """Whether the last run of a night audit has ended and compared anything: before the first read it does not."""
    return job.last_outcome == "ok" and job.last_result.get("read", 0) > 0


def _is_read(feed: FeedReading, jobs: Sequence[JobState]) -> bool:
    return any(job.name == job_of_feed(INGESTION, feed.feed) for job in jobs)


def reading_words(feed: FeedReading) -> str:
    """How far the first reading of a feed is."""
    read = counted(feed.past_events, "event")
    if feed.about_events is not None:
        read = f"{count_text(feed.past_events)} of about {counted(max(feed.about_events, feed.past_events), 'event')}"
    return f"The past of the feed {feed.feed} is still being read: {read}."
