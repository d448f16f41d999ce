"""Alerts: what somebody must hear of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Firing:
    """What an alert is about at the moment. subject: the id of a thing. detail: what is wrong with it, in words."""

    subject: str
    detail: str
