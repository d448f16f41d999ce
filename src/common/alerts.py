"""What an alert is made of: a slice's query finds what fires now, and a watch gives it the name of its rule.

A slice that has something to report writes a query of the type `SelectFirings`, in its `queries/alerts.py`; the
application wires it in `watches.py`. Which alerts are new and which are resolved, what is announced and to whom,
is not its concern.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.db.pool import Executor


@dataclass(frozen=True)
class Firing:
    """One thing that a rule finds wrong at this moment.

    subject: what it is about, such as the id of a store; a rule has one alert per subject. detail: a sentence for
    people: what is wrong, with the figures.
    """

    subject: str
    detail: str


SelectFirings = Callable[[Executor, datetime, Sequence[str]], Awaitable[list[Firing]]]
"""Finds everything that fires, by the database, now, and the subjects that fire already.

The alert of a subject that is missing from the result is resolved. The function may therefore return a subject that
fires already again, until the database shows that its condition has ended: for example, it returns a store that is down
until polls find the store up. It raises any exception if it cannot tell; then no alert of its rule changes.
"""

SelectEnds = Callable[[Executor, datetime, Sequence[str]], Awaitable[Mapping[str, str]]]
"""Describes how alerts ended, by the database, now, and the subjects that are resolved now: a sentence for each.

Some of them may fire again by then, because the database may have changed since `SelectFirings` looked at it.
"""


@dataclass(frozen=True)
class Watch:
    """A rule: its name, as in the configuration and in the alerts, and its queries."""

    rule: str
    select: SelectFirings
    select_ends: SelectEnds
