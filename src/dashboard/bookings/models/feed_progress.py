"""Rows of the progress of feeds."""

import msgspec


class ReadingProgress(msgspec.Struct, frozen=True):
    """The first readings of feeds that have not reached the end of their feed.

    counted: events that these readings have counted. about: about how many events these feeds have, None unless each
    of them says so.
    """

    counted: int
    about: int | None
    is_reading_the_past: bool
