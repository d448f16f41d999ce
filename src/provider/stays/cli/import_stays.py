"""`python -m provider import-stays`, which loads existing properties and reservations from two CSV files.

Each reservation gets an id. Rows pass the same trigger and constraint as online reservations, in a transaction for each
chunk, so reservations can be made during the import; of two rows that overlap the first is stored and the other
reported. Rows that were imported before are skipped, also when their stays were cancelled or moved since: the import
can be repeated. The stays of a hotel's room enter the feed in the same transaction.
"""

from collections.abc import Sequence
from pathlib import Path

from common.config import Secret
from common.csv_files import CsvHeaderError
from common.csv_import import (
    CANNOT_OPEN,
    NOT_STORED,
    STORE_ALL,
    ImportOptions,
    ImportResult,
    print_error,
    rejected_writer,
)
from common.db.pool import connect_with
from common.db.time_limits import IMPORT_TIMEOUTS
from common.text_blocks import DamagedFileError
from provider.stays.cli.dry_run import rows_by_property, try_rows
from provider.stays.cli.properties import import_properties
from provider.stays.cli.reservations import import_reservations
from provider.stays.cli.rows import PROPERTY, RESERVATION, read_rows, rejected_rows
from provider.stays.service.feed_events import AppendEvents


async def import_files(
    url: Secret, properties: Path, reservations: Path, append: AppendEvents, options: ImportOptions = STORE_ALL
) -> int:
    """Load both files and print a report of each; returns the exit status.

    It is 1 if any row was rejected, if neither file has a row that was taken, or after a failure, with which the report
    says what was stored before it. append: stores the events of stays in hotels' rooms. A dry run reads both files into
    memory.
    """
    results = [ImportResult(properties.name), ImportResult(reservations.name)]
    connection = await connect_with(url, "provider-import", IMPORT_TIMEOUTS)
    path, failed = properties, 0
    try:
        try:
            property_rows = read_rows(properties, PROPERTY, results[0])
            if options.dry_run:
                by_property = rows_by_property(property_rows)
            else:
                await import_properties(connection, property_rows, results[0])
            path = reservations
            reservation_rows = read_rows(reservations, RESERVATION, results[1])
            if options.dry_run:
                await try_rows(connection, by_property, rows_by_property(reservation_rows), results, append)
            else:
                await import_reservations(connection, reservation_rows, results[1], append)
        except NOT_STORED as error:
            advice = f"{path}: PostgreSQL failed; the import can be run again"
            if options.dry_run:  # which tries the rows of both files together
                advice = "PostgreSQL failed; the dry run can be run again"
            failed = print_error(f"{advice} ({error})")
        if options.rejected is not None:
            write_rejected(options.rejected, properties, reservations, results)
    except (CsvHeaderError, DamagedFileError) as error:
        failed = print_error(f"{path}: {error}")
    except CANNOT_OPEN as error:
        failed = print_error(f"{error.filename or path}: {error.strerror}")
    finally:
        await connection.close()
    for result in results:
        if not failed or result.has_rows or result.rejected:
            result.report(dry_run=options.dry_run)
    has_rows = any(result.has_rows for result in results)
    return 1 if failed or any(result.rejected for result in results) or not has_rows else 0


def write_rejected(target: Path, properties: Path, reservations: Path, results: Sequence[ImportResult]) -> None:
    """Write the rejected rows of both files, with their texts, to a new CSV file. Raises OSError."""
    with rejected_writer(target) as write:
        for path, columns, result in zip((properties, reservations), (PROPERTY, RESERVATION), results, strict=True):
            for line in rejected_rows(path, result, columns):
                write(path.name, line)
