"""The sections of the system's page: rows to what the template shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.jobs.lease import JobState
from common.outbox.admin import MessageState
from common.web.charts.number_text import UNKNOWN, count_text
from common.web.page_frame import duration_words
from common.web.words import counted
from dashboard.board.models import FeedReading
from dashboard.board.page_views.system_problems import (
    Schedule,
    is_failing,
    is_late,
    reading_words,
)
from dashboard.board.page_views.system_words import (
    TOPIC_LABELS,
    ago,
    clock,
    error_words,
    shortened,
    visible,
)
from dashboard.board.page_views.words import long_night
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.job_names import INGESTION, job_of_feed
from dashboard.bookings.models.figures import FeedDifference
from dashboard.bookings.queries.quarantine import QuarantinedHead
from dashboard.uptime.models.imports import Import

STATUS_WORDS: Mapping[object, str] = {1: "booking", 2: "cancellation"}
MAX_REASON_LENGTH = 200


@dataclass(frozen=True, kw_only=True)
class FeedView:
    """A feed as the page shows it.

    reading: its figures. counted_through: as the rest of a sentence that begins with its name. style: of that
    sentence. first_reading: how far it is, or what it has read. error: why it is not read now, or empty.
    """

    reading: FeedReading
    counted_through: str
    style: str
    first_reading: str
    is_reading_the_past: bool
    cut_off: str
    state: str
    error: str


def feed_view(feed: FeedReading, jobs: Iterable[JobState], schedule: Schedule, now: datetime) -> FeedView:
    """A feed at `now`. jobs: those of all feeds."""
    job = next((each for each in jobs if each.name == job_of_feed(INGESTION, feed.feed)), None)
    through = "has not been read yet"
    if feed.data_through is not None and feed.first_read_at is None:
        through = f"is read for the first time, and counted through {clock(feed.data_through, now)} UTC so far"
    elif feed.data_through is not None:
        through = (
            f"is counted through {clock(feed.data_through, now)} UTC, {duration_words(feed.lag_seconds or 0.0)} behind"
        )
    past = reading_words(feed)
    if feed.first_read_at is not None:
        past = f"{counted(feed.past_events, 'event')}, read until {clock(feed.first_read_at, now)} UTC"
    cut_off = "None"
    if feed.cut_offs and feed.first_cut_off is not None:
        cut_off = (
            f"{counted(feed.cut_offs, 'instant')}, the first {feed.first_cut_off:%Y-%m-%d %H:%M:%S} UTC: "
            f"{shortened(feed.cut_off_reason or '', MAX_REASON_LENGTH)}"
        )
    return FeedView(
        reading=feed,
        counted_through=through,
        style="bad" if is_late(feed, schedule) else "",
        first_reading=past,
        is_reading_the_past=feed.first_read_at is None,
        cut_off=cut_off,
        state=_reading_state(feed, job, now),
        error=error_words(job.last_error) if job is not None and is_failing(job) and job.last_error else "",
    )


def _reading_state(feed: FeedReading, job: JobState | None, now: datetime) -> str:
    """Whether a feed is read, and how often."""
    if job is None or job.interval_seconds == 0:
        return "Switched off: the feed is not read"
    if feed.wait_until is not None and feed.wait_until > now:
        return f"Waits until {clock(feed.wait_until, now)} UTC, as the feed has asked"
    return f"Read every {duration_words(job.interval_seconds)}"


@dataclass(frozen=True)
class NightLink:
    """A night whose figures a difference is about."""

    text: str
    address: str


@dataclass(frozen=True, kw_only=True)
class DifferenceRow:
    """A difference between a feed and the ledger."""

    feed: str
    event_id: int
    what: str
    nights: Sequence[NightLink]
    found: str
    applied: str
    reason: str


def difference_row(difference: FeedDifference, now: datetime) -> DifferenceRow:
    """A difference in words, with links to the nights that it is about."""
    events = [difference.counted, *([difference.found] if difference.found is not None else [])]
    nights = list(dict.fromkeys((event.hotel_id, event.night_of_stay) for event in events))
    return DifferenceRow(
        feed=difference.feed,
        event_id=difference.event_id,
        what="The feed no longer has it" if difference.found is None else change_words(*events),
        nights=[
            NightLink(f"hotel {hotel_id}, {long_night(night)}", f"/board/hotels/{hotel_id}/nights/{night}")
            for hotel_id, night in nights
        ],
        found=clock(difference.first_found, now),
        applied="" if difference.applied_at is None else clock(difference.applied_at, now),
        reason=shortened(difference.reason or "", MAX_REASON_LENGTH),
    )


def change_words(before: BookingEvent, after: BookingEvent) -> str:
    """What a feed has changed of an event, such as `status: booking, now cancellation`."""
    changes = [
        f"{name.replace('_', ' ')}: {_value_words(name, before)}, now {_value_words(name, after)}"
        for name in before.__struct_fields__
        if str(getattr(before, name)) != str(getattr(after, name))
    ]
    return "; ".join(changes) or "Changed and changed back"


def _value_words(name: str, event: BookingEvent) -> str:
    value = getattr(event, name)
    if name == "event_timestamp":
        return f"{event.event_timestamp:%Y-%m-%d %H:%M:%S}"
    return STATUS_WORDS[value] if name == "status" else shortened(str(value), 60)


@dataclass(frozen=True, kw_only=True)
class QuarantinedRow:
    """A quarantined value. raw: its beginning. whole: where the whole text is, if that is more; length: of all."""

    feed: str
    reason: str
    raw: str
    whole: str
    length: str
    first_seen: str
    last_seen: str
    times: str


def quarantined_row(value: QuarantinedHead, path: str, now: datetime) -> QuarantinedRow:
    """A quarantined value. path: that of the page."""
    is_cut_off = value.length > len(value.raw)
    return QuarantinedRow(
        feed=value.feed,
        reason=shortened(value.reason, MAX_REASON_LENGTH),
        raw=visible(value.raw) + ("…" if is_cut_off else ""),
        whole=f"{path}/quarantine/{value.feed}/{value.fingerprint.hex()}" if is_cut_off else "",
        length=counted(value.length, "character"),
        first_seen=clock(value.first_seen, now),
        last_seen=ago(value.last_seen, now),
        times=count_text(value.times),
    )


@dataclass(frozen=True, kw_only=True)
class ImportRow:
    """A store file that was read, or a change by hand. rejected: with the first reason, if a line was rejected."""

    what: str
    source: str
    when: str
    rows: str
    new: str
    rejected: str


def import_row(found: Import, now: datetime) -> ImportRow:
    """An import as the page shows it."""
    reason = f": line {found.rejected[0].line}, {found.rejected[0].reason}" if found.rejected else ""
    return ImportRow(
        what=found.kind.replace("-", " ").capitalize(),
        source=shortened(found.source, 100),
        when=clock(found.finished_at, now),
        rows=count_text(found.rows),
        new=count_text(found.new),
        rejected=shortened(f"{count_text(found.rejected_total)}{reason}", MAX_REASON_LENGTH),
    )


@dataclass(frozen=True, kw_only=True)
class DeadRow:
    """A message that was given up. topic: in words. can_retry: whether the page may retry it."""

    message_id: int
    topic: str
    topic_name: str
    subject: str
    attempts: str
    given_up: str
    error: str
    can_retry: bool


def dead_row(message: MessageState, topics_to_retry: Iterable[str], now: datetime) -> DeadRow:
    """A dead message. topics_to_retry: those whose messages the page may retry."""
    return DeadRow(
        message_id=message.id,
        topic=TOPIC_LABELS.get(message.topic, message.topic),
        topic_name=message.topic,
        subject=shortened(f"{message.subject}, {message.event}", 120),
        attempts=count_text(message.attempts),
        given_up=UNKNOWN if message.settled_at is None else clock(message.settled_at, now),
        error=error_words(message.last_error) if message.last_error else UNKNOWN,
        can_retry=message.topic in topics_to_retry,
    )
