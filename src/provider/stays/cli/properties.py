"""Stores the properties of a file, and changes those that are stored where the file says something else.

The description of a stored property stays; the columns that may be missing change it where they have a value.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from common.csv_import import ImportResult
from common.db.pool import Connection
from provider.stays.cli.rows import CHUNK_ROWS, RULES, Row
from provider.stays.queries import imports as queries
from provider.stays.queries import properties
from provider.stays.queries.calendar_sources import update_sources_to_read_anew

WORDS = {None: "none", True: "yes", False: "no"}


async def import_properties(connection: Connection, rows: Iterator[Row], result: ImportResult) -> None:
    """Store the properties of rows in chunks, each in a transaction of its own."""
    while chunk := list(islice(rows, CHUNK_ROWS)):
        counted = ImportResult(result.name)  # of no effect if the transaction fails
        async with connection.transaction():
            new = await queries.insert_properties(connection, chunk)
            await apply_rules(connection, chunk, new, counted)
        result.stored += counted.stored
        result.already_stored += counted.already_stored
        result.changed += counted.changed


async def apply_rules(connection: Connection, chunk: Sequence[Row], new: set[str], result: ImportResult) -> None:
    """Give the properties of the rows the values of the columns that may be missing, and count the rows.

    new: the ids of the properties that the rows have just created.
    """
    wanted = [{name: value for name, value in zip(RULES, row[3:], strict=True) if value is not None} for row in chunk]
    stored_before = {row[1] for row in chunk} - new
    ids = sorted({row[1] for row, rules in zip(chunk, wanted, strict=True) if rules})
    stored: dict[str, dict[str, Any]] = {}
    if ids:
        await properties.lock_properties(connection, *ids)
        stored = await queries.select_rules(connection, ids)
    changed: dict[str, dict[str, Any]] = {}
    moved: set[str] = set()  # to another time zone
    for (line, property_id, *_), rules in zip(chunk, wanted, strict=True):
        current = stored.get(property_id, {})  # none if somebody has deleted it meanwhile
        changes = {name: value for name, value in rules.items() if name in current and current[name] != value}
        if property_id in new:
            new.remove(property_id)
            result.stored += 1
        elif changes:
            result.changed.append((line, described(property_id, current, changes)))
        else:
            result.already_stored += 1
        if changes:
            current.update(changes)
            changed[property_id] = current
        if "timezone" in changes:
            moved.add(property_id)
    # In one order, or two imports at once would wait for each other.
    for zone in sorted({stored[each]["timezone"] for each in moved}):
        await properties.note_time_zone(connection, zone)
    if changed:
        await queries.update_rules(connection, list(changed.values()))
    for each in sorted(moved & stored_before):
        await update_sources_to_read_anew(connection, each)


def described(property_id: str, stored: dict[str, Any], changes: dict[str, Any]) -> str:
    """What changes, in words."""
    parts = [f"{name} from {in_words(stored[name])} to {in_words(value)}" for name, value in changes.items()]
    return f"{property_id}: {', '.join(parts)}"


def in_words(value: Any) -> str:
    return WORDS[value] if value is None or isinstance(value, bool) else str(value)
