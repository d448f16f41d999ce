"""Types of imports, and of changes by hand."""

from datetime import datetime

import msgspec

from common.csv_import import RejectedLine


class ImportSummary(msgspec.Struct, frozen=True):
    """How many rows of a file were read (valid and rejected), were new, and were rejected; the first rejected lines."""

    rows: int
    """Rows read, valid and rejected."""
    new: int
    """Rows that were stored and were not there before."""
    rejected: list[RejectedLine]
    """The first rejected lines."""
    rejected_total: int
    """Number of rejected lines."""
    notices: list[str] = []
    """What a person should know about the file, such as columns that were ignored."""


class NewImport(msgspec.Struct, frozen=True):
    """An import or a change by hand about to be recorded. changed: whether it changed any data.

    source: the file, or the store that was changed. made_by: who made it.
    """

    kind: str
    source: str
    made_by: str
    started_at: datetime
    rows: int
    new: int
    changed: bool
    rejected: list[RejectedLine]
    rejected_total: int
    notices: list[str]


class Import(msgspec.Struct, frozen=True):
    """An import, or a change by hand, that was recorded: its kind, of what, by whom, when, and its figures.

    Changes by hand are those of kind `closures`, `group` and `deleted-polls`; `new` is the number of closures, or of
    deleted polls.
    """

    import_id: int
    """Id of the import."""
    kind: str
    """The kind of file, or of change."""
    source: str
    """Where the file came from, or the store that was changed."""
    made_by: str
    """Who made it: a request and its address, the user of a command, or the job that pulls."""
    started_at: datetime
    """Start of the import."""
    finished_at: datetime
    """End of the import."""
    rows: int
    """Rows read, valid and rejected."""
    new: int
    """Rows that were stored and were not there before."""
    rejected: list[RejectedLine]
    """The first rejected lines."""
    rejected_total: int
    """Number of rejected lines."""
    notices: list[str]
    """What a person should know about the file, such as columns that were ignored."""
