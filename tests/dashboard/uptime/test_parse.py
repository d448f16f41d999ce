"""The parsers of the three store files, and the decompression of uploads."""

import gzip
import zlib
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.web.errors import Invalid, TooLarge
from dashboard.uptime.intake.decompress import CHUNK_BYTES, decompress_gzip, limit_size
from dashboard.uptime.intake.parse import MAX_KEPT_REJECTIONS, MAX_LINE_BYTES, StoreFile, StoreFileParser

ZONES = {"america/new_york": "America/New_York"}
STATUS = "store_id,status,timestamp_utc\n"


def parse(kind: StoreFile, *parts: str | bytes) -> tuple[list[str], StoreFileParser]:
    """The valid rows, and the parser."""
    parser = StoreFileParser(kind, ZONES)
    rows = b"".join(parser.feed(part.encode() if isinstance(part, str) else part) for part in parts)
    rows += parser.finish()
    return rows.decode().splitlines(), parser


def reasons(parser: StoreFileParser) -> list[tuple[int, str]]:
    return [(line.line, line.reason) for line in parser.rejected]


def test_rows_of_the_usual_form_pass_unchanged() -> None:
    rows, parser = parse(
        StoreFile.STATUS, STATUS, "1,active,2023-01-22 12:09:39.388884 UTC\n2,inactive,2023-01-22T12:09:39Z\n"
    )
    assert rows == ["1,active,2023-01-22 12:09:39.388884 UTC", "2,inactive,2023-01-22T12:09:39Z"]
    assert [column.name for column in parser.columns] == ["store_id", "status", "polled_at"]
    assert (parser.rows, parser.rejected_total) == (2, 0)


def test_any_order_of_columns_a_byte_order_mark_quotes_and_carriage_returns_are_accepted() -> None:
    header = '\ufefftimestamp_utc,"Store_ID",status\r\n'
    rows, parser = parse(
        StoreFile.STATUS,
        header,
        '2023-01-22 12:09:39 UTC,1,active\r\n"2023-01-22 12:10:00","2","inactive"\r\n',
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
    assert parser.rejected_total == 0


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
        ("1,active,now", "timestamp_utc 'now' must be an instant, such as 2020-01-01T00:00:00Z or 2020-01-01 00:00:00"),
        (
            "1,active,9999-01-01 10:00:00 UTC",
            "timestamp_utc '9999-01-01 10:00:00 UTC' is outside the years 1970 to 2199",
        ),
        (",active,2023-01-01 10:00:00 UTC", "store_id '' must not be empty"),
        ("a\x00b,active,2023-01-01 10:00:00 UTC", r"store_id 'a\x00b' has characters that cannot be printed"),
        ("1,active", "has 2 fields instead of 3"),
        ("1,active,2023-01-01 10:00:00 UTC,x", "has 4 fields instead of 3"),
        ('"1,active,2023-01-01 10:00:00 UTC', "is not valid CSV: unexpected end of data"),
    ],
)
def test_an_invalid_row_is_rejected_with_its_line_and_reason_and_no_other_row_is_lost(line: str, reason: str) -> None:
    valid = "1,active,2023-01-01 10:00:00 UTC"
    rows, parser = parse(StoreFile.STATUS, f"{STATUS}{valid}\n\n{line}\n{valid}\n")
    assert rows == [valid, valid]
    assert reasons(parser) == [(4, reason)]
    assert (parser.rows, parser.rejected_total) == (3, 1)


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
        "store_id,status,timestamp\n",
        "store_id,status,timestamp_utc,extra\n",
        "store_id,store_id,status,timestamp_utc\n",
        "1,active,2023-01-01 10:00:00 UTC\n",
        "x" * (MAX_LINE_BYTES + 1),
        b"\xff\xfes\x00t\x00\n",
    ],
)
def test_a_wrong_header_refuses_the_file(header: str | bytes) -> None:
    with pytest.raises(Invalid) as refused:
        parse(StoreFile.STATUS, header)
    assert refused.value.errors[0].field == "header"


def test_only_the_first_hundred_rejections_are_kept_but_all_are_counted() -> None:
    _, parser = parse(StoreFile.STATUS, STATUS, "x\n" * 1000)
    assert len(parser.rejected) == MAX_KEPT_REJECTIONS
    assert parser.rejected_total == 1000


def test_an_endless_line_does_not_fill_the_memory() -> None:
    valid = "1,active,2023-01-01 10:00:00 UTC\n"
    rows, parser = parse(StoreFile.STATUS, STATUS, *["x" * 100_000] * 50, "\n", valid)
    assert rows == [valid.strip()]
    assert reasons(parser) == [(2, "is longer than 1000 bytes")]


def test_bytes_that_are_not_utf_8_are_rejected() -> None:
    rows, parser = parse(StoreFile.STATUS, STATUS, b"\xff,active,2023-01-01 10:00:00 UTC\n")
    assert rows == []
    assert reasons(parser) == [(2, "is not UTF-8")]


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
    data = (STATUS + "\n".join(texts) + ("\n" if ended else "")).encode()
    places = sorted(min(cut, len(data)) for cut in cuts)
    parts = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    whole, at_once = parse(StoreFile.STATUS, data)
    pieces, in_parts = parse(StoreFile.STATUS, *parts)
    assert (pieces, reasons(in_parts), in_parts.rows) == (whole, reasons(at_once), at_once.rows)


async def stream(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def collected(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def test_gzip_with_several_members_is_decompressed_as_it_arrives() -> None:
    data = gzip.compress(b"one\n" * 100_000) + gzip.compress(b"two\n")
    parts = [data[start : start + 100] for start in range(0, len(data), 100)]
    assert await collected(decompress_gzip(stream(*parts))) == b"one\n" * 100_000 + b"two\n"
    assert await collected(decompress_gzip(stream())) == b""


async def test_a_file_over_the_limit_is_refused() -> None:
    with pytest.raises(TooLarge):
        await collected(limit_size(stream(b"x" * 60, b"x" * 60), limit=100))
    with pytest.raises(TooLarge):
        await collected(decompress_gzip(stream(gzip.compress(b"abc" * 100)), limit=100))


async def test_a_bomb_is_refused_long_before_it_is_decompressed() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b"\0" * 1024 * 1024) for _ in range(200)) + packer.flush()
    pieces: list[int] = []

    async def decompress() -> None:
        async for piece in decompress_gzip(stream(bomb)):
            pieces.append(len(piece))  # noqa: PERF401 - the pieces before the refusal count

    with pytest.raises(TooLarge):
        await decompress()
    assert max(pieces) <= CHUNK_BYTES
    assert sum(pieces) < 100 * 1024 * 1024


async def test_damaged_gzip_is_refused() -> None:
    for data in (b"not gzip at all", gzip.compress(b"x" * 1000)[:-10], gzip.compress(b"x")[:5]):
        with pytest.raises(Invalid):
            await collected(decompress_gzip(stream(data)))
