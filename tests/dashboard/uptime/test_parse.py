"""The readers of the three store files."""

import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.csv_files import MAX_RECORD_BYTES, CsvFile
from common.csv_import import RejectedLine
from common.instants import format_instant, parse_instant
from common.limits import MAX_POLL_AHEAD
from common.text_blocks import read_blocks
from common.web.errors import Invalid
from dashboard.uptime.intake.parse import (
    MAX_KEPT_REJECTIONS,
    StoreFile,
    StoreFileReader,
    past_instants,
)

ZONES = {"america/new_york": "America/New_York"}
STATUS = "store_id,status,timestamp_utc\n"
HOURS = "store_id,dayOfWeek,start_time_local,end_time_local\n"
NOW = datetime(2026, 11, 28, 6, 30, 30, tzinfo=UTC)


def parse(
    kind: StoreFile, *parts: str | bytes, now: datetime = NOW, kept: list[RejectedLine] | None = None
) -> tuple[list[str], StoreFileReader]:
    """The valid rows, and the reader. kept: gets every rejected line."""
    encoded = [part.encode() if isinstance(part, str) else part for part in parts]
    blocks = read_blocks(io.BytesIO(encoded[0])) if len(encoded) == 1 else iter(encoded)
    rejected = [] if kept is None else kept
    reader = StoreFileReader(kind, blocks, now, ZONES, rejected.append)
    rows = b"".join(reader.rows())
    return rows.decode().splitlines(), reader


def reasons(reader: StoreFileReader) -> list[tuple[int, str]]:
    return [(line.line, line.reason) for line in reader.outcome.rejected]


def test_rows_of_the_usual_form_pass_unchanged() -> None:
    rows, parser = parse(
        StoreFile.STATUS, STATUS, "1,active,2023-01-22 12:09:39.388884 UTC\n2,inactive,2023-01-22T12:09:39Z\n"
    )
    assert rows == ["1,active,2023-01-22 12:09:39.388884 UTC", "2,inactive,2023-01-22T12:09:39Z"]
    assert [column.name for column in parser.columns] == ["store_id", "status", "polled_at"]
    assert (parser.outcome.rows, parser.outcome.rejected_total) == (2, 0)


def test_any_order_of_columns_a_byte_order_mark_quotes_and_carriage_returns_are_accepted() -> None:
    header = '\ufefftimestamp_utc,"Store_ID",status\r\n'
    rows, parser = parse(
        StoreFile.STATUS, header + '2023-01-22 12:09:39 UTC,1,active\r\n"2023-01-22 12:10:00","2","inactive"\r\n'
    )
    assert [column.name for column in parser.columns] == ["polled_at", "store_id", "status"]
    assert rows == ["2023-01-22 12:09:39 UTC,1,active", '"2023-01-22 12:10:00","2","inactive"']


def test_the_weekday_has_two_names() -> None:
    for title in ("dayOfWeek", "day", "DAYOFWEEK"):
        rows, _ = parse(
            StoreFile.BUSINESS_HOURS, f"store_id,{title},start_time_local,end_time_local\n1,0,09:00:00,24:00:00\n"
        )
        assert rows == ['"1","0","09:00:00","24:00:00"']


@pytest.mark.parametrize("zone", ["", " UTC", "Z", "+00", "+0000", "+00:00"])
def test_instants_of_the_usual_form_pass_unchanged(zone: str) -> None:
    rows, _ = parse(StoreFile.STATUS, STATUS, f"1,active,2023-01-01 10:00:00.5{zone}\n")
    assert rows == [f"1,active,2023-01-01 10:00:00.5{zone}"]


@pytest.mark.parametrize(
    ("written", "converted"),
    [
        ("2024-02-29 00:00:00 UTC", "2024-02-29T00:00:00+00:00"),
        ("2023-01-01 10:00", "2023-01-01T10:00:00+00:00"),
        ("2023-01-01T10:00:00.123456789Z", "2023-01-01T10:00:00.123456+00:00"),
        ("2023-01-01 10:00:00+05:30", "2023-01-01T04:30:00+00:00"),
        (" 2023-01-01 10:00:00UTC ", "2023-01-01T10:00:00+00:00"),
    ],
)
def test_instants_of_other_forms_are_converted(written: str, converted: str) -> None:
    rows, parser = parse(StoreFile.STATUS, STATUS, f"1,active,{written}\n")
    assert rows == [f'"1","active","{converted}"']
    assert parser.outcome.rejected_total == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,open,2023-01-01 10:00:00 UTC", "status 'open' must be active or inactive"),
        ("1,active,2023-02-29 10:00:00 UTC", "timestamp_utc '2023-02-29 10:00:00 UTC' is not a valid instant"),
        ("1,active,2023-01-01 24:00:00 UTC", "timestamp_utc '2023-01-01 24:00:00 UTC' is not a valid instant"),
        (
            "1,active,0001-01-01 00:00:00 +01:00",
            "timestamp_utc '0001-01-01 00:00:00 +01:00' is not a valid instant",
        ),
        ("1,active,now", "timestamp_utc 'now' must be an instant, such as 2020-01-01T00:00:00Z"),
        (
            "1,active,9999-01-01 10:00:00 UTC",
            "timestamp_utc '9999-01-01 10:00:00 UTC' is in the future",
        ),
        ("1,active,1969-12-31 10:00:00 UTC", "timestamp_utc '1969-12-31 10:00:00 UTC' is before the year 1970"),
        (",active,2023-01-01 10:00:00 UTC", "store_id '' must not be empty"),
        ("a\x00b,active,2023-01-01 10:00:00 UTC", r"store_id 'a\x00b' has characters that cannot be printed"),
        ("1,active", "has 2 columns instead of 3"),
        ("1,active,2023-01-01 10:00:00 UTC,x", "has 4 columns instead of 3"),
        ('"1,active,2023-01-01 10:00:00 UTC', "is not valid CSV: unexpected end of data"),
    ],
)
def test_an_invalid_row_is_rejected_with_its_line_and_reason_and_no_other_row_is_lost(line: str, reason: str) -> None:
    valid = "1,active,2023-01-01 10:00:00 UTC"
    rows, parser = parse(StoreFile.STATUS, f"{STATUS}{valid}\n\n{line}\n{valid}\n")
    assert rows == [valid, valid]
    assert reasons(parser) == [(4, reason)]
    assert (parser.outcome.rows, parser.outcome.rejected_total) == (3, 1)


def test_every_invalid_field_of_a_row_is_named() -> None:
    _, parser = parse(StoreFile.BUSINESS_HOURS, "store_id,day,start_time_local,end_time_local\n1,7,9h,25:00:00\n")
    assert reasons(parser) == [
        (
            2,
            "dayOfWeek '7' must be 0 (Monday) to 6 (Sunday); start_time_local '9h' must be a time, such as 09:00:00;"
            " end_time_local '25:00:00' is not a valid time of day",
        )
    ]


def test_time_zones_are_those_of_the_database_in_any_case() -> None:
    rows, parser = parse(StoreFile.TIMEZONES, "timezone_str,store_id\namerica/new_york,1\nMars/Olympus,2\nEST5EDT4,3\n")
    assert rows == ['"America/New_York","1"']
    assert [line for line, _ in reasons(parser)] == [3, 4]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "store_id,status\n",
        '"store_id,status,timestamp_utc\n',
        "store_id,status,time\n",
        "store_id,store_id,status,timestamp_utc\n",
        "1,active,2023-01-01 10:00:00 UTC\n",
        "x" * (MAX_RECORD_BYTES + 1),
        b"\xff\xfes\x00t\x00\n",
    ],
)
def test_a_wrong_header_refuses_the_file(header: str | bytes) -> None:
    with pytest.raises(Invalid) as refused:
        parse(StoreFile.STATUS, header)
    assert refused.value.errors[0].field == "header"


def test_only_the_first_hundred_rejections_are_kept_but_all_are_counted() -> None:
    _, parser = parse(StoreFile.STATUS, STATUS, "x\n" * 1000)
    assert len(parser.outcome.rejected) == MAX_KEPT_REJECTIONS
    assert parser.outcome.rejected_total == 1000


def test_an_endless_line_does_not_fill_the_memory() -> None:
    valid = "1,active,2023-01-01 10:00:00 UTC\n"
    rows, parser = parse(StoreFile.STATUS, STATUS, *["x" * 100_000] * 50, "\n", valid)
    assert rows == [valid.strip()]
    assert reasons(parser) == [(2, "is longer than 10000 bytes")]


def test_bytes_that_are_not_utf_8_are_rejected() -> None:
    rows, parser = parse(StoreFile.STATUS, STATUS, b"\xff,active,2023-01-01 10:00:00 UTC\n")
    assert rows == []
    assert reasons(parser) == [(2, "is not valid UTF-8 or UTF-16")]


lines = st.one_of(
    st.just("1,active,2023-01-01 10:00:00 UTC"),
    st.just("Ä,inactive,2024-02-29T10:00:00.5Z"),
    st.just('"1","active","2023-01-01 10:00:00"'),
    st.just(""),
    st.text(alphabet='1,"\ractive 2023-:.TZ\u00e4', max_size=40),
)


@given(st.lists(lines, max_size=12), st.booleans(), st.lists(st.integers(0, 400), max_size=6))
def test_the_result_does_not_depend_on_where_the_stream_is_cut(
    texts: list[str], ended: bool, cuts: Sequence[int]
) -> None:
    written = (STATUS + "\n".join(texts) + ("\n" if ended else "")).encode()
    data = b"".join(read_blocks(io.BytesIO(written)))
    places = sorted(min(cut, len(data)) for cut in cuts)
    parts = [b"", *(data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True))]
    whole, at_once = parse(StoreFile.STATUS, data)
    pieces, in_parts = parse(StoreFile.STATUS, *parts)
    assert (pieces, reasons(in_parts), in_parts.outcome.rows) == (whole, reasons(at_once), at_once.outcome.rows)


def test_a_poll_is_rejected_from_eleven_minutes_in_the_future_on() -> None:
    latest = NOW + MAX_POLL_AHEAD
    texts = [format_instant(at) for at in (NOW, latest, latest + timedelta(microseconds=1))]
    rows, parser = parse(StoreFile.STATUS, STATUS + "".join(f"1,active,{text}\n" for text in texts))
    assert len(rows) == 2
    assert reasons(parser) == [(4, f"timestamp_utc {texts[2]!r} is in the future")]


edges = st.builds(
    lambda at, delta: at + delta,
    st.datetimes(datetime(1970, 1, 2), datetime(2199, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001 - it gets its zone there
    st.sampled_from([timedelta(), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=31)]),
)


@given(edges, edges)
def test_rows_pass_unchanged_only_if_their_instants_exist_and_are_past(now: datetime, at: datetime) -> None:
    text = f"{at:%Y-%m-%d %H:%M:%S}"
    usual = re.fullmatch(past_instants(now), text) is not None
    minute = now.replace(second=0, microsecond=0)
    assert usual == (at < minute and (at.month, at.day) != (2, 29))
    for wrong in (
        text.replace(text[5:10], "02-30"),
        text.replace(text[5:10], "13-01"),
        text.replace(text[5:10], "00-00"),
    ):
        assert re.fullmatch(past_instants(now), wrong) is None
    if usual:
        assert parse_instant(text) <= now


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_rows_of_other_delimiters_pass_as_they_are(delimiter: str) -> None:
    lines = ["store_id,status,timestamp_utc", "1,active,2023-01-22 12:00:00 UTC", "2,inactive,2023-01-22T12:00:00Z"]
    rows, parser = parse(StoreFile.STATUS, "\n".join(lines).replace(",", delimiter))
    assert rows == [line.replace(",", delimiter) for line in lines[1:]]
    assert parser.delimiter == delimiter
    rows, _ = parse(StoreFile.STATUS, "store_id;status;timestamp_utc\na,b;active;2024-02-29 10:00\n")
    assert rows == ['"a,b";"active";"2024-02-29T10:00:00+00:00"']


def test_unknown_columns_are_ignored_with_a_notice_in_any_place() -> None:
    text = 'id,status,note,store_id,timestamp_utc\n1,active,"two\nlines",7,2023-01-22 12:00:00 UTC\n2,off,,8,never\n'
    kept: list[RejectedLine] = []
    rows, parser = parse(StoreFile.STATUS, text, kept=kept)
    assert [column.name for column in parser.columns] == ["status", "store_id", "polled_at"]
    assert rows == ['"active","7","2023-01-22T12:00:00+00:00"']
    assert parser.outcome.notices == ["columns that are not known were ignored: id, note"]
    assert [(each.line, each.text) for each in kept] == [(4, "2,off,,8,never")]


def test_a_quoted_cell_may_go_on_in_the_next_line() -> None:
    usual = "3,active,2023-01-22 12:00:00 UTC\n"
    text = STATUS + usual + '1,"active\n",2023-01-22 12:00:00 UTC\n2,"in\nactive",2023-01-22 12:00:00 UTC\n' + usual
    rows, parser = parse(StoreFile.STATUS, text)
    assert rows == [usual.strip(), '"1","active","2023-01-22T12:00:00+00:00"', usual.strip()]
    assert reasons(parser) == [(5, "status 'in\\nactive' must be active or inactive")]
    assert (parser.outcome.rows, parser.outcome.rejected_total) == (4, 1)


fragments = st.sampled_from(
    ["1,active,2023-01-22 12:00:00 UTC", '2,"inactive', '"', "\n", "\n", ",", '""', " ", "x" * 600, ',"active",', "7"]
)


@given(st.lists(fragments, max_size=40), st.lists(st.integers(0, 4000), max_size=3))
def test_the_usual_rows_are_read_in_blocks_as_all_others_are_one_by_one(written: list[str], cuts: list[int]) -> None:
    data = (STATUS + "".join(written)).encode()
    places = sorted(min(cut, len(data)) for cut in cuts)
    parts = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    in_blocks = StoreFileReader(StoreFile.STATUS, iter(parts), NOW)
    one_by_one = StoreFileReader(StoreFile.STATUS, iter([data]), NOW)
    one_by_one._usual_rows = None
    for reader in (in_blocks, one_by_one):
        assert len(b"".join(reader.rows()).splitlines()) == reader.outcome.rows - reader.outcome.rejected_total
    assert in_blocks.outcome == one_by_one.outcome


def test_epoch_seconds_and_milliseconds_are_polls_too() -> None:
    rows, _ = parse(StoreFile.STATUS, STATUS + "1,active,1674388800\n2,active,1674388800000\n")
    assert rows == ['"1","active","2023-01-22T12:00:00+00:00"', '"2","active","2023-01-22T12:00:00+00:00"']


def test_ids_that_a_spreadsheet_has_rounded_are_named() -> None:
    _, parser = parse(
        StoreFile.STATUS,
        STATUS
        + "1.48E+18,active,2023-01-22 12:00:00 UTC\n8139926242460185114,active,2023-01-22 12:00:00 UTC\n"
        + '"1e+18",active,2024-02-29 12:00\nE+1,active,2023-01-22 12:00:00 UTC\n',
    )
    assert parser.outcome.notices == [
        "2 ids look as if a spreadsheet had rounded them, such as 1.48E+18; export ids as text"
    ]


@pytest.mark.parametrize(
    ("delimiter", "cell", "is_rounded"),
    [
        (";", "1,48E+18", True),
        (",", '"1,48E+18"', True),
        ("\t", "1,48E+18", True),
        (",", "1.48E18", True),
        (";", "1,48E18", True),
        (",", "4E12", False),
        (",", "x1.48E18", False),
        (",", "1.48E18-b", False),
    ],
)
def test_a_rounded_id_is_named_however_a_spreadsheet_writes_numbers(
    delimiter: str, cell: str, is_rounded: bool
) -> None:
    lines = STATUS.replace(",", delimiter) + delimiter.join([cell, "active", "2023-01-22 12:00:00 UTC\n"])
    rows, parser = parse(StoreFile.STATUS, lines)
    assert len(rows) == 1
    named = ["1 id looks as if a spreadsheet had rounded it, such as 1.48E+18; export ids as text"]
    assert parser.outcome.notices == named * is_rounded


def test_the_stores_of_rejected_hours_are_named_as_far_as_they_can_be_told() -> None:
    text = HOURS + '1,0,09:00:00,12:00:00\n1,8,09:00:00,12:00:00\n2,0,09:00\n"3,0,09:00:00,12:00:00\n,0,1,2\n1,9,1,2\n'
    _, parser = parse(StoreFile.BUSINESS_HOURS, text)
    assert parser.outcome.spoiled_stores == {"1": 3, "2": 4, "3": 5}


def test_every_rejected_line_is_handed_on_with_its_text() -> None:
    kept: list[RejectedLine] = []
    lines = ["1,open,2023-01-22 12:00:00 UTC", "x" * 2000, "1", "2,active,2024-02-30 12:00"] * 60
    _, parser = parse(StoreFile.STATUS, STATUS + "\n".join(lines), kept=kept)
    assert [each.text for each in kept] == lines
    assert [each.line for each in kept] == list(range(2, 242))
    assert parser.outcome.rejected_total == 240
    assert len(parser.outcome.rejected) == MAX_KEPT_REJECTIONS
    assert parser.outcome.rejected[0].text is None


ROW = "1,active,2023-01-22 12:09:39 UTC"
QUOTED_ROW = '"1","active","2023-01-22\n12:09:39"\n'
PIECES = st.sampled_from(['"', '""', ",", "\n", "\n\n", " ", "1", ROW, ROW + "\n", QUOTED_ROW, "x" * 3000])


@given(st.lists(PIECES, max_size=40).map("".join), st.integers(1, 50))
def test_blocks_of_usual_rows_and_records_one_by_one_agree_on_where_a_record_ends(text: str, size: int) -> None:
    blocks = [text[start : start + size].encode() for start in range(0, len(text), size)]
    kept: list[RejectedLine] = []
    _, reader = parse(StoreFile.STATUS, STATUS, *blocks, "", kept=kept)

    refused: list[tuple[int, str]] = []
    file = CsvFile(iter([STATUS.encode(), *blocks]), ["store_id", "status", "timestamp_utc"])
    numbers = [number for number, _ in file.records(lambda number, reason, _: refused.append((number, reason)))]
    found = {(line.line, line.reason) for line in kept}
    assert set(refused) <= found
    assert {number for number, _ in found - set(refused)} <= set(numbers)
    assert reader.outcome.rows == len(numbers) + len(refused)
