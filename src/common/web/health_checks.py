"""One line of /readyz?verbose."""

import msgspec


class Check(msgspec.Struct, frozen=True):
    """One condition of readiness."""

    name: str
    """What was checked."""
    ok: bool
    """Whether the condition holds."""
    detail: str
    """The result in words."""
