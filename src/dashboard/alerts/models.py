"""Alerts as they are listed and announced."""

from datetime import datetime
from typing import Literal

import msgspec

from dashboard.alert_rules import LABELS

State = Literal["firing", "resolved"]

TOPIC = "alert"
"""Outbox topic of the announcements."""


class Alert(msgspec.Struct, frozen=True):
    """An alert: what a rule finds wrong now, or found wrong until it was resolved."""

    id: int
    """Id of the last change of state; the announcement of that change has the same."""
    rule: str
    """The rule that found it."""
    subject: str
    """What it is about, such as the id of a store or the name of a feed; one alert of a rule and subject fires at a
    time."""
    state: State
    """Whether it fires, or is resolved."""
    at: datetime
    """When the state last changed."""
    detail: str
    """What is wrong, in a sentence; of a resolved alert, how it ended."""
    since: datetime
    """When it began to fire."""

    @property
    def label(self) -> str:
        """The rule in words."""
        return LABELS.get(self.rule, self.rule)


class Announcement(msgspec.Struct, frozen=True):
    """What the receiver is told of a change of state: the body of the request, the same at every attempt."""

    id: int
    rule: str
    subject: str
    state: State
    at: datetime
    detail: str
