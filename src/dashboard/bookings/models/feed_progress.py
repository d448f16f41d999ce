"""Rows of the progress of feeds."""

from datetime import datetime
from typing import NamedTuple

import msgspec


class ReadingProgress(msgspec.Struct, frozen=True):
    """The first readings of feeds that have not reached the end of their feed.

    counted: events that these readings have counted. about: about how many events these feeds have, None unless each
    of them says so.
    """

    counted: int
    about: int | None
    is_reading_the_past: bool


class FeedStatus(NamedTuple):
    """How far a feed is read, for operators.

    feed_number: None for a feed that no job has read yet. past_events: counted by the first reading of the feed, which
    reached the end at first_read_at. about_events: about how many the feed said it had then. cut_offs: instants of
    which the feed may have more events, the first of them first_cut_off, and why for the one that was seen last.
    wait_until: the feed asked not to be called before. audit_started_at, audited_through: of an audit that goes on.
    """

    feed: str
    feed_number: int | None
    data_through: datetime | None
    past_events: int
    about_events: int | None
    first_read_at: datetime | None
    cut_offs: int
    first_cut_off: datetime | None
    cut_off_reason: str | None
    wait_until: datetime | None
    audit_started_at: datetime | None
    audited_through: datetime | None


class FeedDifferences(NamedTuple):
    """The differences of a feed that are not applied, and those that were: how many, and when the last ones were."""

    feed: str
    missing: int
    changed: int
    applied: int
    applied_at: datetime | None
