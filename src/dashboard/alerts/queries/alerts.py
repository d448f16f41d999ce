"""SQL of alerts: those that fire, and those that are resolved."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from common.db.locks import ALERT_RULE_LOCK
from common.db.pool import Executor
from dashboard.alert_rules import Rule
from dashboard.alerts.models import Alert, State


async def lock_rule(db: Executor, rule: str) -> None:
    """Let no other transaction evaluate the rule until this one ends."""
    await db.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", ALERT_RULE_LOCK, rule)


async def select_firing_details(db: Executor, rule: str) -> dict[str, str]:
    """The details of the alerts of a rule that fire, by subject."""
    rows = await db.fetch("SELECT subject, detail FROM alert WHERE rule = $1 AND resolved_at IS NULL", rule)
    return {row["subject"]: row["detail"] for row in rows}


async def select_other_firing_rules(db: Executor, rules: Sequence[str]) -> list[str]:
    """The rules of which alerts fire, without those named."""
    rows = await db.fetch("SELECT DISTINCT rule FROM alert WHERE resolved_at IS NULL AND rule <> ALL($1)", rules)
    return [row["rule"] for row in rows]


async def insert_alerts(db: Executor, rule: str, details: Mapping[str, str], now: datetime, *, is_silent: bool) -> None:
    """Store alerts that begin to fire, with their details by subject.

    is_silent: whether nobody is to be told of them.
    """
    await db.execute(
        """
        INSERT INTO alert (rule, subject, detail, since, is_silent)
        SELECT $1, subject, detail, $4, $5
          FROM unnest($2::text[], $3::text[]) AS new (subject, detail)
        """,
        rule, list(details), list(details.values()), now, is_silent,
    )  # fmt: skip


async def update_details(db: Executor, rule: str, details: Mapping[str, str]) -> None:
    """Store new details of alerts that fire, by subject."""
    await db.execute(
        """
        UPDATE alert
           SET detail = new.detail
          FROM unnest($2::text[], $3::text[]) AS new (subject, detail)
         WHERE alert.rule = $1 AND alert.subject = new.subject AND alert.resolved_at IS NULL
        """,
        rule, list(details), list(details.values()),
    )  # fmt: skip


async def update_resolved(db: Executor, rule: str, details: Mapping[str, str], now: datetime) -> None:
    """Store that alerts are resolved, with how they ended by subject.

    Each gets a new id, because a receiver that drops ids it knows must hear of the end too.
    """
    await db.execute(
        """
        UPDATE alert
           SET id = DEFAULT, resolved_at = greatest(since, $4), detail = ended.detail
          FROM unnest($2::text[], $3::text[]) AS ended (subject, detail)
         WHERE alert.rule = $1 AND alert.subject = ended.subject AND alert.resolved_at IS NULL
        """,
        rule, list(details), list(details.values()), now,
    )  # fmt: skip


async def update_silent(db: Executor) -> None:
    """Note of all alerts that fire that nobody is to be told of them later."""
    await db.execute("UPDATE alert SET is_silent = true WHERE resolved_at IS NULL AND NOT is_silent")


async def select_alerts(
    db: Executor, state: State | None, rule: Rule | None, hidden: Sequence[str], before: int | None, limit: int
) -> list[Alert]:
    """Alerts, the latest change of state first; those with an id below `before`, if given.

    state, rule: only such alerts, if given. hidden: rules to leave out.
    """
    rows = await db.fetch(
        """
        SELECT id, rule, subject, CASE WHEN resolved_at IS NULL THEN 'firing' ELSE 'resolved' END AS state,
               coalesce(resolved_at, since) AS at, detail, since
          FROM alert
         WHERE ($1::text IS NULL OR (resolved_at IS NULL) = ($1 = 'firing'))
           AND ($2::text IS NULL OR rule = $2)
           AND rule <> ALL($3)
           AND ($4::bigint IS NULL OR id < $4)
         ORDER BY id DESC
         LIMIT $5
        """,
        state, rule, hidden, before, limit,
    )  # fmt: skip
    return [Alert(**row) for row in rows]


async def select_firing_count(db: Executor, hidden: Sequence[str]) -> int:
    """How many alerts fire, without those of the rules named."""
    return await db.fetchval("SELECT count(*) FROM alert WHERE resolved_at IS NULL AND rule <> ALL($1)", hidden)


async def select_firing_counts(db: Executor) -> dict[str, int]:
    """How many alerts of each rule fire; rules of which none does are absent."""
    rows = await db.fetch("SELECT rule, count(*) AS firing FROM alert WHERE resolved_at IS NULL GROUP BY rule")
    return {row["rule"]: row["firing"] for row in rows}


async def delete_old_alerts(db: Executor, keep: timedelta, limit: int) -> int:
    """Delete up to `limit` alerts, and as many announcements, resolved longer ago than `keep`; returns how many.

    The limit of announcements looks back an hour, so older ones of resolved alerts have no effect.
    """
    return await db.fetchval(
        """
        WITH deleted AS (
            DELETE FROM alert
             WHERE id IN (
                SELECT id
                  FROM alert
                 WHERE resolved_at < now() - $1::interval
                 ORDER BY resolved_at
                 LIMIT $2
             )
            RETURNING 1
        ),
        forgotten AS (
            DELETE FROM alert_announcement
             WHERE (rule, subject) IN (
                SELECT rule, subject
                  FROM alert_announcement
                 WHERE state = 'resolved' AND announced_at[cardinality(announced_at)] < now() - $1::interval
                 LIMIT $2
             )
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM deleted) + (SELECT count(*) FROM forgotten)
        """,
        keep, limit,
    )  # fmt: skip
