"""Types of single stores. Durations are exact; seconds may have a fraction."""

from datetime import date, datetime
from typing import Literal, NamedTuple

import msgspec

StoreState = Literal["up", "down", "closed", "stale", "never_polled"]


class Window(NamedTuple):
    """A requested window, `[start, end)`, and what is known of it.

    known: the newest poll of the fleet, or `end` if that is later. now: the time of the request; polls dated after it
    are ignored.
    """

    start: datetime
    end: datetime
    known: datetime
    now: datetime


class Span(msgspec.Struct, frozen=True):
    """A span of time, `[start, end)`."""

    start: datetime
    """The first moment."""
    end: datetime
    """The moment after the last."""


class Stretch(msgspec.Struct, frozen=True):
    """A span of open time with one status."""

    start: datetime
    """The first moment."""
    end: datetime
    """The moment after the last."""
    status: Literal["active", "inactive"]
    """Whether the store was up (active) or down (inactive)."""


class Poll(msgspec.Struct, frozen=True):
    """A poll. open: whether it was made in open time. Only such polls count, unless a store has none."""

    polled_at: datetime
    """When the store was polled."""
    status: Literal["active", "inactive"]
    """Whether it answered (active) or not (inactive)."""
    open: bool
    """Whether the store was open then; only such polls count, unless it has none."""


class Timeline(msgspec.Struct, frozen=True):
    """A store in a window: when it was open, its status then, and the polls from which the status follows.

    All polls up to now decide the status, those after the window included, so that it is the same in every window.
    `uptime_seconds + downtime_seconds` is the length of `open`; both are null for a store that was never polled. polls:
    those in the window, and the last one before it.
    """

    store_id: str
    """Id of the store."""
    timezone: str
    """Its IANA time zone."""
    start: datetime = msgspec.field(name="from")
    """Start of the window."""
    end: datetime = msgspec.field(name="to")
    """End of the window."""
    uptime_seconds: float | None
    """Open time in which it was up; null if the store was never polled."""
    downtime_seconds: float | None
    """Open time in which it was down; null if the store was never polled."""
    open: list[Span]
    """When it was open."""
    stretches: list[Stretch]
    """Its status while it was open."""
    polls: list[Poll]
    """The polls from which the status follows."""


class Incident(msgspec.Struct, frozen=True):
    """A store down, from the first to the last moment of open time, including closed time in between.

    The window in which it was found changes none of its figures, except where an ongoing incident ends: at the newest
    poll of the fleet, or at the end of the window if that is later. cut_start, cut_end: the start and the end of the
    window if the incident began before it, or lasted longer; else null.

    duration_seconds: its open time. downtime_seconds: the part of that in the window. unobserved_seconds: the part of
    its open time that is more than 90 minutes after any poll of the store. ongoing: whether the store has not been up
    since, even if it has closed. collector_gap: whether no store at all was polled during a part of it.
    """

    start: datetime
    """The first moment down."""
    end: datetime
    """The moment after the last."""
    cut_start: datetime | None
    """The start of the window if the incident began before it, else null."""
    cut_end: datetime | None
    """The end of the window if the incident lasted longer, else null."""
    duration_seconds: float
    """Its open time."""
    downtime_seconds: float
    """The part of its open time that is in the window."""
    unobserved_seconds: float
    """Open time in it that is more than 90 minutes after any poll of the store."""
    ongoing: bool
    """Whether the store has not been up since."""
    collector_gap: bool
    """Whether no store at all was polled during a part of it."""


class Coverage(msgspec.Struct, frozen=True):
    """How much of a store's open time is covered by polls, each of which covers the 90 minutes after it.

    share: null when the store was not open at all. no_data: the open time that is not covered; it is not downtime.
    """

    store_id: str
    """Id of the store."""
    start: datetime = msgspec.field(name="from")
    """Start of the window."""
    end: datetime = msgspec.field(name="to")
    """End of the window."""
    open_seconds: float
    """Open time."""
    covered_seconds: float
    """Open time within 90 minutes after a poll."""
    share: float | None
    """covered_seconds / open_seconds; null when the store was not open at all."""
    no_data: list[Span]
    """Open time that is not covered; it is not downtime."""


class StoreDay(msgspec.Struct, frozen=True):
    """The figures of a store for a day in its local time, which has 23 or 25 hours when the clock changes.

    up_seconds + down_seconds is open_seconds: the status of a poll holds until the next one. observed_seconds: the open
    time within 90 minutes after a poll. incidents: those that began on the day, so that the numbers of several days add
    up. The current day ends now.
    """

    day: date
    """The day in the store's time zone."""
    open_seconds: float
    """Time in which the store was open."""
    up_seconds: float
    """Open time in which it was up."""
    down_seconds: float
    """Open time in which it was down."""
    observed_seconds: float
    """Open time within 90 minutes after a poll."""
    observed_up_seconds: float
    """The part of observed_seconds in which it was up."""
    incidents: int
    """Number of incidents that began on the day."""

    @property
    def observed_down_seconds(self) -> float:
        """The part of observed_seconds in which it was down."""
        return self.observed_seconds - self.observed_up_seconds

    @property
    def is_unknown(self) -> bool:
        """Whether the store was open on the day and nobody observed it at all."""
        return self.open_seconds > 0 and not self.observed_seconds


class HoursRow(msgspec.Struct, frozen=True):
    """A shift of a weekday, in local time; `closes` at or before `opens` is on the next day."""

    weekday: int
    """0 = Monday."""
    opens: str
    """Local time at which it opens."""
    closes: str
    """Local time at which it closes; 24:00:00 is the end of the day."""
    valid_from: date | None
    """The first local day on which it holds; null: always before."""
    valid_to: date | None
    """The last local day on which it holds; null: until further notice."""


class LastPoll(msgspec.Struct, frozen=True):
    """The last poll of a store."""

    polled_at: datetime
    """When the store was polled."""
    status: Literal["active", "inactive"]
    """Whether it answered (active) or not (inactive)."""


class StoreNow(msgspec.Struct, frozen=True):
    """A store now.

    state: `never_polled`; `closed`; `stale`, if it was open for three hours without a poll; else `up` or `down`.
    since: when it went up or down, however often it closed in between; when it closed; when it became stale.
    """

    store_id: str
    """Id of the store."""
    state: StoreState
    """Its state now."""
    since: datetime | None
    """Since when; null if it was never polled, or has not been open for ten years."""
    group: str | None
    """The group by which reports choose stores; null: none."""
    timezone: str
    """Its IANA time zone."""
    timezone_is_default: bool
    """Whether no file names its time zone."""
    always_open: bool
    """Whether no file names its hours: then it is always open, except during its closures."""
    hours: list[HoursRow]
    """Its business hours, by the day from which they hold."""
    last_poll: LastPoll | None
    """The last poll; null if there is none."""
    incident: Incident | None
    """The incident that is not over; null if there is none."""
    closed_because: str | None
    """The reason of the closure that holds now; null if none does."""


class StoredClosure(NamedTuple):
    """A time in which a store is closed: local days, the last one included, or instants `[start, end)`."""

    start: date | datetime
    end: date | datetime
    reason: str


class Closure(msgspec.Struct, frozen=True):
    """A time in which a store is closed: local days, the last one included, or instants `[from, to)`."""

    start: str = msgspec.field(name="from")
    """The first local day, or the instant at which it begins."""
    end: str = msgspec.field(name="to")
    """The last local day, or the instant at which it ends."""
    reason: str
    """Why it is closed."""


class DeletedPolls(msgspec.Struct, frozen=True):
    """The result of a deletion of polls."""

    deleted: int
    """Number of polls that were deleted."""
