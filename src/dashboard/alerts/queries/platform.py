"""SQL of the alerts about the platform itself: jobs that fail, and messages that were given up."""

from collections.abc import Sequence

from common.alerts import Firing
from common.db.pool import Executor
from common.instants import format_minute
from dashboard.alerts.models import TOPIC

MIN_FAILURES_IN_A_ROW = 3
"""The failures in a row from which on an alert is raised about a job."""


async def select_failing_jobs(db: Executor, jobs: Sequence[str]) -> list[Firing]:
    """Those of the jobs whose last MIN_FAILURES_IN_A_ROW runs or more failed; the subject is the name of the job."""
    rows = await db.fetch(
        "SELECT name, failures, last_error FROM job WHERE name = ANY($1) AND failures >= $2",
        jobs,
        MIN_FAILURES_IN_A_ROW,
    )
    return [
        Firing(
            row["name"],
            f"The job has failed {row['failures']:,} times in a row, the last time with {row['last_error']}",
        )
        for row in rows
    ]


async def select_dead_messages(db: Executor) -> list[Firing]:
    """The messages that were given up, by topic and subject; those of alerts together, or each would cause another."""
    rows = await db.fetch(
        """
        SELECT CASE WHEN topic = $1 THEN topic ELSE topic || ' ' || subject END AS subject,
               count(*) AS messages,
               max(settled_at) AS last_at,
               (array_agg(last_error ORDER BY settled_at DESC))[1] AS last_error
          FROM outbox
         WHERE state = 'dead'
         GROUP BY 1
        """,
        TOPIC,
    )
    return [
        Firing(
            row["subject"],
            f"{_messages(row['messages'])} given up, the last at {format_minute(row['last_at'])} with "
            f"{row['last_error']}",
        )
        for row in rows
    ]


def _messages(count: int) -> str:
    return "A message was" if count == 1 else f"{count:,} messages were"
