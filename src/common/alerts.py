"""Alerts: what somebody must hear of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Firing:
    """Something that is wrong now: what it concerns, and a sentence about it."""

    subject: str
    detail: str
