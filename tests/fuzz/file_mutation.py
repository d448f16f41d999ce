"""Makes hostile files from those of the corpus: what spreadsheets, exports, broken transfers and attackers do to them.

A file is made as in reality: its cells, then its text, its bytes, and what it is packed in. Every stage has steps that
a reader must not notice; a file of such steps alone is faithful to its seed. Hostile steps may change anything.
"""

import bz2
import gzip
import io
import lzma
import random
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from common.instants import parse_instant
from tests.fuzz.corpus_files import HostileFile, Seed
from tests.fuzz.hostile_values import ALL, CELLS
from tests.fuzz.request_mutation import mutate_bytes

STAGES = ("cells", "text", "encoding", "bytes", "packing")
STAGE_WEIGHTS = (8, 4, 1, 4, 3)
HOSTILE_SHARE = 0.65
BOMB_SHARE = 0.01
"""Of the files with hostile packing."""
BOMB_BYTES = 17 * 1024 * 1024


@dataclass
class Draft:
    """A table that becomes a file. is_counted: whether a reader must find every row of it, valid or not."""

    seed: Seed
    titles: list[str]
    rows: list[list[str]]
    steps: list[str] = field(default_factory=list)
    is_faithful: bool = True
    is_counted: bool = True
    is_equal_without_mark: bool = True


Step = Callable[[random.Random, Draft], None]


def make_file(choice: random.Random, seed: Seed) -> HostileFile:
    """A file of faithful steps, and of one or two hostile ones in most cases."""
    draft = Draft(seed, list(seed.titles), [list(row) for row in seed.rows])
    hostile: Sequence[str] = ()
    if choice.random() < HOSTILE_SHARE:
        hostile = choice.choices(STAGES, STAGE_WEIGHTS, k=choice.choice((1, 1, 2)))
    for step in FAITHFUL_STEPS:
        if choice.random() < 0.2:
            take(choice, draft, step)
    if "cells" in hostile:
        draft.is_faithful = False
        for _ in range(choice.choice((1, 1, 2, 3))):
            take(choice, draft, choice.choice(HOSTILE_STEPS))
    cells = [cell for row in draft.rows for cell in row]
    if not all(any(cell.strip() for cell in row) for row in draft.rows) or any(
        re.search(r"[\r\n]", each) for each in cells
    ):
        draft.is_counted = draft.is_faithful  # a row may count as blank, or as one for each of its lines
    text = write_hostile_text(choice, draft) if "text" in hostile else write_text(choice, draft)
    data = encode_wrongly(choice, draft, text) if "encoding" in hostile else encode(choice, draft, text)
    if "bytes" in hostile:
        data = change_bytes(choice, draft, data)
    return pack_wrongly(choice, draft, data) if "packing" in hostile else pack(choice, draft, data)


def take(choice: random.Random, draft: Draft, step: Step) -> None:
    draft.steps.append(step.__name__)
    step(choice, draft)


# Steps that a reader must not notice.


def change_titles(choice: random.Random, draft: Draft) -> None:
    forms: tuple[Callable[[str], str], ...] = (
        str.upper,
        str.lower,
        str.swapcase,
        lambda title: title.replace("_", "-"),
        lambda title: title.replace("_", " "),
        lambda title: title.replace("_", ""),
        lambda title: f" {title} ",
    )
    draft.titles = [choice.choice(forms)(title) for title in draft.titles]


def use_aliases(choice: random.Random, draft: Draft) -> None:
    draft.titles = [choice.choice(draft.seed.aliases.get(title, (title,))) for title in draft.titles]


def reorder_columns(choice: random.Random, draft: Draft) -> None:
    order = list(range(len(draft.titles)))
    choice.shuffle(order)
    draft.titles = [draft.titles[place] for place in order]
    draft.rows = [[row[place] for place in order] for row in draft.rows]


def add_unknown_column(choice: random.Random, draft: Draft) -> None:
    cells = ("", "ok", "a;b", 'say "hi"', "two\nlines", "two\r\nlines", "é", "=1+1", "a,b")
    place = choice.randrange(len(draft.titles) + 1)
    draft.titles.insert(place, choice.choice(("note", "Bemerkung", "x;y", 'say "hi"', "a\tb", "Größe")))
    for row in draft.rows:
        row.insert(place, choice.choice(cells))


def add_spare_cells(choice: random.Random, draft: Draft) -> None:
    for row in draft.rows:
        row += [choice.choice(("", " "))] * choice.choice((0, 1, 3))


def add_spaces(choice: random.Random, draft: Draft) -> None:
    draft.rows = [[choice.choice(("{}", " {}", "{}  ")).format(cell) for cell in row] for row in draft.rows]


def rewrite_instants(choice: random.Random, draft: Draft) -> None:
    """Write instants in other forms."""
    for row in draft.rows:
        for place, cell in enumerate(row):
            if re.fullmatch(r" ?\d{4}-\d\d-\d\d[ T].*", cell):
                row[place] = in_another_form(choice, parse_instant(cell.strip()))


def in_another_form(choice: random.Random, at: datetime) -> str:
    if choice.random() < 0.2 and at.year >= 2000:
        return str(round(at.timestamp() * 1000)) if at.microsecond % 1000 == 0 else f"{at.timestamp():.6f}"
    offset = timedelta(minutes=choice.choice((0, 0, 60, 330, -765, 1439)))
    local = at.astimezone(timezone(offset))
    zone = local.strftime("%z")
    zones = (zone, f"{zone[:3]}:{zone[3:]}", *(("Z", " UTC", "", "GMT", "+00", " z") if not offset else ()))
    fraction = f"{choice.choice('.,')}{local:%f}{choice.choice(('', '0', '000'))}" if at.microsecond else ""
    return f"{local:%Y-%m-%d}{choice.choice(' Tt')}{local:%H:%M:%S}{fraction}{choice.choice(zones)}"


FAITHFUL_STEPS: tuple[Step, ...] = (
    change_titles,
    use_aliases,
    reorder_columns,
    add_unknown_column,
    rewrite_instants,
    add_spare_cells,
    add_spaces,
)


# Hostile steps on cells.

DECORATIONS = ("={}", "'{}", "\u202e{}", "{}\u200d", "{}\x00", '"{}', "{}é", "0{}", "{}\n", "\uff0d{}")


def replace_cells(choice: random.Random, draft: Draft) -> None:
    for _ in range(choice.choice((1, 1, 2, 5))):
        if draft.rows and (row := choice.choice(draft.rows)):
            row[choice.randrange(len(row))] = choice.choice((*ALL, *CELLS))


def swap_cells(choice: random.Random, draft: Draft) -> None:
    cells = [cell for row in draft.rows for cell in row]
    if cells and (row := choice.choice(draft.rows)):
        row[choice.randrange(len(row))] = choice.choice(cells)


def decorate_cell(choice: random.Random, draft: Draft) -> None:
    if draft.rows and (row := choice.choice(draft.rows)):
        place = choice.randrange(len(row))
        row[place] = choice.choice(
            ("={}", "'{}", "\u202e{}", "{}\u200d", "{}\x00", '"{}', "{}é", "0{}", "{}\n", "－{}")
        ).format(row[place])


def write_huge_cell(choice: random.Random, draft: Draft) -> None:
    if draft.rows and (row := choice.choice(draft.rows)):
        row[choice.randrange(len(row))] = choice.choice(("9", "x", "é", '"')) * choice.choice((1_001, 9_990, 40_000))


def change_number_of_cells(choice: random.Random, draft: Draft) -> None:
    if draft.rows:
        row = choice.choice(draft.rows)
        row[choice.randrange(len(row) + 1) :] = choice.choice(([], ["x"], ["x"] * 2_000))
        if not row:
            draft.rows.remove(row)


def repeat_rows(choice: random.Random, draft: Draft) -> None:
    draft.rows += [list(row) for row in draft.rows if choice.random() < 0.5]


def shuffle_rows(choice: random.Random, draft: Draft) -> None:
    choice.shuffle(draft.rows)


def repeat_row_with_change(choice: random.Random, draft: Draft) -> None:
    if draft.rows:
        row = list(choice.choice(draft.rows))
        row[choice.randrange(len(row))] = choice.choice(choice.choice(draft.rows))
        draft.rows.insert(choice.randrange(len(draft.rows) + 1), row)


def remove_rows(choice: random.Random, draft: Draft) -> None:
    draft.rows = draft.rows[: choice.randrange(len(draft.rows) + 1)]


def spoil_title(choice: random.Random, draft: Draft) -> None:
    draft.is_counted = False
    draft.titles[choice.randrange(len(draft.titles))] = choice.choice((*draft.titles, *ALL, *CELLS))


def remove_title(choice: random.Random, draft: Draft) -> None:
    draft.is_counted = False
    del draft.titles[choice.randrange(len(draft.titles))]
    draft.titles = draft.titles or [""]


def repeat_column(choice: random.Random, draft: Draft) -> None:
    draft.is_counted = False
    place = choice.randrange(len(draft.titles))
    draft.titles.append(draft.titles[place])
    for row in draft.rows:
        row.append(row[place] if place < len(row) else "")


def remove_header(choice: random.Random, draft: Draft) -> None:
    draft.is_counted = False
    draft.titles = draft.rows.pop(0) if draft.rows else [""]


def repeat_header(choice: random.Random, draft: Draft) -> None:
    draft.rows.insert(choice.randrange(len(draft.rows) + 1), list(draft.titles))


HOSTILE_STEPS: tuple[Step, ...] = (
    *[replace_cells] * 8,
    swap_cells,
    swap_cells,
    decorate_cell,
    decorate_cell,
    write_huge_cell,
    change_number_of_cells,
    repeat_rows,
    repeat_rows,
    shuffle_rows,
    repeat_row_with_change,
    repeat_row_with_change,
    remove_rows,
    spoil_title,
    remove_title,
    repeat_column,
    remove_header,
    repeat_header,
)


# From cells to text.


def written(cells: list[str], delimiter: str, *, quote_all: bool) -> str:
    return delimiter.join(
        '"' + cell.replace('"', '""') + '"' if quote_all or re.search(r'[",;\t\r\n]|^\s|\s$', cell) else cell
        for cell in cells
    )


def write_text(choice: random.Random, draft: Draft) -> str:
    """Write the table as some program would."""
    delimiter = choice.choice((",", ",", ";", "\t"))
    quote_all = choice.random() < 0.3
    end = choice.choice(("\n", "\n", "\r\n", "\r"))
    lines = [written(cells, delimiter, quote_all=quote_all) for cells in (draft.titles, *draft.rows)]
    if choice.random() < 0.15:
        lines.insert(choice.randrange(len(lines) + 1), choice.choice(("", "  ")))
    if choice.random() < 0.15:
        lines.insert(0, choice.choice(("sep={}", '"sep={}"', "SEP={}")).format(delimiter))
    draft.steps.append(f"written with {delimiter!r} and {end!r}")
    draft.is_equal_without_mark = lines[0].isascii() and len(lines[0]) > 1
    return end.join(lines) + choice.choice((end, end, "", end * 3))


OTHER_TEXTS = ("", "\n", " ", "\r\r\n\n", "\ufeff", '"', "<html><body>Sign in</body></html>", '{"a": 1}', "sep=,")


def write_hostile_text(choice: random.Random, draft: Draft) -> str:
    """Write the table as no program should."""
    draft.is_faithful = draft.is_counted = False
    action = choice.randrange(9)
    draft.steps.append(f"hostile text {action}")
    delimiter = choice.choice((",", ";", "\t", "|", ":", " ", "\x00", '"'))
    lines = [written(cells, delimiter, quote_all=choice.random() < 0.3) for cells in (draft.titles, *draft.rows)]
    place = choice.randrange(len(lines))
    if action == 0:  # a quotation mark that is never closed, or opened
        at = choice.randrange(len(lines[place]) + 1)
        lines[place] = lines[place][:at] + choice.choice(('"', '""', ',"', '",')) + lines[place][at:]
    elif action == 1:  # each line as another program writes it
        lines = [written(cells, choice.choice(",;\t"), quote_all=False) for cells in (draft.titles, *draft.rows)]
    elif action == 2:
        lines.insert(0, "sep=" + choice.choice((";", "|", "", ",,", '"', "\t", "é", "," * 500)))
    elif action == 3:
        lines.insert(place, choice.choice(("x" * 60_000, '"' * 9_999, "," * 20_000, '"' + "a" * 9_000 + "\n" * 3_000)))
    elif action == 4:
        return choice.choice(
            ("", "\n", " ", "\r\r\n\n", "\ufeff", '"', "<html><body>Sign in</body></html>", '{"a": 1}', "sep=,")
        )
    elif action == 5:
        return choice.choice(("\n\r", "\x0b", "\x85", "\u2028", "\r\r\n", "\x00\n")).join(lines)
    elif action == 6:
        return "\n".join(lines[:place]) + "\n" + lines[place][: choice.randrange(len(lines[place]) + 1)]
    elif action == 7:
        lines[place] = "".join(chr(choice.choice((0, 7, 34, 44, 59, 92, 96, 8203, 8238, 65279))) for _ in range(30))
    return "\n".join(lines) + "\n"


# From text to bytes.


def encode(choice: random.Random, draft: Draft, text: str) -> bytes:
    """Encode the text so that its bytes tell the encoding."""
    name = choice.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "be with mark", "utf-16-le", "utf-16-be"))
    if name in ("utf-16-le", "utf-16-be") and not draft.is_equal_without_mark:
        name = "utf-8"
    draft.steps.append(name)
    if name == "be with mark":
        return ("\ufeff" + text).encode("utf-16-be")
    return text.encode(name)


def encode_wrongly(choice: random.Random, draft: Draft, text: str) -> bytes:
    draft.is_faithful = draft.is_counted = False
    name = choice.choice(("latin-1", "cp1252", "utf-32", "utf-7", "cp500", "odd", "wrong mark", "two marks", "half"))
    draft.steps.append(f"hostile encoding {name}")
    if name == "odd":
        return text.encode("utf-16")[:-1]
    if name == "wrong mark":
        return b"\xfe\xff" + text.encode("utf-16-le")
    if name == "two marks":
        return b"\xef\xbb\xbf" * 2 + text.encode()
    if name == "half":
        return b"\xff\xfe" + text.encode("utf-16-le").replace(
            b"\n\x00", choice.choice((b"\x00\xd8\n\x00", b"\n", b"\x0a\x0a"))
        )
    return text.encode(name, "replace")


PIECES = (b"\x00", b"\xff", b'"', b"\n", b"\r", b",", b"\xed\xa0\x80", b"\xc3", b"\x1a", b"a" * 20_000)


def change_bytes(choice: random.Random, draft: Draft, data: bytes) -> bytes:
    """Damage the bytes as a bad line, a bad disk or an attacker does."""
    draft.is_faithful = draft.is_counted = False
    for _ in range(choice.choice((1, 1, 2, 4))):
        action = choice.randrange(4)
        draft.steps.append(f"bytes {action}")
        at = choice.randrange(len(data) + 1)
        if action == 0 and at < len(data):
            data = data[:at] + bytes([data[at] ^ 1 << choice.randrange(8)]) + data[at + 1 :]
        elif action == 1:
            piece = choice.choice(
                (b"\x00", b"\xff", b'"', b"\n", b"\r", b",", b"\xed\xa0\x80", b"\xc3", b"\x1a", b"a" * 20_000)
            )
            data = data[:at] + piece + data[at:]
        elif action == 2:
            data = data[:at] + data[choice.randrange(len(data) + 1) :]
        else:
            data = mutate_bytes(choice, data)
    return data


# From bytes to what arrives.


def pack(choice: random.Random, draft: Draft, data: bytes) -> HostileFile:
    """Compress the file, or not."""
    kind = choice.choice(("plain", "plain", "plain", "gzip", "gzip in two", "padded gzip", "xz", "xz in two", "zip"))
    draft.steps.append(kind)
    suffix, encoding = ".csv", choice.choice(("", "", "", "identity"))
    middle = len(data) // 2
    if "gzip" in kind:
        parts = (data[:middle], data[middle:]) if kind == "gzip in two" else (data,)
        data = b"".join(gzip.compress(part, 1, mtime=0) for part in parts) + bytes(100 if "padded" in kind else 0)
        suffix, encoding = ".csv.gz", choice.choice(("", "gzip", "x-gzip"))
    elif "xz" in kind:
        parts = (data[:middle], data[middle:]) if kind == "xz in two" else (data,)
        data = b"".join(lzma.compress(part, preset=0) for part in parts)
        suffix = ".csv.xz"
    elif kind == "zip":
        files = {"a folder/": b"", "a folder/data.csv": data, "__MACOSX/._data.csv": b"x"}
        data, suffix = zipped(choice.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)), files), ".zip"
    return HostileFile(
        data, suffix, encoding, tuple(draft.steps), draft.is_faithful, len(draft.rows) if draft.is_counted else None
    )


def zipped(method: int, files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def pack_wrongly(choice: random.Random, draft: Draft, data: bytes) -> HostileFile:
    """Damage what the file is packed in, or say something else about it."""
    suffix = choice.choice((".csv", ".csv.gz", ".csv.xz", ".zip", ".txt", ".tsv"))
    encoding = choice.choice(("", "", "", "gzip", "x-gzip", "deflate", "br", "gzip, gzip", "identity", "x"))
    if choice.random() < BOMB_SHARE:
        kind, packed = (
            "bomb",
            bomb(
                ",".join(draft.seed.titles), choice.choice(("gzip", "xz", "zip")), choice.choice((b"\0", b"x", b"\n"))
            ),
        )
    else:
        kind, packed = wrongly_packed(choice, data)
    draft.steps.append(f"hostile {kind}, {encoding!r}, {suffix}")
    return HostileFile(packed, suffix, encoding, tuple(draft.steps), is_faithful=False, rows=None)


MAGICS = (b"\x1f\x8b", b"PK\x03\x04", b"\xfd7zXZ\x00", b"PK\x05\x06" + bytes(18))


def wrongly_packed(choice: random.Random, data: bytes) -> tuple[str, bytes]:
    """The kind of a damage, and the damaged file."""
    method = choice.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    whole = choice.choice(
        (gzip.compress(data, 1, mtime=0), lzma.compress(data, preset=0), zipped(method, {"data.csv": data}))
    )
    at = choice.randrange(len(whole))
    kinds: dict[str, Callable[[], bytes]] = {
        "plain": lambda: data,
        "whole": lambda: whole,
        "cut off": lambda: whole[:at],
        "flipped": lambda: whole[:at] + bytes([whole[at] ^ 1 << choice.randrange(8)]) + whole[at + 1 :],
        "changed": lambda: mutate_bytes(choice, whole),
        "with rubbish": lambda: whole + choice.choice((b"x", b"\n", bytes(50) + b"x", data)),
        "twice": lambda: gzip.compress(whole, 1, mtime=0),
        "empty archive": lambda: zipped(method, {}),
        "archive of two": lambda: zipped(method, {"a.csv": data, "b.csv": data}),
        "archive with a path": lambda: zipped(method, {"../../etc/data.csv": data}),
        "locked archive": lambda: locked(zipped(method, {"data.csv": data})),
        "bzip2": lambda: bz2.compress(data),
        "magic alone": lambda: (
            choice.choice((b"\x1f\x8b", b"PK\x03\x04", b"\xfd7zXZ\x00", b"PK\x05\x06" + bytes(18))) + data
        ),
        "lzma of old": lambda: lzma.compress(data, lzma.FORMAT_ALONE, preset=0),
        "nothing": lambda: b"",
    }
    kind = choice.choice(list(kinds))
    return kind, kinds[kind]()


def locked(archive: bytes) -> bytes:
    """The archive with its file marked as encrypted."""
    changed = bytearray(archive)
    changed[6] |= 1
    changed[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


@lru_cache(64)
def bomb(header: str, packing: str, filler: bytes) -> bytes:
    """A small file that expands to BOMB_BYTES: one long line, or millions of blank ones."""
    data = header.encode() + b"\n" + filler * BOMB_BYTES
    if packing == "gzip":
        return gzip.compress(data, 1, mtime=0)
    if packing == "xz":
        return lzma.compress(data, preset=0)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("data.csv", data)
    return packed.getvalue()


def make_lines(choice: random.Random, seed: Seed) -> HostileFile:
    """A file of JSON lines, damaged in most cases."""
    draft = Draft(seed, [], [])
    data = seed.data
    if choice.random() < 0.3:
        data = choice.choice((b"\n", b"\r\n", b"  \n")).join(data.splitlines()) + choice.choice((b"", b"\n", b"\n\n"))
        draft.steps.append("other line ends")
    if choice.random() < HOSTILE_SHARE:
        data = change_bytes(choice, draft, data)
    if choice.random() < 0.1:
        return pack_wrongly(choice, draft, data)
    rows = sum(not line.isspace() and line != b"" for line in data.splitlines()) if draft.is_counted else None
    return HostileFile(data, ".ndjson", "", tuple(draft.steps), draft.is_faithful, rows)
