"""SQL of what is announced to the receiver of the webhook."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from common.db.pool import Executor
from dashboard.alerts.models import Announcement


async def select_due_announcements(
    db: Executor, rule: str, now: datetime, max_announcements: int, period: timedelta
) -> list[Announcement]:
    """The changes of state of a rule that the receiver does not know and that may be announced now.

    Leaves out a subject whose state is the one that was announced last, and one that was announced `max_announcements`
    times in the `period` before now.
    """
    rows = await db.fetch(
        """
        SELECT alert.id, alert.rule, alert.subject, 'firing' AS state, alert.since AS at, alert.detail
          FROM alert
          LEFT JOIN alert_announcement AS announcement USING (rule, subject)
         WHERE alert.rule = $1
           AND alert.resolved_at IS NULL
           AND NOT alert.is_silent
           AND announcement.state IS DISTINCT FROM 'firing'
           AND (SELECT count(*)
                  FROM unnest(announcement.announced_at) AS at
                 WHERE at > $2::timestamptz - $4::interval) < $3
        UNION ALL
        SELECT latest.id, announcement.rule, announcement.subject, 'resolved', latest.resolved_at, latest.detail
          FROM alert_announcement AS announcement
         CROSS JOIN LATERAL (
             SELECT id, resolved_at, detail
               FROM alert
              WHERE alert.rule = $1 AND alert.subject = announcement.subject
              ORDER BY id DESC
              LIMIT 1
         ) AS latest
         WHERE announcement.rule = $1
           AND announcement.state = 'firing'
           AND latest.resolved_at IS NOT NULL
           AND (SELECT count(*)
                  FROM unnest(announcement.announced_at) AS at
                 WHERE at > $2::timestamptz - $4::interval) < $3
         ORDER BY id
        """,
        rule, now, max_announcements, period,
    )  # fmt: skip
    return [Announcement(**row) for row in rows]


async def upsert_announcements(
    db: Executor, announced: Sequence[Announcement], now: datetime, period: timedelta
) -> None:
    """Note what is announced now; of earlier times those in the `period` before now are kept."""
    await db.execute(
        """
        INSERT INTO alert_announcement AS announcement (rule, subject, state, announced_at)
        SELECT rule, subject, state, ARRAY[$4::timestamptz]
          FROM unnest($1::text[], $2::text[], $3::text[]) AS new (rule, subject, state)
        ON CONFLICT (rule, subject) DO UPDATE
           SET state = excluded.state,
               announced_at = ARRAY(
                   SELECT at
                     FROM unnest(announcement.announced_at) AS at
                    WHERE at > $4::timestamptz - $5::interval
                    ORDER BY at
               ) || excluded.announced_at
        """,
        [each.rule for each in announced],
        [each.subject for each in announced],
        [each.state for each in announced],
        now,
        period,
    )


async def delete_announcements(db: Executor) -> None:
    """Forget what was announced: there is no receiver any more."""
    await db.execute("DELETE FROM alert_announcement")
