"""The UIDs of the events in the calendars that other sites read.

All UIDs of a property end with its tag, which no other property has. An event that comes back from another site with
such a UID is recognised, also when what it was made from has been deleted since.
"""

import re
from uuid import UUID

_OURS = re.compile(r"[0-9a-z-]{1,100}@[0-9a-f]{32}\.nightaudit")


def own_uid(name: str, calendar_tag: UUID) -> str:
    """The UID of an event of a property. name: what tells it from the property's other events."""
    return f"{name}@{calendar_tag.hex}.nightaudit"


def is_own_uid(uid: str, calendar_tag: UUID) -> bool:
    """Whether an event was made from this property."""
    return uid.endswith(f"@{calendar_tag.hex}.nightaudit")


def is_nightaudit_uid(uid: str) -> bool:
    """Whether an event was made from a property, of this installation or another one."""
    return _OURS.fullmatch(uid) is not None
