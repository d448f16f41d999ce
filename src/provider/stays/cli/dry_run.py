"""Finds out what an import would do, in short transactions that are rolled back.

Each tries all rows of a few properties, since no row depends on one of another property. So guests wait for no more
than some properties at a time, and PostgreSQL's lock table has room for them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import asyncpg

from common.csv_import import ImportResult
from common.db.pool import rolled_back
from provider.stays.cli.properties import import_properties
from provider.stays.cli.reservations import CHUNK_NIGHTS, import_reservations
from provider.stays.cli.rows import CHUNK_ROWS, Row
from provider.stays.service.feed_events import AppendEvents

RowsByProperty = Mapping[str, Sequence[Row]]


def rows_by_property(rows: Iterable[Row]) -> RowsByProperty:
    """The rows of each property, in their order."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[1]].append(row)
    return found


async def try_rows(
    connection: asyncpg.Connection,
    properties: RowsByProperty,
    reservations: RowsByProperty,
    results: Sequence[ImportResult],
    append: AppendEvents,
) -> None:
    """Count in the results, of the two files, what an import of the rows would do. Stores nothing."""
    for ids in chunks_of_properties(properties, reservations):
        async with rolled_back(connection):
            rows = (row for each in ids for row in properties.get(each, ()))
            await import_properties(connection, rows, results[0])
            rows = (row for each in ids for row in reservations.get(each, ()))
            await import_reservations(connection, rows, results[1], append)
    for result in results:
        result.changed.sort()


def chunks_of_properties(properties: RowsByProperty, reservations: RowsByProperty) -> Iterator[list[str]]:
    """Ids of properties, each chunk ended by that with which it has CHUNK_ROWS rows or exceeds CHUNK_NIGHTS nights."""
    chunk: list[str] = []
    number_of_rows = nights = 0
    for each in sorted(properties.keys() | reservations.keys()):
        chunk.append(each)
        stays = reservations.get(each, ())
        number_of_rows += len(properties.get(each, ())) + len(stays)
        nights += sum(row[3] for row in stays)
        if number_of_rows >= CHUNK_ROWS or nights > CHUNK_NIGHTS:
            yield chunk
            chunk, number_of_rows, nights = [], 0, 0
    if chunk:
        yield chunk
