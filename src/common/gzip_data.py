"""Decompresses gzip data as they arrive, whether in a file or in a response."""

import zlib
from collections.abc import Iterator

WBITS = 16 + zlib.MAX_WBITS
"""zlib's number for gzip."""


class DamagedGzipError(Exception):
    """The data are damaged, or end too early."""


class GzipData:
    """Gzip data of one or more members; zeros after the last are padding. No data at all are an empty text."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(WBITS)
        self._is_empty = True

    def decompress(self, data: bytes, max_bytes: int) -> Iterator[bytes]:
        """Yield the text of the next data, in pieces of at most `max_bytes`. Raises DamagedGzipError."""
        while data:
            if self._member.eof:
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._member = zlib.decompressobj(WBITS)
            self._is_empty = False
            try:
                text = self._member.decompress(data, max_bytes)
            except zlib.error as error:
                raise DamagedGzipError(f"its gzip data are damaged ({error})") from None
            if text:
                yield text
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def finish(self) -> None:
        """Raises DamagedGzipError if the data so far are not whole."""
        if not self._member.eof and not self._is_empty:
            raise DamagedGzipError("it ends in the middle of its gzip data")
