"""Insert stores directly into the database, and read reports on them in the types of the reference."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import NamedTuple
from uuid import uuid4

import asyncpg

from dashboard.uptime import service
from dashboard.uptime.models.stores import Window
from dashboard.uptime.queries import reports
from tests.dashboard.uptime.reference import Closure, Figures, Hours, Opening, Poll, Version, figures

LATER = datetime(2100, 1, 1, tzinfo=UTC)
"""After all polls of the tests."""


class Store(NamedTuple):
    """A store as the three files describe it."""

    polls: Sequence[Poll]
    hours: Sequence[Hours] = ()
    timezone: str | None = None
    versions: Sequence[Version] = ()
    closures: Sequence[Closure] = ()

    @property
    def opening(self) -> Opening:
        return Opening(self.hours, self.versions, self.closures)


def utc(text: str) -> datetime:
    """An instant in UTC: `2023-01-23 10:14`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def clock(text: str) -> time:
    return time.fromisoformat(text)


def row(weekday: int, opens: str, closes: str) -> Hours:
    """A row of business hours; a closing of 24:00 is None."""
    return (weekday, clock(opens), None if closes.startswith("24") else clock(closes))


def every_day(opens: str, closes: str) -> list[Hours]:
    return [row(weekday, opens, closes) for weekday in range(7)]


ALWAYS = [(weekday, time(), None) for weekday in range(7)]


def rows_of(store: Store) -> list[tuple[Hours, tuple[date, date]]]:
    """The rows of hours, and the local days on which they are valid, as an import stores them."""
    if not store.versions:
        return [(row, (date.min, date.max)) for row in store.hours]
    versions = sorted([(date.min, store.hours), *store.versions])
    ends = [*(start for start, _ in versions[1:]), date.max]
    return [(row, (start, end)) for (start, rows), end in zip(versions, ends, strict=True) for row in rows or ALWAYS]


async def load(db: asyncpg.Pool, stores: Mapping[str, Store]) -> None:
    """Replace all stores by these."""
    await db.execute(
        "TRUNCATE store, store_poll, poll_span, store_hours, store_day, store_recent_day,"
        " store_closure, store_poll_deletion,"
        " uptime_report, uptime_report_progress, uptime_report_row, uptime_report_detail"
    )
    polls: dict[tuple[str, datetime], bool] = {}
    for name, store in stores.items():
        for at, active in store.polls:
            polls[name, at] = polls.get((name, at), True) and active
    hours = {(name, *row, *valid) for name, store in stores.items() for row, valid in rows_of(store)}
    closures = [
        (name, place, *closure) for name, store in stores.items() for place, closure in enumerate(store.closures)
    ]
    instants = [(name, [at for at, _ in store.polls]) for name, store in stores.items()]
    await db.executemany(
        "INSERT INTO store VALUES ($1, $2, $3, $4)",
        [(name, stores[name].timezone, min(times, default=None), max(times, default=None)) for name, times in instants],
    )
    await db.executemany(
        "INSERT INTO store_poll VALUES ($1, $2, $3)", [(*key, active) for key, active in polls.items()]
    )
    await db.executemany(
        "INSERT INTO store_hours VALUES ($1, $2, $3, $4::text::time, $5, $6)",
        [(*row[:3], row[3].isoformat() if row[3] else "24:00", *row[4:]) for row in hours],
    )
    await db.executemany(
        "INSERT INTO store_closure (store_id, position, starts_at, ends_at, reason) VALUES ($1, $2, $3, $4, '')",
        [closure for closure in closures if isinstance(closure[2], datetime)],
    )
    await db.executemany(
        "INSERT INTO store_closure (store_id, position, first_day, last_day, reason) VALUES ($1, $2, $3, $4, '')",
        [closure for closure in closures if not isinstance(closure[2], datetime)],
    )
    await db.execute(
        "INSERT INTO poll_span SELECT date_bin('5 minutes', polled_at, '2000-01-01 00:00:00+00'),"
        " min(polled_at), max(polled_at) FROM store_poll GROUP BY 1"
    )


def window(start: datetime, end: datetime, now: datetime | None = None) -> Window:
    """A window of which all polls up to `now` are known, by default up to its end."""
    return Window(start, end, now or end, now or end)


async def measured(db: asyncpg.Pool, as_of: datetime | None = None, now: datetime = LATER) -> dict[str, Figures]:
    """The exact figures of a report."""
    report_id = await reports.upsert_report(db, uuid4(), as_of)
    assert await service.make_report(db, report_id, now)
    rows = await db.fetch("SELECT * FROM uptime_report_row WHERE report_id = $1 ORDER BY store_id", report_id)
    return {
        row["store_id"]: Figures(
            (row["uptime_last_hour"], row["uptime_last_day"], row["uptime_last_week"]),
            (row["downtime_last_hour"], row["downtime_last_day"], row["downtime_last_week"]),
        )
        for row in rows
    }


def expected(stores: Mapping[str, Store], as_of: datetime) -> dict[str, Figures]:
    """The figures of the reference."""
    found = {name: figures(store.polls, store.opening, store.timezone, as_of) for name, store in stores.items()}
    return {name: figure for name, figure in sorted(found.items()) if figure is not None}
