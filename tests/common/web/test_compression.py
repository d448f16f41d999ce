"""Compression: on request, from 1 KiB on, part by part for streams; ETags and conditional requests go on working."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from quart import Response, request

from common.web import application
from common.web.compression import CODINGS, LEAST_BYTES, THREAD_BYTES, requested_coding, without_codings
from common.web.html import html_page
from common.web.resources import Application
from tests.support.asgi import Sent, call

LONG = b'{"name": "a name that repeats itself"}\n' * 40
ETAG = "abc"


@pytest.fixture
def app() -> Application:
    app = application.create("ground", title="Ground", description="For tests", tags={})

    @app.get("/size/<int:size>")
    @html_page  # so that it may have parameters
    async def sized(size: int) -> Response:
        return Response(b"x" * size, content_type=request.args.get("type", "text/plain"))

    @app.get("/tagged")
    async def tagged() -> Response:
        headers = {"ETag": f'"{ETAG}"', "Vary": "Accept"}
        if request.if_none_match.contains_weak(ETAG):
            return Response(b"", status=304, headers=headers)
        return Response(LONG, content_type="application/json", headers=headers)

    @app.get("/weak")
    async def weak() -> Response:
        return Response(LONG, content_type="text/csv; charset=utf-8", headers={"ETag": 'W/"abc"'})

    @app.get("/stream")
    async def stream() -> Response:
        async def lines() -> AsyncIterator[bytes | str]:
            yield b"first\n"
            yield ""
            yield "second\n"
            for number in range(1000):
                yield b"line %d\n" % number

        return Response(lines(), content_type="application/x-ndjson")

    @app.get("/broken")
    async def broken() -> Response:
        async def lines() -> AsyncIterator[bytes]:
            yield b"first\n"
            raise ConnectionResetError("the database went away")

        return Response(lines(), content_type="text/csv")

    @app.get("/encoded")
    async def encoded() -> Response:
        return Response(gzip.compress(LONG * 99), content_type="text/csv", headers={"Content-Encoding": "gzip"})

    @app.get("/moved")
    async def moved() -> Response:
        return Response(status=303, headers={"Location": "/"})

    @app.get("/part")
    async def part() -> Response:
        return Response(LONG, status=206, content_type="text/csv")

    return app


def unpack(data: bytes, coding: str) -> bytes:
    if coding == "gzip":
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [LEAST_BYTES, LEAST_BYTES + 1, THREAD_BYTES - 1, THREAD_BYTES, THREAD_BYTES + 1])
async def test_a_long_body_is_compressed(app: Application, coding: str, size: int) -> None:
    response = await app.test_client().get(f"/size/{size}", headers={"Accept-Encoding": coding})
    data = await response.get_data(as_text=False)

    assert unpack(data, coding) == b"x" * size
    assert response.headers["Content-Encoding"] == coding
    assert response.headers["Content-Length"] == str(len(data))
    assert response.headers["Vary"] == "Accept-Encoding"
    assert len(data) < size


async def test_only_a_long_body_is_compressed_beside_the_event_loop(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    async def to_thread(function: Callable[[bytes, str], bytes], whole: bytes, coding: str) -> bytes:
        sizes.append(len(whole))
        return function(whole, coding)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    for size in (THREAD_BYTES - 1, THREAD_BYTES):
        await app.test_client().get(f"/size/{size}", headers={"Accept-Encoding": "gzip"})
    assert sizes == [THREAD_BYTES]


async def test_a_short_body_is_sent_as_it_is(app: Application) -> None:
    response = await app.test_client().get(f"/size/{LEAST_BYTES - 1}", headers={"Accept-Encoding": "gzip"})
    assert await response.get_data(as_text=False) == b"x" * (LEAST_BYTES - 1)
    assert "Content-Encoding" not in response.headers
    assert "Vary" not in response.headers


async def test_a_client_that_asks_for_nothing_gets_the_plain_body_and_is_told_that_it_varies(app: Application) -> None:
    response = await app.test_client().get("/tagged")
    assert await response.get_data(as_text=False) == LONG
    assert "Content-Encoding" not in response.headers
    assert response.headers["ETag"] == '"abc"'
    assert response.headers["Vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize(
    ("media_type", "compressed"),
    [
        ("application/json", True),
        ("application/problem+json", True),
        ("text/html; charset=utf-8", True),
        ("text/calendar; charset=utf-8", True),
        ("image/svg+xml", True),
        ("image/png", False),
        ("application/gzip", False),
        ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", False),
        ("application/jsonish", False),
    ],
)
async def test_only_what_gets_smaller_is_compressed(app: Application, media_type: str, compressed: bool) -> None:
    query = {"type": media_type}
    response = await app.test_client().get("/size/5000", query_string=query, headers={"Accept-Encoding": "gzip"})
    assert ("Content-Encoding" in response.headers) == compressed


@pytest.mark.parametrize("path", ["/encoded", "/moved", "/part"])
async def test_what_is_encoded_already_or_has_no_whole_content_stays_as_it_is(app: Application, path: str) -> None:
    plain = await app.test_client().get(path)
    asked = await app.test_client().get(path, headers={"Accept-Encoding": "gzip, zstd"})
    assert await plain.get_data(as_text=False) == await asked.get_data(as_text=False)
    assert plain.headers.get("Content-Encoding") == asked.headers.get("Content-Encoding")


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (b"gzip", "gzip"),
        (b"zstd", "zstd"),
        (b"GZIP", "gzip"),
        (b"gzip, deflate, br, zstd", "zstd"),
        (b"gzip, deflate, br", "gzip"),
        (b"zstd;q=0.5, gzip", "gzip"),
        (b"zstd;q=0, gzip;q=0.1", "gzip"),
        (b"gzip;q=0", None),
        (b"*", "zstd"),
        (b"*;q=0", None),
        (b"zstd;q=0, *", "gzip"),
        (b"identity", None),
        (b"br, deflate", None),
        (b"identity;q=1, gzip;q=0.5", "gzip"),
        (b"", None),
        (b"gzipped", None),
        (b"\xff", None),
    ],
)
def test_the_coding_is_the_best_that_is_accepted(header: bytes, coding: str | None) -> None:
    assert requested_coding(header) == coding


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_strong_etag_differs_by_coding_and_each_is_recognised(app: Application, coding: str) -> None:
    client, headers = app.test_client(), {"Accept-Encoding": coding}
    first = await client.get("/tagged", headers=headers)
    assert first.headers["ETag"] == f'"abc-{coding}"'
    again = await client.get("/tagged", headers={**headers, "If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Vary"] == first.headers["Vary"] == "Accept, Accept-Encoding"
    assert "Content-Encoding" not in again.headers
    assert await again.get_data(as_text=False) == b""


@pytest.mark.parametrize("known", ['"abc"', 'W/"abc"', '"x", "abc"', "*", '"x", "abc-gzip"'])
async def test_a_client_that_has_another_representation_of_the_same_need_not_read_it_again(
    app: Application, known: str
) -> None:
    response = await app.test_client().get("/tagged", headers={"If-None-Match": known, "Accept-Encoding": "gzip"})
    assert response.status_code == 304
    assert response.headers["ETag"] == ('"abc-gzip"' if "gzip" in known else '"abc"')


@pytest.mark.parametrize("known", ['"abcd-gzip"', '"gzip"', '"ab-gzip"', '"abc-br"', '"abc-gzip-gzip"'])
async def test_another_etag_is_not_recognised(app: Application, known: str) -> None:
    assert (await app.test_client().get("/tagged", headers={"If-None-Match": known})).status_code == 200


async def test_a_weak_etag_holds_for_every_coding(app: Application) -> None:
    response = await app.test_client().get("/weak", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["ETag"] == 'W/"abc"'


@given(st.lists(st.text("abc-gzipstd", max_size=12), max_size=4))
def test_without_codings_only_the_ends_of_etags_change(names: list[str]) -> None:
    header = ", ".join(f'"{name}"' for name in names)
    expected = ", ".join(f'"{name.removesuffix("-gzip").removesuffix("-zstd")}"' for name in names)
    if not any(name.endswith(("-zstd-gzip", "-gzip-zstd")) for name in names):
        assert without_codings(header) == expected


def decompressed(parts: list[bytes], coding: str) -> Iterator[bytes]:
    """What a client can read after each part."""
    stream = zlib.decompressobj(31) if coding == "gzip" else zstandard.ZstdDecompressor().decompressobj()
    for part in parts:
        yield stream.decompress(part) if part else b""


@pytest.mark.parametrize("coding", CODINGS)
async def test_each_part_of_a_stream_can_be_read_when_it_arrives(app: Application, coding: str) -> None:
    sent = await call(app, "/stream", Accept_Encoding=coding)
    readable = list(decompressed(sent.parts, coding))

    assert sent.headers["content-encoding"] == coding
    assert "content-length" not in sent.headers
    assert readable[:3] == [b"first\n", b"second\n", b"line 0\n"]
    assert b"".join(readable) == b"first\nsecond\n" + b"".join(b"line %d\n" % number for number in range(1000))
    assert sent.is_complete


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_compressed_stream_that_breaks_is_not_ended(app: Application, coding: str) -> None:
    sent = Sent()
    with pytest.raises(ConnectionResetError):
        await call(app, "/broken", "GET", sent, Accept_Encoding=coding)
    assert b"".join(decompressed(sent.parts, coding)) == b"first\n"
    assert not sent.is_complete


@pytest.mark.parametrize("path", ["/tagged", "/stream", "/size/2000", "/size/10"])
async def test_head_has_the_headers_of_the_compressed_response(app: Application, path: str) -> None:
    got = await call(app, path, Accept_Encoding="gzip", X_Request_ID="mine")
    head = await call(app, path, "HEAD", Accept_Encoding="gzip", X_Request_ID="mine")
    assert head.headers == got.headers
    assert head.body == b""
