"""A report on a real fleet, loaded from its files, agrees with the reference store by store.

The files are too large for the repository. They are beside the checkout, or where NIGHTAUDIT_STORES_DATA points.
"""

import csv
import gzip
import io
import lzma
import os
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from dashboard.uptime.intake.load import Intake, import_file
from dashboard.uptime.intake.parse import StoreFile
from tests.dashboard.uptime.fleet import Store, clock, expected, measured
from tests.dashboard.uptime.reference import Hours, Poll
from tests.support.applications import ROOT

FOLDER = Path(os.environ.get("NIGHTAUDIT_STORES_DATA") or ROOT.parent / "shared" / "data" / "stores")
FILES = {
    StoreFile.STATUS: "store_status_full.csv.xz",
    StoreFile.BUSINESS_HOURS: "business_hours.csv.gz",
    StoreFile.TIMEZONES: "timezones.csv.gz",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the real data is not beside this checkout ({FOLDER.name})"),
]


def open_file(kind: StoreFile) -> lzma.LZMAFile | gzip.GzipFile:
    path = FOLDER / FILES[kind]
    return lzma.LZMAFile(path) if path.suffix == ".xz" else gzip.GzipFile(path)


def rows(kind: StoreFile) -> Iterator[dict[str, str]]:
    with open_file(kind) as file:
        yield from csv.DictReader(io.TextIOWrapper(file))


def read_fleet() -> dict[str, Store]:
    """Read the fleet in plain Python."""
    polls: dict[str, list[Poll]] = defaultdict(list)
    for line in rows(StoreFile.STATUS):
        at = datetime.fromisoformat(line["timestamp_utc"].replace(" UTC", "Z"))
        polls[line["store_id"]].append((at, line["status"] == "active"))
    hours: dict[str, list[Hours]] = defaultdict(list)
    for line in rows(StoreFile.BUSINESS_HOURS):
        hours[line["store_id"]].append(
            (int(line["day"]), clock(line["start_time_local"]), clock(line["end_time_local"]))
        )
    timezones = {line["store_id"]: line["timezone_str"] for line in rows(StoreFile.TIMEZONES)}
    return {name: Store(at, hours.get(name, []), timezones.get(name)) for name, at in polls.items()}


async def test_the_figures_of_every_real_store_are_right(dashboard_db: asyncpg.Pool) -> None:
    for kind in StoreFile:
        with (FOLDER / FILES[kind]).open("rb") as file:
            summary = await import_file(dashboard_db, Intake(kind, file, "a file", datetime.now(UTC), "a test"))
        assert summary.rejected_total == 0
    stores = read_fleet()
    newest = max(at for store in stores.values() for at, _ in store.polls)
    assert await measured(dashboard_db) == expected(stores, newest)
