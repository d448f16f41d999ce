"""The one reader of CSV files, for every import, upload and pull: from the bytes of a file to its cells.

Compression, encoding, line ends, delimiter and the order of columns are told by the content: spreadsheets, databases
and programs differ in all of them.
"""

import csv
import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

MAX_RECORD_BYTES = 10_000
TOO_LONG = f"is longer than {MAX_RECORD_BYTES} bytes"
NOT_DECODABLE = "is not valid UTF-8 or UTF-16"
DELIMITERS = ",;\t"

_SEPARATOR_LINE = re.compile(rb'"?sep=(?P<delimiter>[,;\t])"?\s*', re.IGNORECASE)

Reject = Callable[[int, str, str], None]
"""Takes a record that cannot be used: the number of its first line, the reason, and its text."""


class CsvHeaderError(Exception):
    """The header line does not name the columns of this file."""


@dataclass(frozen=True)
class Header:
    """What the header line says.

    positions: of the wanted columns that the file has, in their order. width: the number of columns of the file.
    notices: what a person should know about it. columns: the names of the wanted columns that the file has.
    """

    delimiter: str
    positions: tuple[int, ...]
    width: int
    notices: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether the file has the wanted columns alone."""
        return self.width == len(self.positions)


def parse_header(
    line: bytes,
    columns: Sequence[str],
    aliases: Mapping[str, str] | None = None,
    delimiter: str | None = None,
    optional: Collection[str] = (),
) -> Header:
    """Find the wanted columns in a header line, in any order and case; `_`, `-` and spaces do not matter.

    aliases: other names of columns. delimiter: as a line before the header gives it; else the one of comma, semicolon
    and tab by which the header names most columns. optional: columns that may be missing. Raises CsvHeaderError when
    another column is missing, or one is named twice.
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
    required = [column for column in columns if column not in optional]
    if missing := [column for column in required if column not in names]:
        raise CsvHeaderError(
            f"the header must name the columns {', '.join(required)}; {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing ({shown})"
        )
    if repeated := [column for column in columns if names.count(column) > 1]:
        raise CsvHeaderError(f"the header names {', '.join(repeated)} more than once ({shown})")
    unknown = [title for title, name in zip(titles, names, strict=True) if name is None and title]
    notices = (f"columns that are not known were ignored: {', '.join(unknown)}"[:500],) if unknown else ()
    present = tuple(column for column in columns if column in names)
    return Header(chosen, tuple(names.index(column) for column in present), len(titles), notices, present)


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
        self,
        blocks: Iterator[bytes],
        columns: Sequence[str],
        aliases: Mapping[str, str] | None = None,
        optional: Collection[str] = (),
    ) -> None:
        self.line = 0
        """The number of lines read."""
        self.record = b""
        """The record that `records` yielded last."""
        self._blocks = blocks
        self._ready: deque[bytes] = deque()
        self._rest = b""
        header = self._next_line_with_text()
        separator = _SEPARATOR_LINE.fullmatch(header or b"")
        if separator:
            header = self._next_line_with_text()
        if header is not None and len(header) > MAX_RECORD_BYTES:
            raise CsvHeaderError(f"the header {TOO_LONG}")
        self.header = parse_header(
            header or b"", columns, aliases, separator["delimiter"].decode() if separator else None, optional
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
        taken: list[bytes] = []
        size, is_open = len(line), True
        while is_open and size <= MAX_RECORD_BYTES and (following := self._next_line()) is not None:
            taken.append(following)
            size += 1 + len(following)
            is_open ^= following.count(b'"') % 2 == 1
        record = b"\n".join((line, *taken))
        cells = self.split(record) if size <= MAX_RECORD_BYTES else ""
        if isinstance(cells, list):
            self.record = record
            return cells
        self._ready.extendleft(reversed(taken))
        self.line -= len(taken)
        return None

    def _next_line_with_text(self) -> bytes | None:
        while (line := self._next_line()) is not None and not line.strip():
            pass
        return line

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
