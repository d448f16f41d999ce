"""`import-stays` of a file whose stays were cancelled or moved since they were imported."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path

import asyncpg
import pytest

from common.config import Secret
from provider.booking_events.service import append_events
from provider.stays.cli import import_stays
from provider.stays.inputs.reservations import ReservationChange
from provider.stays.models.clock import Clock
from provider.stays.service.reservations import cancel, change_nights

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)
CLOCK = Clock(NOW, "UTC", past=False)
ROWS = ["hut,2027-02-01,3", "suite,2027-02-01,3", "suite,2027-01-29,3"]

Import = Callable[..., Awaitable[int]]


@pytest.fixture
async def load(provider_url: Secret, provider_db: asyncpg.Pool, tmp_path: Path) -> Import:
    """Imports the rows, into the properties hut and suite, of which suite is a hotel's room."""

    async def run(*rows: str) -> int:
        files = tmp_path / "properties.csv", tmp_path / "reservations.csv"
        files[0].write_text("property_id,description\nhut,A hut\nsuite,A suite\n")
        files[1].write_text("\n".join(["property_id,start_date,number_of_nights", *rows]))
        return await import_stays.import_files(provider_url, *files, append_events)

    await provider_db.execute("SELECT create_property('suite', 'A suite', 0::smallint, 3, '17', NULL)")
    assert await run(*ROWS) == 0
    return run


async def stays(db: asyncpg.Pool) -> list[asyncpg.Record]:
    return await db.fetch("SELECT * FROM reservation ORDER BY property_id, arrival, departure")


async def events(db: asyncpg.Pool) -> Counter[tuple[int, str]]:
    rows = await db.fetch("SELECT status, night_of_stay::text FROM booking_event")
    return Counter((row["status"], row["night_of_stay"]) for row in rows)


async def test_cancelled_stays_do_not_come_back(
    load: Import, provider_db: asyncpg.Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    for stay in await stays(provider_db):
        await cancel(provider_db, append_events, stay["reservation_id"], None, CLOCK)
    before, told = await stays(provider_db), await events(provider_db)
    capsys.readouterr()

    assert await load(*ROWS) == 0

    assert "reservations.csv: 0 stored, 3 already stored, 0 rejected" in capsys.readouterr().out
    assert (await stays(provider_db), await events(provider_db)) == (before, told)
    assert told == Counter(
        [
            *((1, f"2027-01-{day}") for day in (29, 30, 31)),
            (2, "2027-01-31"),
            *((status, f"2027-02-0{day}") for status in (1, 2) for day in (1, 2, 3)),
        ]
    )


async def test_moved_stays_do_not_come_back(
    load: Import, provider_db: asyncpg.Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    for stay in await stays(provider_db):
        if stay["arrival"] == date(2027, 2, 1):
            moved = ReservationChange(start_date=date(2027, 3, 1), nights=2)
            await change_nights(provider_db, append_events, stay["reservation_id"], moved, None, CLOCK)
    before, told = await stays(provider_db), await events(provider_db)
    capsys.readouterr()

    assert await load(*ROWS) == 0

    assert "reservations.csv: 0 stored, 3 already stored, 0 rejected" in capsys.readouterr().out
    assert (await stays(provider_db), await events(provider_db)) == (before, told)


async def test_a_new_row_with_the_nights_of_a_moved_stay_is_not_taken_for_imported(
    load: Import, provider_db: asyncpg.Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    (stay, *_) = await stays(provider_db)
    moved = ReservationChange(start_date=date(2027, 3, 1))
    await change_nights(provider_db, append_events, stay["reservation_id"], moved, None, CLOCK)
    capsys.readouterr()

    assert await load(*ROWS, "hut,2027-03-01,3", "hut,2027-02-02,3") == 1

    found = capsys.readouterr()
    assert "reservations.csv: 1 stored, 3 already stored, 1 rejected" in found.out
    assert found.err == "reservations.csv: line 5: overlaps the stay from 2027-03-01 to 2027-03-04\n"
