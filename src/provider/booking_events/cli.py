"""`python -m provider import FILE` and `generate`: booking events in bulk, by COPY.

Reading and storing overlap: while PostgreSQL stores one chunk, the next is read. Each chunk is a transaction of its
own, short enough for the feed's promise that a row becomes visible soon after its recorded time.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import NoReturn

import asyncpg
from tqdm import tqdm

from common.config import Secret
from common.db.errors import DATABASE_UNAVAILABLE
from provider.booking_events import queries
from provider.booking_events.import_csv import CHUNK_ROWS, HeaderError, Rejected, StagedRow, decompressed, read_chunks
from provider.booking_events.service import draw_new_ids
from provider.simulated_hotels import Simulation

MAX_HISTORY_YEARS = 100
REPORTED_LINES = 1_000
CLASH = "id is stored with other content"
NOT_STORED: tuple[type[Exception], ...] = (*DATABASE_UNAVAILABLE, asyncpg.PostgresError)


@dataclass
class Tally:
    """What came of the rows so far."""

    stored: int = 0
    seen: int = 0
    rejected: list[Rejected] = field(default_factory=list)


async def connect(url: Secret) -> asyncpg.Connection:
    """A connection whose transactions cannot outlive what the feed promises of its recorded time."""
    return await asyncpg.connect(url.reveal(), server_settings={"transaction_timeout": "60s", "timezone": "UTC"})


async def store_chunk(connection: asyncpg.Connection, chunk: list[StagedRow], rejected: list[Rejected]) -> int:
    """Store what is new of a chunk in one transaction; returns how many rows that were.

    Where nothing of it is there yet, which is how most files are, COPY writes straight into the table.
    """
    try:
        async with connection.transaction():
            await queries.copy_events(connection, [row[1:] for row in chunk])
    except asyncpg.UniqueViolationError:
        return await store_new_rows(connection, chunk, rejected)
    return len(chunk)


async def store_new_rows(connection: asyncpg.Connection, chunk: list[StagedRow], rejected: list[Rejected]) -> int:
    """The same where some are there already, the long way. Of several lines with one id the first counts."""
    async with connection.transaction():
        await queries.create_staging(connection)
        await queries.copy_to_staging(connection, chunk)
        stored = await queries.insert_staged(connection)
        clashes = await queries.select_staged_clashes(connection)
    rejected += [Rejected(line, CLASH) for line in clashes]
    return stored


async def store_file(
    url: Secret, chunks: Iterator[list[StagedRow]], tally: Tally, advance: Callable[[], object]
) -> None:
    """Store chunk after chunk, reading ahead by one; `advance` is called after each. Raises what PostgreSQL raises."""
    chunk = await asyncio.to_thread(next, chunks, None)
    connection = await connect(url)
    try:
        while chunk is not None:
            storing = asyncio.create_task(store_chunk(connection, chunk, tally.rejected))
            try:
                following = await asyncio.to_thread(next, chunks, None)
                tally.stored += await storing
            finally:  # interrupted while it reads: a chunk is stored whole or not at all before the connection closes
                storing.cancel()
                await asyncio.gather(storing, return_exceptions=True)
            tally.seen += len(chunk)
            advance()
            chunk = following
    finally:
        await connection.close()


async def import_file(url: Secret, path: Path) -> int:
    """Load the file and say what happened; returns the exit status, 1 if any line was rejected."""
    try:
        raw = path.open("rb")
    except OSError as error:
        return complain(f"{path}: {error.strerror}")
    tally = Tally()
    failed = 0
    with raw, progress(path) as bar:
        chunks = read_chunks(decompressed(raw, path), tally.rejected, datetime.now(UTC))
        try:
            await store_file(url, chunks, tally, lambda: bar.update(raw.tell() - bar.n))
        except HeaderError as error:
            return complain(f"{path}: {error}")
        except NOT_STORED as error:
            failed = complain(f"{path}: PostgreSQL failed; the import may be run again ({error})")
    report(path, tally)
    return failed or (1 if tally.rejected else 0)


def complain(reason: str) -> int:
    """One line on standard error; returns the exit status."""
    print(f"nightaudit: {' '.join(reason.split())}", file=sys.stderr)
    return 1


def progress(path: Path) -> "tqdm[NoReturn]":
    """A bar over the bytes of the file, on a terminal."""
    size = path.stat().st_size
    return tqdm(total=size, unit="B", unit_scale=True, desc=path.name, disable=None, file=sys.stderr)


def report(path: Path, tally: Tally) -> None:
    """One line of figures, then the rejected lines, the first thousand of them."""
    clashes = sum(reason == CLASH for _, reason in tally.rejected)
    known = tally.seen - tally.stored - clashes
    print(f"{path.name}: {tally.stored} stored, {known} already there, {len(tally.rejected)} rejected")
    for line, reason in sorted(tally.rejected)[:REPORTED_LINES]:
        print(f"line {line}: {reason}", file=sys.stderr)
    if len(tally.rejected) > REPORTED_LINES:
        print(f"… and {len(tally.rejected) - REPORTED_LINES} more", file=sys.stderr)


async def generate_history(url: Secret, hotels: int, years: int, rooms: int, seed: int) -> int:
    """Write the history of simulated hotels that the feed does not know yet, up to today; returns the exit status."""
    if not 1 <= years <= MAX_HISTORY_YEARS:
        return complain(f"a history has 1 to {MAX_HISTORY_YEARS} years, not {years}")
    stored = 0
    try:
        connection = await connect(url)
        try:
            first_id = 1 + (await queries.select_last_hotel(connection) or 0)
            simulation = Simulation(seed, hotels, rooms, first_hotel_id=first_id)
            today = datetime.now(UTC).date()
            events = simulation.history(today - timedelta(days=365 * years), today)
            with tqdm(unit=" events", desc="generate", disable=None, file=sys.stderr) as bar:
                while chunk := list(islice(events, CHUNK_ROWS)):
                    ids = await draw_new_ids(connection, len(chunk))
                    rows: list[StagedRow] = [
                        (0, new_id, e.hotel_id, e.event_timestamp, e.status, str(e.room_id), e.night_of_stay)
                        for new_id, e in zip(ids, chunk, strict=True)
                    ]
                    stored += await store_chunk(connection, rows, [])
                    bar.update(len(chunk))
        finally:
            await connection.close()
    except ValueError as error:
        return complain(str(error))
    except NOT_STORED as error:
        return complain(f"PostgreSQL failed after {stored} events ({error})")
    print(f"{stored} events of hotels {first_id} to {first_id + hotels - 1}")
    return 0
