"""The one reader of CSV files."""

import errno
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.csv_files import MAX_RECORD_BYTES, TOO_LONG, CsvFile, CsvHeaderError, parse_header
from common.text_blocks import DamagedFileError, FileTooLargeError, read_blocks

COLUMNS = ("id", "name", "day")
HEADER = b"id,name,day\n"

Rejections = list[tuple[int, str]]
Records = list[tuple[int, tuple[str, ...]]]


def read(data: bytes, columns: tuple[str, ...] = COLUMNS) -> tuple[Records, Rejections]:
    """The records of a file, and its rejected lines."""
    rejected: Rejections = []
    file = CsvFile(read_blocks(io.BytesIO(data)), columns)
    return list(file.records(lambda line, reason, _: rejected.append((line, reason)))), rejected


def zipped(*files: tuple[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return target.getvalue()


@pytest.mark.parametrize(
    ("header", "positions"),
    [
        (b"id,name,day", (0, 1, 2)),
        (b"day, ID ,Name", (1, 2, 0)),
        (b'"title","day","id"', (2, 0, 1)),
        (b'"id";"Na me";"DAY"', (0, 1, 2)),
        (b"day\tid\tN_a-me", (1, 2, 0)),
        (b"day;id,name;id;name", (2, 3, 0)),
    ],
)
def test_a_header_names_the_columns_in_any_order_case_alias_and_delimiter(
    header: bytes, positions: tuple[int, ...]
) -> None:
    assert parse_header(header, COLUMNS, {"title": "name"}).positions == positions


def test_unknown_columns_are_ignored_with_a_notice_and_columns_without_a_name_silently() -> None:
    header = parse_header(b"id,note,name,,day,rating,", COLUMNS)
    assert header.notices == ("columns that are not known were ignored: note, rating",)
    assert parse_header(b"id,name,day,,", COLUMNS).notices == ()
    assert read(b"id,note,name,day\n1,x,a,b\n2,,c,d\n")[0] == [(2, ("1", "a", "b")), (3, ("2", "c", "d"))]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"id,name", "the header must name the columns id, name, day; day is missing (it is 'id,name')"),
        (b"key|value", "the header must name the columns id, name, day; id, name, day are missing (it is 'key|value')"),
        (b"id,name,day,name,day", "the header names name, day more than once (it is 'id,name,day,name,day')"),
        (b"\xff\xfe\x00", "are missing"),
        (b"x" * 20_000, "the header is longer than 10000 bytes"),
    ],
)
def test_a_header_that_lacks_a_column_is_refused_and_the_column_named(header: bytes, reason: str) -> None:
    with pytest.raises(CsvHeaderError) as refused:
        read(header)
    assert reason in str(refused.value)


def test_an_optional_column_may_be_missing_and_another_may_not() -> None:
    columns, optional = ("a", "b", "c"), ("b", "c")
    assert parse_header(b"c,a", columns, optional=optional).columns == ("a", "c")
    assert parse_header(b"c,a", columns, optional=optional).positions == (1, 0)
    with pytest.raises(CsvHeaderError, match="must name the columns a; a is missing"):
        parse_header(b"b,c", columns, optional=optional)
    with pytest.raises(CsvHeaderError, match="names c more than once"):
        parse_header(b"a,c,c", columns, optional=optional)


def test_lines_before_the_header_may_be_blank() -> None:
    assert read(b"\n  \r\nsep=;\r\n\r\n \r\nid;name;day\r\n1;a;x\r\n") == ([(7, ("1", "a", "x"))], [])


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_a_line_that_names_the_separator_comes_before_the_header(delimiter: str) -> None:
    text = f"sep={delimiter}\r\nid{delimiter}name{delimiter}day\r\n1{delimiter}a;b,c\td".replace("a;b,c\td", "a")
    data = (text + f"{delimiter}x\r\n").encode()
    assert read(data) == ([(3, ("1", "a", "x"))], [])


@pytest.mark.parametrize(
    "encoded",
    [
        "id,name,day\n1,Zoë,x\n".encode(),
        b"\xef\xbb\xbf" + "id,name,day\r\n1,Zoë,x\r\n".encode(),
        "id,name,day\r1,Zoë,x\r".encode(),
        "id;name;day\n1;Zoë;x".encode("utf-16"),
        "\ufeffid\tname\tday\r\n1\tZoë\tx".encode("utf-16-be"),
        "id,name,day\n1,Zoë,x".encode("utf-16-le"),
        "id,name,day\n1,Zoë,x".encode("utf-16-be"),
        gzip.compress("id,name,day\n1,Zoë,x\n".encode("utf-16")),
        gzip.compress(b"id,name,day\n") + gzip.compress("1,Zoë,x\n".encode()) + bytes(512),
        lzma.compress(b"id,name,day\n") + lzma.compress("1,Zoë,x\n".encode()) + bytes(4),
        zipped(("__MACOSX/._a.csv", b"x"), ("folder/a.csv", "id,name,day\n1,Zoë,x\n".encode())),
    ],
    ids=["UTF-8", "BOM", "CR", "UTF-16", "UTF-16-BE", "no BOM", "no BOM BE", "gzip", "members", "xz", "zip"],
)
def test_encodings_line_ends_and_compressions_are_told_by_the_content(encoded: bytes) -> None:
    assert read(encoded) == ([(2, ("1", "Zoë", "x"))], [])


def test_a_line_that_does_not_decode_is_rejected_by_its_number_and_the_others_are_read() -> None:
    assert read(HEADER + b"1,a,b\n2,\xff,c\n3,d,e\n") == (
        [(2, ("1", "a", "b")), (4, ("3", "d", "e"))],
        [(3, "is not valid UTF-8 or UTF-16")],
    )
    lone_surrogate = "id,name,day\n1,a,b\n2,".encode("utf-16-le") + b"\x00\xd8" + ",c\n3,d,e".encode("utf-16-le")
    assert read(lone_surrogate) == (
        [(2, ("1", "a", "b")), (4, ("3", "d", "e"))],
        [(3, "is not valid UTF-8 or UTF-16")],
    )
    assert read("id,name,day\n1,a,b".encode("utf-16-le") + b"x") == ([], [(2, "is not valid UTF-8 or UTF-16")])


def test_records_come_with_the_numbers_of_their_first_lines() -> None:
    data = HEADER + b'1,a,b\r\n\n  \n"c ""d""",e,"two\r\nlines"\n4,f,g'
    assert read(data)[0] == [(2, ("1", "a", "b")), (5, ('c "d"', "e", "two\nlines")), (7, ("4", "f", "g"))]


def test_a_quotation_mark_that_is_not_closed_affects_only_its_own_line() -> None:
    lines = [b'1,"a,b', b"2,c,d", b"3,e,f", b'4,5" pipe,g', b'5,h,"i', b"6,j,k"]
    found, rejected = read(HEADER + b"\n".join(lines))
    assert [cells[0] for _, cells in found] == ["2", "3", "4", "6"]
    assert rejected == [(line, "is not valid CSV: unexpected end of data") for line in (2, 6)]


def test_a_line_that_is_too_long_is_rejected_once_and_does_not_fill_the_memory() -> None:
    endless = b"x" * (20 * MAX_RECORD_BYTES)
    found, rejected = read(HEADER + endless + b"\n1,a,b\n" + endless)
    assert found == [(3, ("1", "a", "b"))]
    assert rejected == [(2, TOO_LONG), (4, TOO_LONG)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"1,a,b,,", ("1", "a", "b")),
        (b"1,a,b,x", "has 4 columns instead of 3"),
        (b"1,a", "has 2 columns instead of 3"),
        (b'1,"a"x,b', "is not valid CSV: ',' expected after '\"'"),
    ],
)
def test_a_record_has_as_many_cells_as_the_header_but_for_empty_ones_at_its_end(
    line: bytes, expected: str | tuple[str, ...]
) -> None:
    found, rejected = read(HEADER + line)
    assert (found or rejected)[0][1] == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(HEADER + b"1,a,b\n" * 100)[:-9], "ends in the middle of its gzip data"),
        (b"\x1f\x8b" + b"garbage" * 9, "gzip data are damaged"),
        (lzma.compress(HEADER + b"1,a,b\n" * 100)[:-9], "ends in the middle of its xz data"),
        (b"\xfd7zXZ\x00" + b"garbage" * 9, "xz data are damaged"),
        (zipped(("a.csv", HEADER), ("b.csv", HEADER)), "a zip archive of 2 files; pack one file"),
        (zipped(("folder/", b"")), "a zip archive of 0 files"),
        (zipped(("a.csv", HEADER))[:40], "zip data cannot be read"),
    ],
    ids=["cut gzip", "damaged gzip", "cut xz", "damaged xz", "two files", "no file", "cut zip"],
)
def test_a_damaged_file_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(DamagedFileError, match=reason):
        list(read_blocks(io.BytesIO(data)))


@pytest.mark.parametrize("value", [0x00, 0x03, 0x14, 0x7F, 0xFF])
@pytest.mark.parametrize("on_disk", [False, True])
def test_a_zip_archive_with_any_wrong_byte_is_read_or_refused(tmp_path: Path, value: int, on_disk: bool) -> None:
    archive = zipped(("a.csv", HEADER + b"1,a,b\n" * 9))
    outcomes = set()
    for place in range(4, len(archive)):
        changed = archive[:place] + bytes([value]) + archive[place + 1 :]
        (tmp_path / "a.zip").write_bytes(changed)
        with (tmp_path / "a.zip").open("rb") if on_disk else io.BytesIO(changed) as file:
            try:
                outcomes.add(b"".join(read_blocks(file)))
            except DamagedFileError:
                outcomes.add(b"refused")
    assert len(outcomes) == 2


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_archive_of_an_unusual_method_is_refused(method: int) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.writestr("a.csv", HEADER)
    target.seek(0)
    with pytest.raises(DamagedFileError, match="pack it with the usual method, deflate"):
        list(read_blocks(target))


def test_an_error_of_the_disk_is_not_taken_for_a_damaged_archive() -> None:
    class BrokenDisk(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if size == 30:  # the header of the packed file
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    with pytest.raises(OSError, match="Input/output error"):
        list(read_blocks(BrokenDisk(zipped(("a.csv", HEADER)))))


def test_an_xz_file_that_asks_for_too_much_memory_is_refused() -> None:
    largest = lzma.compress(HEADER, preset=9)
    assert b"".join(read_blocks(io.BytesIO(largest))) == HEADER
    header = largest[12:16] + bytes([36]) + largest[17:20]  # a dictionary of 1 GiB
    changed = largest[:12] + header + zlib.crc32(header).to_bytes(4, "little") + largest[24:]
    with pytest.raises(DamagedFileError, match="Memory usage limit exceeded"):
        list(read_blocks(io.BytesIO(changed)))


def test_the_records_before_the_damage_are_read() -> None:
    file = CsvFile(read_blocks(io.BytesIO(gzip.compress(HEADER + b"1,a,b\n2,c,d\n")[:-9])), COLUMNS)
    records = file.records(lambda *_: None)
    assert [next(records), next(records)] == [(2, ("1", "a", "b")), (3, ("2", "c", "d"))]
    with pytest.raises(DamagedFileError):
        next(records)


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, lambda data: zipped(("a", data))])
def test_a_file_over_the_limit_and_a_bomb_are_refused(compress: object) -> None:
    assert callable(compress)
    with pytest.raises(FileTooLargeError, match="exceeds 100 bytes"):
        list(read_blocks(io.BytesIO(compress(b"x" * 101)), limit=100))
    assert b"".join(read_blocks(io.BytesIO(compress(b"x" * 100)), limit=100)) == b"x" * 100
    sizes: list[int] = []
    with pytest.raises(FileTooLargeError, match="times its compressed size"):
        sizes.extend(map(len, read_blocks(io.BytesIO(compress(bytes(64 * 2**20))), limit=2**30)))
    assert sum(sizes) <= 33 * 2**20


pieces = st.lists(
    st.one_of(
        st.sampled_from(
            [b"1,a,b", b'"x\r\ny",b,c', b'1,"', b'"', b",,", b"\xff", b"\r", b"\n", b"\r\n", b"sep=;", b"\0"]
        ),
        st.binary(max_size=6),
    ),
    max_size=12,
).map(b"".join)


@given(pieces, st.lists(st.integers(0, 100), max_size=5))
def test_the_records_do_not_depend_on_where_the_blocks_are_cut(data: bytes, cuts: list[int]) -> None:
    text = b"".join(read_blocks(io.BytesIO(HEADER + data)))
    places = sorted(min(cut, len(text)) for cut in cuts)

    def blocks() -> Iterator[bytes]:
        yield from (text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True))

    rejected: Rejections = []
    file = CsvFile(blocks(), COLUMNS)
    found = list(file.records(lambda line, reason, _: rejected.append((line, reason))))
    assert (found, rejected) == read(HEADER + data)


@given(
    st.one_of(pieces, st.binary(max_size=300)),
    st.sampled_from([b"", HEADER, b"\xff\xfe", b"PK\x03\x04", b"\x1f\x8b\x08"]),
)
def test_no_file_ends_in_anything_but_records_rejections_or_a_reason(data: bytes, begin: bytes) -> None:
    try:
        found, rejected = read(begin + data)
    except (CsvHeaderError, DamagedFileError):
        return
    assert not {line for line, _ in found} & {line for line, _ in rejected}
