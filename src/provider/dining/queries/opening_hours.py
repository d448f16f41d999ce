"""SQL of the opening hours."""

from collections.abc import Sequence

from common.db.pool import Executor
from provider.dining.models import OpeningHours
from provider.dining.opening_hours import MINUTES_PER_DAY, clock_time_of, minute_of


async def lock_opening_hours(db: Executor) -> None:
    """Let no other transaction replace the opening hours until this one ends."""
    await db.execute("LOCK TABLE dining_opening_hours IN SHARE ROW EXCLUSIVE MODE")


async def select_opening_hours(db: Executor) -> list[OpeningHours]:
    """Return the opening hours by day and time; none: the restaurant is always open."""
    rows = await db.fetch(
        "SELECT day, opens_minute, closes_minute FROM dining_opening_hours ORDER BY day, opens_minute"
    )
    return [
        OpeningHours(row["day"], clock_time_of(row["opens_minute"]), clock_time_of(row["closes_minute"]))
        for row in rows
    ]


async def delete_opening_hours(db: Executor) -> None:
    await db.execute("DELETE FROM dining_opening_hours")


async def insert_opening_hours(db: Executor, hours: Sequence[OpeningHours]) -> None:
    """Store opening hours. Those that do not close after they open on the same day close on the next one."""
    opens = [minute_of(each.opens) for each in hours]
    closes = [minute_of(each.closes) for each in hours]
    await db.execute(
        """
        INSERT INTO dining_opening_hours (day, opens_minute, closes_minute)
        SELECT * FROM unnest($1::smallint[], $2::smallint[], $3::smallint[])
        """,
        [each.day for each in hours],
        opens,
        [end if end > begin else end + MINUTES_PER_DAY for begin, end in zip(opens, closes, strict=True)],
    )
