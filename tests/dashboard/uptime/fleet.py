"""Insert stores directly into the database, and read reports on them in the types of the reference."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from typing import NamedTuple
from uuid import uuid4

import asyncpg

from dashboard.uptime import service
from dashboard.uptime.models import Window
from dashboard.uptime.queries import reports
from tests.dashboard.uptime.reference import Figures, Hours, Poll, figures

LATER = datetime(2100, 1, 1, tzinfo=UTC)
"""After all polls of the tests."""


class Store(NamedTuple):
    """A store as the three files describe it."""

    polls: Sequence[Poll]
    hours: Sequence[Hours] = ()
    timezone: str | None = None


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


async def load(db: asyncpg.Pool, stores: Mapping[str, Store]) -> None:
    """Replace all stores by these."""
    await db.execute(
        "TRUNCATE store, store_poll, poll_span, store_hours, store_day,"
        " uptime_report, uptime_report_progress, uptime_report_row"
    )
    polls: dict[tuple[str, datetime], bool] = {}
    for name, store in stores.items():
        for at, active in store.polls:
            polls[name, at] = polls.get((name, at), True) and active
    hours = {(name, weekday, opens, closes) for name, store in stores.items() for weekday, opens, closes in store.hours}
    instants = [(name, [at for at, _ in store.polls]) for name, store in stores.items()]
    await db.executemany(
        "INSERT INTO store VALUES ($1, $2, $3, $4)",
        [(name, stores[name].timezone, min(times, default=None), max(times, default=None)) for name, times in instants],
    )
    await db.executemany(
        "INSERT INTO store_poll VALUES ($1, $2, $3)", [(*key, active) for key, active in polls.items()]
    )
    await db.executemany(
        "INSERT INTO store_hours VALUES ($1, $2, $3, $4::text::time)",
        [(name, weekday, opens, closes.isoformat() if closes else "24:00") for name, weekday, opens, closes in hours],
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
    found = {name: figures(store.polls, store.hours, store.timezone, as_of) for name, store in stores.items()}
    return {name: figure for name, figure in sorted(found.items()) if figure is not None}
