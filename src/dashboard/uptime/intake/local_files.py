"""Files of the stores on this machine, packed or not, read off the event loop."""

import asyncio
import gzip
import lzma
import re
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO, cast

from common.web.errors import Invalid
from dashboard.uptime.intake.decompress import CHUNK_BYTES
from dashboard.uptime.intake.parse import StoreFile

FILE_NAMES = {
    StoreFile.TIMEZONES: re.compile(r"(.*[_.-])?time_?zones?([_.-].*)?\.csv(\.gz|\.xz)?"),
    StoreFile.BUSINESS_HOURS: re.compile(r"(.*[_.-])?(business|menu)[_-]?hours([_.-].*)?\.csv(\.gz|\.xz)?"),
    StoreFile.STATUS: re.compile(r"(.*[_.-])?status([_.-].*)?\.csv(\.gz|\.xz)?"),
}
"""What the files in a directory are told by; there may be several of a kind."""


def _ignore_progress(_: int) -> None:
    """Nobody watches."""


async def read_file(path: Path, progress: Callable[[int], object] = _ignore_progress) -> AsyncIterator[bytes]:
    """The file's bytes in pieces, unpacked where its name ends in .gz or .xz.

    progress: called with the number of bytes of the file read since the last call. Raises Invalid for a packed file
    that is damaged, OSError for one that cannot be read.
    """
    with path.open("rb") as raw, _decompressing(raw, path) as file:
        seen = 0
        while True:
            try:
                piece = await asyncio.to_thread(file.read, CHUNK_BYTES)
            except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError):
                raise Invalid("The file was refused: it is damaged, or not packed as its name says.") from None
            if not piece:
                return
            progress(raw.tell() - seen)
            seen = raw.tell()
            yield piece


def _decompressing(raw: BinaryIO, path: Path) -> BinaryIO:
    match path.suffix:
        case ".gz":
            return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
        case ".xz":
            return cast(BinaryIO, lzma.LZMAFile(raw))
        case _:
            return raw


def find_store_files(folder: Path) -> list[tuple[StoreFile, Path]]:
    """The files of the stores in a directory, those that say what a store is before its polls. Raises OSError."""
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    return [(kind, folder / name) for kind, form in FILE_NAMES.items() for name in names if form.fullmatch(name)]
