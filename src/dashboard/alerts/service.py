"""Evaluate a rule: store which alerts began and which are resolved, and queue the messages for the receiver.

The table `alert` always has the true state. The receiver gets at most MAX_ANNOUNCEMENTS messages about one rule and
subject within ANNOUNCEMENT_PERIOD; as soon as the limit allows, it gets the current state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client import Gauge

from common.alerts import Firing, Watch
from common.db.pool import Connection, Executor
from common.outbox.queries import delete_unsent_messages, enqueue_all
from dashboard.alert_rules import CATALOG_RULES, OPERATIONS_RULES, RULES, Rule
from dashboard.alerts.models import TOPIC, Announcement
from dashboard.alerts.queries import alerts, announcements
from dashboard.config import Config

MAX_ANNOUNCEMENTS = 4
ANNOUNCEMENT_PERIOD = timedelta(hours=1)

MAX_DETAIL_LENGTH = 500

ALERTS_FIRING = Gauge("alerts_firing", "Alerts that fire, by rule", ["rule"], multiprocess_mode="mostrecent")


@dataclass(frozen=True)
class Changes:
    """What an evaluation of rules changed. firing: the alerts that fire after it."""

    began: int = 0
    resolved: int = 0
    announced: int = 0
    firing: int = 0

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(
            self.began + other.began,
            self.resolved + other.resolved,
            self.announced + other.announced,
            self.firing + other.firing,
        )


async def evaluate(connection: Connection, watch: Watch, now: datetime, *, has_receiver: bool) -> Changes:
    """Evaluate a rule in the caller's transaction.

    The caller must hold no lock that another evaluation waits for, because evaluations of the same rule wait for this
    one. Raises what the watch raises; the caller rolls back then, so that nothing of the rule changes.
    """
    rule = watch.rule
    # 1. Wait for an evaluation in another process, and read what it left.
    await alerts.lock_rule(connection, rule)
    before = await alerts.select_firing_details(connection, rule)
    # 2. Find what fires now, and store the difference.
    found = await watch.select(connection, now, list(before))
    details = {firing.subject: firing.detail[:MAX_DETAIL_LENGTH] for firing in reversed(found)}
    began = {subject: detail for subject, detail in details.items() if subject not in before}
    changed = {subject: detail for subject, detail in details.items() if before.get(subject, detail) != detail}
    resolved = [subject for subject in before if subject not in details]
    if began:
        await alerts.insert_alerts(connection, rule, began, now, is_silent=not has_receiver)
    if changed:
        await alerts.update_details(connection, rule, changed)
    if resolved:
        ends = await watch.select_ends(connection, now, resolved)
        ended = {subject: ends[subject][:MAX_DETAIL_LENGTH] for subject in resolved}
        await alerts.update_resolved(connection, rule, ended, now)
    # 3. Tell the receiver what it does not know, as far as the limit allows; also what was held back earlier.
    announced = await announce(connection, rule, now) if has_receiver else 0
    return Changes(len(began), len(resolved), announced, len(details))


async def announce(connection: Connection, rule: str, now: datetime) -> int:
    """Queue the announcements of a rule that are due; returns how many."""
    due = await announcements.select_due_announcements(connection, rule, now, MAX_ANNOUNCEMENTS, ANNOUNCEMENT_PERIOD)
    if due:
        await enqueue_all(connection, TOPIC, [message_of(each) for each in due])
        await announcements.upsert_announcements(connection, due, now, ANNOUNCEMENT_PERIOD)
    return len(due)


def message_of(announcement: Announcement) -> tuple[str, str, Announcement]:
    """The subject, event and payload of the message. All of one rule and subject are sent in their order."""
    return f"{announcement.rule} {announcement.subject}", str(announcement.id), announcement


async def forget_receiver(connection: Connection) -> None:
    """Drop what waits for a receiver that is no longer configured: one that is configured later hears of new alerts."""
    await delete_unsent_messages(connection, TOPIC)
    await announcements.delete_announcements(connection)
    await alerts.update_silent(connection)


async def ended_watches(db: Executor, watches: Sequence[Watch]) -> list[Watch]:
    """Watches that find nothing, for rules that are no longer evaluated: what they left firing is resolved."""

    async def select_nothing(_: Executor, __: datetime, ___: Sequence[str]) -> list[Firing]:
        return []

    async def describe_ends(_: Executor, __: datetime, subjects: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(subjects, "The rule was switched off.")

    rules = await alerts.select_other_firing_rules(db, [watch.rule for watch in watches])
    return [Watch(rule, select_nothing, describe_ends) for rule in rules]


def hidden_rules(config: Config, *, for_operators: bool) -> Sequence[Rule]:
    """The rules whose alerts are left out, because the catalogue needs its token.

    for_operators: whether only operators can make the request, if they have a token; they see the alerts of all rules.
    """
    if config.api_token is None or (for_operators and config.operations_token is not None):
        return ()
    return CATALOG_RULES


def rules_without_detail(config: Config) -> Sequence[Rule]:
    """The rules of which the pages do not show why an alert fires, because operators have a token.

    How it ended they show: that sentence quotes no error.
    """
    return () if config.operations_token is None else OPERATIONS_RULES


async def measure_alerts(db: Executor) -> None:
    """Set the gauge of each rule."""
    firing = await alerts.select_firing_counts(db)
    for rule in RULES:
        ALERTS_FIRING.labels(rule).set(firing.get(rule, 0))
