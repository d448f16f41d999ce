"""Imports of store files: repeated, late, invalid, concurrent."""

import asyncio
import gzip
import io
from datetime import UTC, datetime, time
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.csv_import import RejectedLine
from common.db.pool import Connection
from common.web.errors import FieldError, Invalid
from dashboard.uptime.intake import load
from dashboard.uptime.intake.load import Intake, import_file
from dashboard.uptime.intake.parse import StoreFile
from dashboard.uptime.models.imports import ImportSummary
from dashboard.uptime.queries import imports
from tests.dashboard.uptime.fleet import LATER, utc

STATUS = "store_id,status,timestamp_utc\n"
HOURS = "store_id,dayOfWeek,start_time_local,end_time_local\n"
ZONES = "store_id,timezone_str\n"


def intake(kind: StoreFile, text: str | bytes, **options: Any) -> Intake:
    data = text.encode() if isinstance(text, str) else text
    return Intake(kind, io.BytesIO(data), "a test", **{"now": datetime.now(UTC), "made_by": "a test", **options})


async def import_text(db: asyncpg.Pool, kind: StoreFile, text: str | bytes, **options: Any) -> ImportSummary:
    return await import_file(db, intake(kind, text, **options))


async def polls(db: asyncpg.Pool) -> list[tuple[str, str, bool]]:
    rows = await db.fetch("SELECT * FROM store_poll ORDER BY store_id, polled_at")
    return [(row["store_id"], row["polled_at"].strftime("%d %H:%M"), row["active"]) for row in rows]


async def test_a_poll_seen_twice_counts_once(dashboard_db: asyncpg.Pool) -> None:
    text = (
        STATUS + "2,active,2023-01-22 12:00:00 UTC\n1,active,2023-01-22 12:00:00.5 UTC\n2,active,2023-01-22T12:00:00Z\n"
    )
    assert await import_text(dashboard_db, StoreFile.STATUS, text) == ImportSummary(3, 2, [], 0)
    assert await import_text(dashboard_db, StoreFile.STATUS, text) == ImportSummary(3, 0, [], 0)
    assert await polls(dashboard_db) == [("1", "22 12:00", True), ("2", "22 12:00", True)]


async def test_inactive_wins_in_any_order_of_imports(dashboard_db: asyncpg.Pool) -> None:
    active, inactive = (f"{STATUS}1,{status},2023-01-22 12:00:00 UTC\n" for status in ("active", "inactive"))
    await import_text(dashboard_db, StoreFile.STATUS, active)
    assert (await import_text(dashboard_db, StoreFile.STATUS, inactive)).new == 0
    await import_text(dashboard_db, StoreFile.STATUS, active)
    assert await polls(dashboard_db) == [("1", "22 12:00", False)]
    changed = [
        row["changed"] for row in await dashboard_db.fetch("SELECT changed FROM store_import ORDER BY import_id")
    ]
    assert changed == [True, True, False]


async def test_late_polls_are_accepted_and_first_and_last_poll_are_kept(dashboard_db: asyncpg.Pool) -> None:
    await import_text(dashboard_db, StoreFile.STATUS, STATUS + "1,active,2023-01-22 12:00:00 UTC\n")
    await import_text(
        dashboard_db,
        StoreFile.STATUS,
        STATUS + "1,inactive,2023-01-20 12:00:00 UTC\n1,active,2023-01-21 12:00:00 UTC\n",
    )
    store = await dashboard_db.fetchrow("SELECT * FROM store")
    assert store is not None
    assert (store["first_polled_at"], store["last_polled_at"]) == (utc("2023-01-20 12:00"), utc("2023-01-22 12:00"))
    assert await imports.select_newest_poll(dashboard_db, LATER) == utc("2023-01-22 12:00")


async def test_all_hours_of_a_store_in_the_file_are_replaced_and_other_stores_keep_theirs(
    dashboard_db: asyncpg.Pool,
) -> None:
    first = HOURS + "1,0,09:00:00,17:00:00\n1,1,09:00:00,17:00:00\n2,0,10:00:00,24:00:00\n"
    assert await import_text(dashboard_db, StoreFile.BUSINESS_HOURS, first) == ImportSummary(3, 3, [], 0)
    second = HOURS + "1,1,09:00:00,17:00:00\n1,2,09:00:00,17:00:00\n1,2,09:00:00,17:00:00\n"
    assert await import_text(dashboard_db, StoreFile.BUSINESS_HOURS, second) == ImportSummary(3, 1, [], 0)
    rows = await dashboard_db.fetch("SELECT store_id, weekday, closes::text FROM store_hours ORDER BY 1, 2")
    assert [tuple(row) for row in rows] == [("1", 1, "17:00:00"), ("1", 2, "17:00:00"), ("2", 0, "24:00:00")]
    assert (await import_text(dashboard_db, StoreFile.BUSINESS_HOURS, second)).new == 0


async def test_fewer_hours_are_a_change_although_no_row_is_new(dashboard_db: asyncpg.Pool) -> None:
    await import_text(dashboard_db, StoreFile.BUSINESS_HOURS, HOURS + "1,0,09:00:00,17:00:00\n1,1,09:00:00,17:00:00\n")
    assert (await import_text(dashboard_db, StoreFile.BUSINESS_HOURS, HOURS + "1,1,09:00:00,17:00:00\n")).new == 0
    assert await dashboard_db.fetchval("SELECT bool_and(changed) FROM store_import")
    assert await dashboard_db.fetchval("SELECT array_agg(opens) FROM store_hours") == [time(9)]


async def test_the_last_line_names_the_zone(dashboard_db: asyncpg.Pool) -> None:
    text = ZONES + "1,America/Denver\n2,Asia/Beirut\n1,AMERICA/boise\n"
    assert (await import_text(dashboard_db, StoreFile.TIMEZONES, text)).new == 2
    assert (await import_text(dashboard_db, StoreFile.TIMEZONES, text)).new == 0
    zones = await dashboard_db.fetch("SELECT store_id, timezone FROM store ORDER BY store_id")
    assert [tuple(row) for row in zones] == [("1", "America/Boise"), ("2", "Asia/Beirut")]


async def test_invalid_rows_are_rejected_and_all_valid_ones_imported(dashboard_db: asyncpg.Pool) -> None:
    text = (
        STATUS
        + "1,active,2023-01-22 12:00:00 UTC\n1,open,2023-01-22 13:00:00 UTC\n1,inactive,2023-01-22 14:00:00 UTC\n"
    )
    summary = await import_text(dashboard_db, StoreFile.STATUS, text)
    rejected = [RejectedLine(3, "status 'open' must be active or inactive")]
    assert summary == ImportSummary(3, 2, rejected, 1)
    assert await polls(dashboard_db) == [("1", "22 12:00", True), ("1", "22 14:00", False)]
    (listed,) = await imports.select_imports(dashboard_db, None, 10)
    assert (listed.kind, listed.source, listed.rows, listed.new) == ("status", "a test", 3, 2)
    assert listed.rejected == rejected


async def test_a_wrong_header_imports_nothing(dashboard_db: asyncpg.Pool) -> None:
    with pytest.raises(Invalid):
        await import_text(
            dashboard_db, StoreFile.STATUS, "store_id,state,timestamp_utc\n1,active,2023-01-22 12:00:00 UTC\n"
        )
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_import") == 0
    assert await polls(dashboard_db) == []


async def test_a_file_that_is_cut_off_imports_nothing(dashboard_db: asyncpg.Pool) -> None:
    text = STATUS + "1,active,2023-01-22 12:00:00 UTC\n"
    with pytest.raises(Invalid) as refused:
        await import_text(dashboard_db, StoreFile.STATUS, gzip.compress(text.encode())[:-5])
    assert refused.value.errors == [FieldError("body", "it ends in the middle of its gzip data")]
    assert await polls(dashboard_db) == []
    await import_text(dashboard_db, StoreFile.STATUS, text)
    assert len(await polls(dashboard_db)) == 1


async def test_a_file_of_a_header_alone_is_empty(dashboard_db: asyncpg.Pool) -> None:
    for kind, header in ((StoreFile.STATUS, STATUS), (StoreFile.BUSINESS_HOURS, HOURS), (StoreFile.TIMEZONES, ZONES)):
        assert await import_text(dashboard_db, kind, header.rstrip("\n")) == ImportSummary(0, 0, [], 0)


async def test_concurrent_imports_neither_lose_nor_duplicate_rows(dashboard_db: asyncpg.Pool) -> None:
    def text(first: int) -> str:
        return STATUS + "".join(
            f"{store},{'in' * (minute % 2)}active,2023-01-22 12:{minute:02}:00 UTC\n"
            for store in range(20)
            for minute in range(first, first + 30)
        )

    summaries = await asyncio.gather(
        *(import_text(dashboard_db, StoreFile.STATUS, text(first)) for first in (0, 10, 20, 30) * 2),
        import_text(dashboard_db, StoreFile.TIMEZONES, ZONES + "1,Asia/Beirut\n"),
        import_text(dashboard_db, StoreFile.BUSINESS_HOURS, HOURS + "1,1,09:00:00,17:00:00\n"),
    )
    assert sum(summary.new for summary in summaries) == 20 * 60 + 2
    assert len(await polls(dashboard_db)) == 20 * 60
    assert await dashboard_db.fetchval("SELECT count(*) FROM store") == 20


async def key_of_polls(db: asyncpg.Pool) -> str:
    return await db.fetchval("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'store_poll_pkey'")


async def test_a_first_bulk_is_imported_as_small_files_are(
    dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is built after the first bulk; it exists and holds once the polls are visible."""
    text = STATUS + "".join(
        f"{store},{status},2023-01-22 12:{minute:02}:00 UTC\n"
        for store in (2, 1)
        for minute in (1, 0)
        for status in ("active", "inactive" if store == minute else "active")
    )
    key = await key_of_polls(dashboard_db)
    monkeypatch.setattr(load, "BULK_ROWS", 8)
    assert await import_text(dashboard_db, StoreFile.STATUS, text) == ImportSummary(8, 4, [], 0)
    assert await polls(dashboard_db) == [
        ("1", "22 12:00", True),
        ("1", "22 12:01", False),
        ("2", "22 12:00", True),
        ("2", "22 12:01", True),
    ]
    assert await key_of_polls(dashboard_db) == key
    with pytest.raises(asyncpg.UniqueViolationError):
        await dashboard_db.execute("INSERT INTO store_poll SELECT store_id, polled_at, NOT active FROM store_poll")
    assert await import_text(dashboard_db, StoreFile.STATUS, text) == ImportSummary(8, 0, [], 0)


async def test_a_first_bulk_that_fails_leaves_the_key(
    dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: Connection) -> None:
        raise Invalid("the end of the transaction")

    monkeypatch.setattr(load, "BULK_ROWS", 1)
    key = await key_of_polls(dashboard_db)
    with pytest.raises(Invalid, match="the end of the transaction"):
        await import_file(
            dashboard_db, intake(StoreFile.STATUS, STATUS + "1,active,2023-01-22 12:00:00 UTC\n"), before_commit=fail
        )
    assert await polls(dashboard_db) == []
    assert await key_of_polls(dashboard_db) == key


async def hours(db: asyncpg.Pool) -> list[tuple[str, int]]:
    rows = await db.fetch("SELECT store_id, weekday FROM store_hours ORDER BY 1, 2")
    return [(row["store_id"], row["weekday"]) for row in rows]


async def test_a_store_of_which_a_row_is_wrong_keeps_its_old_hours_whole_and_is_named(
    dashboard_db: asyncpg.Pool,
) -> None:
    """The store would seem closed on the day of the wrong row."""
    shift = "09:00:00,17:00:00\n"
    await import_text(dashboard_db, StoreFile.BUSINESS_HOURS, HOURS + f"1,0,{shift}1,1,{shift}2,0,{shift}")
    text = HOURS + f"1,2,{shift}1,3,9-17,17:00:00\n1,4,{shift}2,5,{shift}3,6,{shift}"
    summary = await import_text(dashboard_db, StoreFile.BUSINESS_HOURS, text)
    assert await hours(dashboard_db) == [("1", 0), ("1", 1), ("2", 5), ("3", 6)]
    assert (summary.rows, summary.new, summary.rejected_total) == (5, 2, 3)
    assert summary.notices == [
        "store '1' keeps its old hours, because line 3 was rejected; its 2 valid rows were not used"
    ]
    (listed, _) = await imports.select_imports(dashboard_db, None, 10)
    assert listed.notices == summary.notices


async def test_the_valid_rows_of_a_store_that_keeps_its_hours_are_listed_as_rejected(
    dashboard_db: asyncpg.Pool,
) -> None:
    """So a corrected file of the rejected lines has all hours of the store."""
    lines = ['1,2,"09:00:00",17:00:00', "2,5,09:00:00,17:00:00", "1,3,9-17,17:00:00", "1,4,09:00:00,17:00:00"]
    kept: list[RejectedLine] = []
    text = HOURS + "\n".join([*lines, lines[0]])
    summary = await import_text(dashboard_db, StoreFile.BUSINESS_HOURS, text, on_rejected=kept.append)
    assert [(each.line, each.text) for each in sorted(kept)] == [
        (2, lines[0]), (4, lines[2]), (5, lines[3]), (6, lines[0]),
    ]  # fmt: skip
    reason = "is not used, because line 4 of the same store was rejected"
    assert [each.reason for each in sorted(kept)][::2] == [reason, reason]
    assert [(each.line, each.text) for each in summary.rejected] == [(2, None), (4, None), (5, None), (6, None)]
    assert (summary.rows, summary.new, summary.rejected_total) == (5, 1, 4)


async def test_a_file_of_which_no_row_is_valid_is_refused_and_its_rows_are_named(dashboard_db: asyncpg.Pool) -> None:
    with pytest.raises(Invalid) as refused:
        await import_text(dashboard_db, StoreFile.STATUS, STATUS + "1,open,2023-01-22 12:00:00 UTC\n2,active,never\n")
    assert refused.value.detail == "The file was refused: none of its 2 rows is valid."
    assert [fault.field for fault in refused.value.errors] == ["lines.2", "lines.3"]
    with pytest.raises(Invalid) as refused:
        await import_text(dashboard_db, StoreFile.STATUS, STATUS, require_rows=True)
    assert refused.value.errors == [FieldError("body", "the file contains no rows")]
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_import") == 0


async def test_a_poll_that_is_dated_in_the_future_moves_no_window(dashboard_db: asyncpg.Pool) -> None:
    now = utc("2023-01-22 12:00")
    text = STATUS + "".join(f"1,active,2023-01-22 {at} UTC\n" for at in ("12:00:00", "12:10:00", "12:10:00.000001"))
    summary = await import_text(dashboard_db, StoreFile.STATUS, text + "2,active,2099-01-01 00:00:00 UTC\n", now=now)
    assert [line.line for line in summary.rejected] == [4, 5]
    assert await dashboard_db.fetchval("SELECT max(last_polled_at) FROM store") == utc("2023-01-22 12:10")


async def test_a_dry_run_counts_what_an_import_would_change_and_stores_nothing(
    dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "BULK_ROWS", 2)
    text = STATUS + "1,active,2023-01-22 12:00:00 UTC\n1,active,2023-01-22 13:00:00 UTC\n1,off,2023-01-22 14:00:00\n"
    checked = await import_text(dashboard_db, StoreFile.STATUS, text, dry_run=True)
    assert await polls(dashboard_db) == []
    assert await dashboard_db.fetchval("SELECT count(*) FROM store_import") == 0
    assert await import_text(dashboard_db, StoreFile.STATUS, text) == checked
    assert (checked.rows, checked.new, checked.rejected_total) == (3, 2, 1)


async def test_an_import_that_changes_nothing_leaves_the_version_of_the_data(dashboard_db: asyncpg.Pool) -> None:
    text = STATUS + "1,active,2023-01-22 12:00:00 UTC\n"
    await import_text(dashboard_db, StoreFile.STATUS, text)
    version = await imports.select_data_version(dashboard_db)
    await import_text(dashboard_db, StoreFile.STATUS, text)
    assert await imports.select_data_version(dashboard_db) == version
    await import_text(dashboard_db, StoreFile.STATUS, STATUS + "1,active,2023-01-22 13:00:00 UTC\n")
    assert await imports.select_data_version(dashboard_db) == version + 2


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_no_file_leaves_a_part_of_it_or_anything_but_a_reason(
    dashboard_db: asyncpg.Pool, data: st.DataObject
) -> None:
    """Real rows with parts replaced by what hypothesis thinks of."""
    kind = data.draw(st.sampled_from(list(StoreFile)))
    header, row = {
        StoreFile.STATUS: (STATUS, "1,active,2023-01-22 12:00:00 UTC"),
        StoreFile.BUSINESS_HOURS: (HOURS, "1,0,09:00:00,17:00:00"),
        StoreFile.TIMEZONES: (ZONES, "1,Asia/Beirut"),
    }[kind]
    written = bytearray((header + f"{row}\n" * 3).encode())
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(written)))
        written[start : start + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=5))
    before = await dashboard_db.fetchval("SELECT count(*) FROM store_import")
    try:
        summary = await import_text(dashboard_db, kind, bytes(written))
    except Invalid:
        assert await dashboard_db.fetchval("SELECT count(*) FROM store_import") == before
    else:
        assert summary.rows >= summary.rejected_total
        assert await dashboard_db.fetchval("SELECT count(*) FROM store_import") == before + 1
