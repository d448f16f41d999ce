"""Request bodies: size limits with and without a Content-Length, and bounded memory."""

import asyncio
from typing import Any

import pytest

from common.web import connection
from common.web.errors import TooLarge
from common.web.request_body import DEFAULT_MAX_BYTES, HIGH_WATER, BoundedBody
from common.web.resources import Application

MIB = 1024 * 1024
OCTETS = {"Content-Type": "application/octet-stream"}
JSON = {"Content-Type": "application/json"}


async def send_in_parts(app: Application, path: str, size: int, headers: dict[str, str]) -> tuple[int, Any, int]:
    """Send a body without a Content-Length; returns the status, the response, and the number of bytes received."""
    sent: asyncio.Queue[Any] = asyncio.Queue()
    taken = 0
    left = size

    async def receive() -> Any:
        nonlocal taken, left
        await asyncio.sleep(0)
        if left <= 0:
            await asyncio.Event().wait()
        part = b"x" * min(65536, left)
        left -= len(part)
        taken += len(part)
        return {"type": "http.request", "body": part, "more_body": left > 0}

    scope = {
        "type": "http", "method": "POST", "path": path, "query_string": b"", "http_version": "1.1", "scheme": "http",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    await app(scope, receive, sent.put)  # type: ignore[arg-type]  # plain dictionaries stand for ASGI's
    start = await sent.get()
    answer = b""
    while not sent.empty():
        answer += (await sent.get())["body"]
    return start["status"], answer, taken


async def test_a_body_of_the_limit_is_accepted_and_one_byte_more_is_413(bare: Application) -> None:
    client = bare.test_client()
    assert (await client.post("/things", data=b" " * DEFAULT_MAX_BYTES, headers=JSON)).status_code == 400
    answer = await client.post("/things", data=b" " * (DEFAULT_MAX_BYTES + 1), headers=JSON)
    assert answer.status_code == 413
    assert answer.content_type == "application/problem+json"
    assert (await answer.get_json())["code"] == "too_large"


async def test_a_body_in_parts_is_413_too(bare: Application) -> None:
    assert (await send_in_parts(bare, "/things", DEFAULT_MAX_BYTES, JSON))[0] == 400
    status, answer, _ = await send_in_parts(bare, "/things", DEFAULT_MAX_BYTES + 1, JSON)
    assert status == 413
    assert b"too_large" in answer


async def test_a_content_length_above_the_limit_is_413_at_once(
    bare: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.05)
    status, answer, taken = await send_in_parts(bare, "/things", 0, {**JSON, "Content-Length": str(10 * MIB)})
    assert (status, taken) == (413, 0)
    assert b"too_large" in answer


async def test_a_route_may_have_a_higher_limit(bare: Application) -> None:
    status, answer, _ = await send_in_parts(bare, "/whole", 8 * MIB, OCTETS)
    assert (status, answer) == (200, b'{"total":8388608}')
    assert (await send_in_parts(bare, "/whole", 8 * MIB + 1, OCTETS))[0] == 413
    assert (await send_in_parts(bare, "/upload", 8 * MIB + 1, OCTETS))[0] == 413


async def test_an_unknown_path_with_a_body_is_404(bare: Application) -> None:
    assert (await send_in_parts(bare, "/nothing", 100, JSON))[0] == 404


async def test_an_upload_that_is_read_in_parts_is_never_whole_in_memory(bare: Application) -> None:
    status, answer, taken = await send_in_parts(bare, "/upload", 8 * MIB, OCTETS)
    assert (status, taken) == (200, 8 * MIB)
    numbers = dict(part.split(":") for part in answer.decode().strip("{}").replace('"', "").split(","))
    assert int(numbers["total"]) == 8 * MIB
    assert int(numbers["largest"]) <= HIGH_WATER + 65536


async def test_the_network_waits_for_the_reader_of_a_body() -> None:
    bounded = BoundedBody(None, 64 * MIB)
    bounded.append(b"x" * HIGH_WATER)
    waiting = asyncio.create_task(bounded.room())
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    assert len(await anext(bounded)) == HIGH_WATER
    await waiting


async def test_a_refused_body_holds_nothing_and_every_read_of_it_raises() -> None:
    bounded = BoundedBody(None, None)
    bounded.limit = 10
    bounded.append(b"x" * 8)
    bounded.append(b"x" * 8)
    bounded.append(b"x" * 8)
    assert bounded.received == 24
    assert len(bounded._data) == 0
    await bounded.room()
    with pytest.raises(TooLarge):
        await bounded
    with pytest.raises(TooLarge):
        await anext(bounded)


async def test_the_rest_of_a_refused_body_is_received_before_the_connection_closes(bare: Application) -> None:
    """Otherwise a client that sends the whole body before it reads would get a broken pipe and no response."""
    status, _, taken = await send_in_parts(bare, "/things", 20 * MIB, {**JSON, "Content-Length": str(20 * MIB)})
    assert (status, taken) == (413, 20 * MIB)
    status, _, taken = await send_in_parts(bare, "/things", 3 * MIB, {"Content-Type": "text/plain"})
    assert (status, taken) == (413, 3 * MIB)
