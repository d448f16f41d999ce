"""`python -m dashboard name-hotels FILE.csv`: stores the profiles of many hotels.

A column that the file does not have leaves that part of the profiles as it is; an empty cell removes it. A hotel whose
time zone changes is recounted in the transaction that stores its profile.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from common.config import Secret
from common.csv_files import CsvFile
from common.csv_import import STORE_ALL, ImportOptions, ImportResult, import_file
from common.db.pool import Connection, create_pool, rolled_back
from common.db.time_limits import UNLIMITED
from common.text_blocks import DamagedFileError, read_blocks
from common.time_zones import parse_time_zone
from common.web.input_types import MAX_ID
from dashboard.bookings.inputs import MAX_ROOMS, parse_hotel_name
from dashboard.bookings.models.figures import HotelProfile
from dashboard.bookings.queries.ledger import lock_ledger
from dashboard.bookings.queries.profiles import upsert_profiles
from dashboard.bookings.queries.time_zones import select_known_time_zones
from dashboard.bookings.time_zones import recount_hotels

COLUMNS = ("hotel_id", "name", "rooms", "timezone", "hidden")
OPTIONAL = frozenset(COLUMNS[1:])
CHUNK_ROWS = 1_000
EMPTY: dict[str, Any] = {"name": None, "rooms": None, "timezone": None, "hidden": False}
YES, NO = frozenset({"true", "yes", "1"}), frozenset({"", "false", "no", "0"})


Parsers = Mapping[str, Callable[[str], Any]]


def parsers_of(known_zones: Collection[str]) -> Parsers:
    """The parser of each column; they raise ValueError. known_zones: the names of time zones that PostgreSQL knows."""

    def parse_zone(text: str) -> str:
        if (name := parse_time_zone(text)) not in known_zones:
            raise ValueError("is not known to PostgreSQL")
        return name

    return {
        "hotel_id": partial(parse_number, MAX_ID),
        "name": _unless_empty(parse_hotel_name),
        "rooms": _unless_empty(partial(parse_number, MAX_ROOMS)),
        "timezone": _unless_empty(parse_zone),
        "hidden": parse_hidden,
    }


def _unless_empty(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: parse(text) if text else None


def parse_number(high: int, text: str) -> int:
    """Parse a whole number from 1. Raises ValueError."""
    if text.isascii() and text.isdigit() and len(text) <= 19 and 1 <= int(text) <= high:
        return int(text)
    raise ValueError(f"must be a whole number from 1 to {high}")


def parse_hidden(text: str) -> bool:
    """Parse whether a hotel is hidden; an empty cell means that it is not. Raises ValueError."""
    if text.lower() not in YES | NO:
        raise ValueError("must be true or false")
    return text.lower() in YES


def read_profiles(file: CsvFile, parsers: Parsers, result: ImportResult) -> Iterator[HotelProfile]:
    """Yield the valid rows; invalid rows, and further ones of the same hotel, are added to the result.

    What the file has no column for is empty.
    """
    lines: dict[int, int] = {}
    try:
        for number, cells in file.records(result.reject):
            values: dict[str, Any] = {}
            faults = []
            for column, cell in zip(file.header.columns, cells, strict=True):
                try:
                    values[column] = parsers[column](cell)
                except ValueError as error:
                    faults.append(f"{column} {error}")
            if "hotel_id" in values and (line := lines.setdefault(values["hotel_id"], number)) != number:
                faults.append(f"hotel_id is in line {line} too")
            if faults:
                result.reject(number, "; ".join(faults))
            else:
                yield HotelProfile(**EMPTY | values)
    except DamagedFileError as error:
        result.reject(file.line + 1, f"cannot be read: {error}")


async def import_profiles(url: Secret, path: Path, default: str, options: ImportOptions = STORE_ALL) -> int:
    """Store the profiles of a file and print a report; returns the exit status, 1 if a line was rejected or none taken.

    default: the time zone of hotels that have none of their own.
    """

    async def store(file: CsvFile, result: ImportResult, advance: Callable[[], object]) -> None:
        given = OPTIONAL & set(file.header.columns)
        async with create_pool(url, application="dashboard-import", size=1, timeouts=UNLIMITED) as db:
            rows = read_profiles(file, parsers_of(await select_known_time_zones(db)), result)
            while chunk := list(islice(rows, CHUNK_ROWS)):
                async with (
                    db.acquire() as connection,
                    rolled_back(connection) if options.dry_run else connection.transaction(),
                ):
                    changed = await store_profiles(connection, chunk, given, default)
                result.stored += changed
                result.already_stored += len(chunk) - changed
                advance()

    return await import_file(path, open_profiles, store, options)


def open_profiles(raw: BinaryIO) -> CsvFile:
    """Raises CsvHeaderError and DamagedFileError."""
    return CsvFile(read_blocks(raw), COLUMNS, optional=OPTIONAL)


async def store_profiles(
    connection: Connection, profiles: Sequence[HotelProfile], given: Collection[str], default: str
) -> int:
    """Store the columns `given`, and recount hotels whose time zone changes; returns how many profiles change.

    Needs a transaction.
    """
    await lock_ledger(connection)
    changed = await upsert_profiles(connection, profiles, given)
    await recount_hotels(connection, [profile.hotel_id for profile in profiles], default)
    return changed
