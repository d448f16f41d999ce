"""Store files on this machine, compressed or not, read in threads."""

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
"""Patterns by which the files of a directory are recognised; a directory may have several files of one kind."""


def _ignore_progress(_: int) -> None:
    """Report progress to no one."""


async def read_file(path: Path, progress: Callable[[int], object] = _ignore_progress) -> AsyncIterator[bytes]:
    """Yield the file's bytes in chunks, decompressed where the name ends in .gz or .xz.

    progress: called with the number of bytes of the file read since the last call. Raises Invalid when a compressed
    file is damaged, OSError when the file cannot be read.
    """
    with path.open("rb") as raw, _decompressing(raw, path) as file:
        position = 0
        while True:
            try:
                chunk = await asyncio.to_thread(file.read, CHUNK_BYTES)
            except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError):
                raise Invalid("The file was refused: it is damaged, or not compressed as its name says.") from None
            if not chunk:
                return
            progress(raw.tell() - position)
            position = raw.tell()
            yield chunk


def _decompressing(raw: BinaryIO, path: Path) -> BinaryIO:
    match path.suffix:
        case ".gz":
            return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
        case ".xz":
            return cast(BinaryIO, lzma.LZMAFile(raw))
        case _:
            return raw


def find_store_files(folder: Path) -> list[tuple[StoreFile, Path]]:
    """Find the store files in a directory, time zones and business hours before polls. Raises OSError."""
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    return [(kind, folder / name) for kind, form in FILE_NAMES.items() for name in names if form.fullmatch(name)]
