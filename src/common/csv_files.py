"""The one reader of CSV files, for every import, upload and pull: from the bytes of a file to its cells.

Compression, encoding, line ends, delimiter and the order of columns are told by the content: spreadsheets, databases
and programs differ in all of them.
"""

import codecs
import csv
import lzma
import re
import shutil
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO

BLOCK_BYTES = 256 * 1024
MAX_RECORD_BYTES = 10_000
MAX_EXPANSION = 200
"""A file of rows expands about tenfold, a bomb a thousandfold."""
UNCHECKED_BYTES = 16 * 1024 * 1024
"""Up to this size the expansion is not limited."""

TOO_LONG = f"is longer than {MAX_RECORD_BYTES} bytes"
NOT_DECODABLE = "is not valid UTF-8 or UTF-16"
DELIMITERS = ",;\t"

_ZIP_MAGIC = b"PK\x03\x04"
_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\x00"
_SEPARATOR_LINE = re.compile(rb'"?sep=(?P<delimiter>[,;\t])"?\s*', re.IGNORECASE)

Reject = Callable[[int, str, str], None]
"""Takes a record that cannot be used: the number of its first line, the reason, and its text."""


class CsvHeaderError(Exception):
    """The header line does not name the columns of this file."""


class DamagedFileError(Exception):
    """The file is cut off or damaged, or is an archive of anything but one file."""


class FileTooLargeError(Exception):
    """The file is larger than allowed, or expands more than allowed."""


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; a pipe, such as /dev/stdin, is copied to a temporary file first. Raises OSError."""
    with path.open("rb") as given:
        if given.seekable():
            yield given
            return
        with TemporaryFile() as copy:
            shutil.copyfileobj(given, copy, BLOCK_BYTES)
            copy.seek(0)
            yield copy


def read_blocks(
    file: BinaryIO, *, progress: Callable[[int], object] | None = None, limit: int | None = None
) -> Iterator[bytes]:
    """Yield the text of a file as UTF-8 without byte order mark, with `\\n` as line end, in blocks.

    The file may be plain, or compressed by gzip, xz or zip, and in UTF-8 or UTF-16. progress: called with the number of
    bytes of the file read since the last call. limit: the largest size in bytes; the expansion is then limited too.
    Raises DamagedFileError and FileTooLargeError, after the blocks before the damage, and OSError.
    """
    return _with_unix_lines(_as_utf8(_limited(_decompressed(file, progress or _ignore_progress), file, limit)))


def _ignore_progress(_: int) -> None:
    """Report progress to no one."""


def _decompressed(file: BinaryIO, progress: Callable[[int], object]) -> Iterator[bytes]:
    begin = file.read(len(_XZ_MAGIC))
    file.seek(-len(begin), 1)
    if begin.startswith(_ZIP_MAGIC):
        return _unzipped(file, progress)
    if begin.startswith(_GZIP_MAGIC):
        return _gunzipped(_read_raw(file, progress))
    if begin.startswith(_XZ_MAGIC):
        return _unxzipped(_read_raw(file, progress))
    return _read_raw(file, progress)


def _read_raw(file: BinaryIO, progress: Callable[[int], object]) -> Iterator[bytes]:
    while block := file.read(BLOCK_BYTES):
        progress(len(block))
        yield block


def _gunzipped(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress a gzip stream of one or more members; zeros after the last are padding."""
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
    for block in blocks:
        data = block
        while data:
            if stream.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
            try:
                decompressed = stream.decompress(data, BLOCK_BYTES)
            except zlib.error as error:
                raise DamagedFileError(f"its gzip data are damaged ({error})") from None
            if decompressed:
                yield decompressed
            data = stream.unused_data if stream.eof else stream.unconsumed_tail
    if not stream.eof:
        raise DamagedFileError("it ends in the middle of its gzip data")


def _unxzipped(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress an xz file of one or more streams; zeros after the last are padding."""
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    for block in blocks:
        data = block
        while data or (not stream.eof and not stream.needs_input):
            if stream.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                stream = lzma.LZMADecompressor(lzma.FORMAT_XZ)
            try:
                decompressed = stream.decompress(data, BLOCK_BYTES)
            except lzma.LZMAError as error:
                raise DamagedFileError(f"its xz data are damaged ({error})") from None
            if decompressed:
                yield decompressed
            data = stream.unused_data if stream.eof else b""
    if not stream.eof:
        raise DamagedFileError("it ends in the middle of its xz data")


def _unzipped(file: BinaryIO, progress: Callable[[int], object]) -> Iterator[bytes]:
    """Decompress the one file of a zip archive; folders, and what macOS adds, do not count."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = [
                each for each in archive.infolist() if not each.is_dir() and not each.filename.startswith("__MACOSX/")
            ]
            if len(members) != 1:
                raise DamagedFileError(f"it is a zip archive of {len(members)} files; pack one file")
            with archive.open(members[0]) as member:
                while block := member.read(BLOCK_BYTES):
                    yield block
            progress(members[0].compress_size)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError) as error:
        raise DamagedFileError(f"its zip data cannot be read ({error})") from None


def _limited(blocks: Iterator[bytes], file: IO[bytes], limit: int | None) -> Iterator[bytes]:
    produced = 0
    for block in blocks:
        produced += len(block)
        if limit is not None and produced > limit:
            raise FileTooLargeError(f"the file exceeds {limit} bytes")
        if limit is not None and produced > max(UNCHECKED_BYTES, file.tell() * MAX_EXPANSION):
            raise FileTooLargeError(f"the file exceeds {MAX_EXPANSION} times its compressed size")
        yield block


def _as_utf8(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Remove the byte order mark, and turn UTF-16 into UTF-8.

    What does not decode becomes bytes that are not valid UTF-8, so that only its line is rejected.
    """
    first = b""
    while len(first) < 4 and (block := next(blocks, b"")):
        first += block
    encoding = _utf16_encoding(first)
    if encoding is None:
        yield first.removeprefix(codecs.BOM_UTF8)
        yield from blocks
        return
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        first = first[2:]
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    yield decoder.decode(first).encode("utf-8", "surrogatepass")
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "surrogatepass")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        yield b"\xff"


def _utf16_encoding(begin: bytes) -> str | None:
    """The encoding of a text that begins with the mark of UTF-16, or with two ASCII characters in UTF-16."""
    if begin.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if begin.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    zeros = [byte == 0 for byte in begin[:4]]
    if zeros == [False, True, False, True]:
        return "utf-16-le"
    if zeros == [True, False, True, False]:
        return "utf-16-be"
    return None


def _with_unix_lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for block in blocks:
        text = held + block
        held = b"\r" if text.endswith(b"\r") else b""
        if held:
            text = text[:-1]
        yield text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text
    if held:
        yield b"\n"


@dataclass(frozen=True)
class Header:
    """What the header line says.

    positions: of the wanted columns, in their order. width: the number of columns of the file. notices: what a person
    should know about it.
    """

    delimiter: str
    positions: tuple[int, ...]
    width: int
    notices: tuple[str, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether the file has the wanted columns alone."""
        return self.width == len(self.positions)


def parse_header(
    line: bytes, columns: Sequence[str], aliases: Mapping[str, str] | None = None, delimiter: str | None = None
) -> Header:
    """Find the wanted columns in a header line, in any order and case; `_`, `-` and spaces do not matter.

    aliases: other names of columns. delimiter: as a line before the header gives it; else the one of comma, semicolon
    and tab by which the header names most columns. Raises CsvHeaderError when a column is missing or named twice.
    """
    text = line.decode(errors="replace").strip()
    if not text:
        raise CsvHeaderError("the file is empty")
    known = {_squashed(name): column for name, column in (aliases or {}).items()}
    known |= {_squashed(column): column for column in columns}
    titles, chosen = max(
        ((_titles(text, each), each) for each in ([delimiter] if delimiter else DELIMITERS)),
        key=lambda found: len({_squashed(title) for title in found[0]} & known.keys()),
    )
    names = [known.get(_squashed(title)) for title in titles]
    shown = f"it is {text[:200]!r}"
    if missing := [column for column in columns if column not in names]:
        raise CsvHeaderError(
            f"the header must name the columns {', '.join(columns)}; {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing ({shown})"
        )
    if repeated := [column for column in columns if names.count(column) > 1]:
        raise CsvHeaderError(f"the header names {', '.join(repeated)} more than once ({shown})")
    unknown = [title for title, name in zip(titles, names, strict=True) if name is None and title]
    notices = (f"columns that are not known were ignored: {', '.join(unknown)}"[:500],) if unknown else ()
    return Header(chosen, tuple(names.index(column) for column in columns), len(titles), notices)


def _squashed(title: str) -> str:
    return re.sub(r"[\s_-]+", "", title).lower()


def _titles(text: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in split_cells(text, delimiter)]
    except csv.Error:
        return []


def split_cells(line: str, delimiter: str = ",") -> list[str]:
    """Split a record into its cells. Raises csv.Error when the quotes do not follow RFC 4180."""
    if '"' not in line:
        return line.split(delimiter)
    return next(csv.reader([line], delimiter=delimiter, strict=True), [])


class CsvFile:
    """A CSV file that is being read: its header, then its records.

    Raises CsvHeaderError; that and the records also raise what `read_blocks` does.
    """

    def __init__(
        self, blocks: Iterator[bytes], columns: Sequence[str], aliases: Mapping[str, str] | None = None
    ) -> None:
        self.line = 0
        """The number of lines read."""
        self.record = b""
        """The record that `records` yielded last."""
        self._blocks = blocks
        self._ready: deque[bytes] = deque()
        self._rest = b""
        header = self._next_line()
        while header is not None and not header.strip():
            header = self._next_line()
        separator = _SEPARATOR_LINE.fullmatch(header or b"")
        if separator:
            header = self._next_line()
        if header is not None and len(header) > MAX_RECORD_BYTES:
            raise CsvHeaderError(f"the header {TOO_LONG}")
        self.header = parse_header(
            header or b"", columns, aliases, separator["delimiter"].decode() if separator else None
        )

    def blocks_after_header(self) -> Iterator[bytes]:
        """The rest of the file, for a reader that does not need its records one by one."""
        yield b"".join(line + b"\n" for line in self._ready) + self._rest
        self._ready.clear()
        self._rest = b""
        yield from self._blocks

    def records(self, reject: Reject) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Yield the number of the first line and the cells of the wanted columns of each record, without outer spaces.

        Blank lines are skipped. A quoted cell may contain line breaks; a quotation mark that is never closed affects
        only its own line. A record that does not decode, is not CSV, is too long or has too few or too many cells goes
        to `reject`.
        """
        pick: Callable[[list[str]], tuple[str, ...]] = (
            itemgetter(*self.header.positions)
            if len(self.header.positions) > 1
            else lambda cells: (cells[self.header.positions[0]],)
        )
        while (line := self._next_line()) is not None:
            if not line or line.isspace():
                continue
            number = self.line
            if len(line) > MAX_RECORD_BYTES:
                reject(number, TOO_LONG, line[:MAX_RECORD_BYTES].decode(errors="replace"))
                continue
            cells = self.split(line)
            if isinstance(cells, str) and line.count(b'"') % 2:
                cells = self._split_with_next_lines(line) or cells
            else:
                self.record = line
            if isinstance(cells, str):
                reject(number, cells, line.decode(errors="replace"))
            else:
                yield number, tuple([cell.strip() for cell in pick(cells)])

    def split(self, line: bytes) -> list[str] | str:
        """The cells of a record, or why it is not one."""
        width = self.header.width
        try:
            cells = split_cells(line.decode(), self.header.delimiter)
        except UnicodeDecodeError:
            return NOT_DECODABLE
        except csv.Error as error:
            return f"is not valid CSV: {error}"
        if len(cells) > width and not any(map(str.strip, cells[width:])):
            return cells[:width]
        return cells if len(cells) == width else f"has {len(cells)} columns instead of {width}"

    def _split_with_next_lines(self, line: bytes) -> list[str] | None:
        """The cells of a record whose quoted cell goes on in the next lines; None, with these unread, if none does."""
        record, taken = line, []
        while (
            record.count(b'"') % 2 and len(record) <= MAX_RECORD_BYTES and (following := self._next_line()) is not None
        ):
            taken.append(following)
            record += b"\n" + following
        cells = self.split(record) if len(record) <= MAX_RECORD_BYTES else ""
        if isinstance(cells, list):
            self.record = record
            return cells
        self._ready.extendleft(reversed(taken))
        self.line -= len(taken)
        return None

    def _next_line(self) -> bytes | None:
        """The next line without its end, None after the last; of a line that is too long only its beginning."""
        while not self._ready:
            block = next(self._blocks, None)
            if block is None:
                if not self._rest:
                    return None
                self._ready.append(self._rest)
                self._rest = b""
                break
            begin, newline, following = block.partition(b"\n")
            self._rest = (self._rest + begin)[: MAX_RECORD_BYTES + 1]
            if newline:
                *complete, rest = following.split(b"\n")
                self._ready.append(self._rest)
                self._ready.extend(complete)
                self._rest = rest[: MAX_RECORD_BYTES + 1]
        self.line += 1
        return self._ready.popleft()
