"""Reads the text of a file. The content of the file tells its compression, its encoding and its line ends."""

import codecs
import errno
import lzma
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO

from common.gzip_data import DamagedGzipError, GzipData

BLOCK_BYTES = 256 * 1024
MAX_EXPANSION = 200
"""A file of rows expands about tenfold, a bomb a thousandfold."""
UNCHECKED_BYTES = 16 * 1024 * 1024
"""Up to this size the expansion is not limited."""

_ZIP_MAGIC = b"PK\x03\x04"
_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\x00"

MAX_XZ_MEMORY = 128 * 1024 * 1024
"""In bytes; what xz compresses best, with -9, needs half of it."""
UNREADABLE_ARCHIVE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    IndexError,
    RuntimeError,
    ValueError,
)
"""Raised by zipfile for damaged and for encrypted archives."""


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
    gzip_data = GzipData()
    try:
        for block in blocks:
            yield from gzip_data.decompress(block, BLOCK_BYTES)
        gzip_data.finish()
    except DamagedGzipError as error:
        raise DamagedFileError(str(error)) from None


def _unxzipped(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress an xz file of one or more streams; zeros after the last are padding."""
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, MAX_XZ_MEMORY)
    for block in blocks:
        data = block
        while data or (not stream.eof and not stream.needs_input):
            if stream.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, MAX_XZ_MEMORY)
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
            member = _only_member(archive)
            with archive.open(member) as content:
                while block := content.read(BLOCK_BYTES):
                    yield block
            progress(member.compress_size)
    except UNREADABLE_ARCHIVE as error:
        raise DamagedFileError(f"its zip data cannot be read ({error})") from None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise DamagedFileError("its zip data cannot be read (they name a place outside the file)") from None


def _only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [each for each in archive.infolist() if not each.is_dir() and not each.filename.startswith("__MACOSX/")]
    if len(members) != 1:
        raise DamagedFileError(f"it is a zip archive of {len(members)} files; pack one file")
    if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DamagedFileError("its zip data are of an unusual kind; pack it with the usual method, deflate")
    return members[0]


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
