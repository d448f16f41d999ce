"""Responses of known length: whole, in one range of bytes, or not at all where the client has them."""

import gzip
from collections.abc import AsyncIterator
from tempfile import SpooledTemporaryFile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quart import Response

from common.web import application, spooled
from common.web.resources import Application
from common.web.spooled import MEMORY_BYTES, READ_BYTES, is_current, not_modified, spooled_response
from tests.support.asgi import Sent, call

CONTENT = bytes(range(256)) * 20
HEADERS = {"ETag": '"v1"', "X-Report": "1"}


def app_with(*parts: bytes) -> Application:
    app = application.create("ground", title="Ground", description="For tests", tags={})

    async def make() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    @app.get("/file")
    async def file() -> Response:
        if is_current("v1"):
            return not_modified(HEADERS)
        return await spooled_response(make(), content_type="text/csv", headers=HEADERS)

    return app


async def get(app: Application, **headers: str) -> tuple[Sent, bytes]:
    sent = await call(app, "/file", **headers)
    return sent, sent.body


@pytest.mark.parametrize("size", [0, 1, READ_BYTES, READ_BYTES + 1, MEMORY_BYTES, MEMORY_BYTES + 1, 3 * MEMORY_BYTES])
async def test_a_response_has_its_length_whether_it_waits_in_memory_or_on_disk(size: int) -> None:
    content = (b"0123456789" * (size // 10 + 1))[:size]
    response, body = await get(app_with(*(content[at : at + 50_000] for at in range(0, size, 50_000))))
    assert response.status == 200
    assert response.headers["content-length"] == str(size)
    assert response.headers["accept-ranges"] == "bytes"
    assert body == content


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=0-0", 0, 1),
        ("bytes=100-", 100, 5120),
        ("bytes=5119-", 5119, 5120),
        ("bytes=-1", 5119, 5120),
        ("bytes=-100", 5020, 5120),
        ("bytes=-9999", 0, 5120),
        ("bytes=5000-9999", 5000, 5120),
    ],
)
async def test_one_range_of_bytes_is_sent(asked: str, begin: int, end: int) -> None:
    response, body = await get(app_with(CONTENT), Range=asked, Accept_Encoding="gzip")
    assert response.status == 206
    assert body == CONTENT[begin:end]
    assert response.headers["content-range"] == f"bytes {begin}-{end - 1}/5120"
    assert response.headers["content-length"] == str(end - begin)
    assert response.headers["etag"] == '"v1"'
    assert "content-encoding" not in response.headers


@given(st.integers(0, 6000), st.integers(0, 6000))
async def test_the_ranges_of_a_download_in_two_parts_are_the_whole(cut: int, more: int) -> None:
    app = app_with(CONTENT)
    if cut >= len(CONTENT):
        assert (await get(app, Range=f"bytes={cut}-{cut + more}"))[0].status == 416
        return
    first = (await get(app, Range=f"bytes=0-{cut}"))[1]
    rest, status = b"", 206
    if cut + 1 < len(CONTENT):
        response, rest = await get(app, Range=f"bytes={cut + 1}-")
        status = response.status
    assert (first + rest, status) == (CONTENT, 206)


@pytest.mark.parametrize("asked", ["bytes=5120-", "bytes=9000-9999"])
async def test_a_range_behind_the_end_is_416_and_states_the_length(asked: str) -> None:
    response, _ = await get(app_with(CONTENT), Range=asked)
    assert (response.status, response.headers["content-type"]) == (416, "application/problem+json")
    assert response.headers["content-range"] == "bytes */5120"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=x", "bytes=9-1", "bytes=--1", "bytes", ""])
async def test_a_range_of_another_kind_is_ignored(asked: str) -> None:
    response, body = await get(app_with(CONTENT), Range=asked)
    assert (response.status, body) == (200, CONTENT)


@pytest.mark.parametrize(("known", "status"), [('"v1"', 206), ('"v2"', 200), ('"v1-gzip"', 200), ('W/"v1"', 200)])
async def test_a_download_is_resumed_only_if_it_has_not_changed(known: str, status: int) -> None:
    response, body = await get(app_with(CONTENT), Range="bytes=10-", If_Range=known)
    assert response.status == status
    assert body == (CONTENT[10:] if status == 206 else CONTENT)


async def test_a_client_that_has_the_content_gets_304_without_it_being_made() -> None:
    response, body = await get(app_with(CONTENT), If_None_Match='"v1"', Range="bytes=0-9")
    assert (response.status, body) == (304, b"")
    assert response.headers["etag"] == '"v1"'
    assert response.headers["x-report"] == "1"
    assert "content-type" not in response.headers


async def test_a_client_that_asks_for_it_gets_it_compressed() -> None:
    response, body = await get(app_with(CONTENT), Accept_Encoding="gzip")
    assert gzip.decompress(body) == CONTENT
    assert response.headers["etag"] == '"v1-gzip"'
    assert "content-length" not in response.headers


async def test_head_states_the_length_and_ignores_ranges() -> None:
    response = await call(app_with(CONTENT), "/file", "HEAD", Range="bytes=0-9")
    assert (response.status, response.headers["content-length"], response.body) == (200, "5120", b"")


async def test_nothing_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    original = SpooledTemporaryFile[bytes]

    def record(*arguments: Any) -> Any:
        opened.append(original(*arguments))
        return opened[-1]

    monkeypatch.setattr(spooled, "SpooledTemporaryFile", record)
    app = app_with(CONTENT)
    await get(app)
    await get(app, Range="bytes=1-2")
    await get(app, Range="bytes=9999-")
    await call(app, "/file", "HEAD")

    async def fail() -> AsyncIterator[bytes]:
        yield b"x"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await spooled_response(fail(), content_type="text/csv", headers={})
    assert len(opened) == 5
    assert all(file.closed for file in opened)
