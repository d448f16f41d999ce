"""Store files in a directory of this machine, told by their header lines."""

import re
from dataclasses import dataclass
from pathlib import Path

from common.csv_files import CsvFile, CsvHeaderError
from common.text_blocks import DamagedFileError, open_file, read_blocks
from dashboard.uptime.intake.parse import OPTIONAL_TITLES, TITLE_ALIASES, TITLES, StoreFile

TABLE_NAME = re.compile(r"[^.~].*\.(csv|tsv|txt|gz|xz|zip)", re.IGNORECASE)
"""Names of files that are looked at; other files, hidden ones and copies of editors are not."""
ORDER = (StoreFile.TIMEZONES, StoreFile.BUSINESS_HOURS, StoreFile.STATUS)
"""The order of import: opening hours are known before the polls."""


@dataclass(frozen=True)
class FoundFiles:
    """The store files of a directory in the order of import, and why each other table is not one, by its name."""

    files: list[tuple[StoreFile, Path]]
    unread: dict[str, str]


def find_store_files(folder: Path) -> FoundFiles:
    """Find the store files of a directory, compressed or not. Raises OSError when it cannot be listed."""
    files: list[tuple[StoreFile, Path]] = []
    unread: dict[str, str] = {}
    for path in sorted(each for each in folder.iterdir() if TABLE_NAME.fullmatch(each.name) and each.is_file()):
        try:
            files.append((kind_of(path), path))
        except (CsvHeaderError, DamagedFileError, OSError) as error:
            if path.suffix.lower() != ".txt":  # which may be any text
                unread[path.name] = str(error)
    return FoundFiles(sorted(files, key=lambda found: ORDER.index(found[0])), unread)


def kind_of(path: Path) -> StoreFile:
    """The kind of a file by its header line; the one with the most columns if it has those of several.

    Raises CsvHeaderError when it has the columns of no kind, and DamagedFileError and OSError when it cannot be read.
    """
    with open_file(path) as file:
        faults = []
        for kind in sorted(ORDER, key=lambda each: -len(required_titles(each))):
            file.seek(0)
            try:
                CsvFile(read_blocks(file), TITLES[kind], TITLE_ALIASES, OPTIONAL_TITLES)
            except CsvHeaderError as error:
                faults.append((kind, str(error)))
            else:
                return kind
    raise CsvHeaderError(_explained(faults))


def required_titles(kind: StoreFile) -> list[str]:
    """The columns that a file of this kind must have."""
    return [title for title in TITLES[kind] if title not in OPTIONAL_TITLES]


def _explained(faults: list[tuple[StoreFile, str]]) -> str:
    """One reason out of the faults of every kind."""
    reasons = dict(faults)
    if len(set(reasons.values())) == 1:
        return faults[0][1]
    kinds = "; ".join(f"{kind}: {', '.join(required_titles(kind))}" for kind in ORDER)
    _, _, header = faults[0][1].rpartition("(it is ")
    return f"its header names the columns of none of the store files ({kinds}); it is {header.rstrip(')')}"
