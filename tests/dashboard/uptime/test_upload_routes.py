"""Uploads of store files: plain, compressed, invalid, too large, repeated."""

import asyncio
import gzip
import lzma
import re
from collections.abc import AsyncIterator

import aiohttp
import asyncpg
import pytest

from dashboard.uptime.intake import receive
from dashboard.uptime.intake.receive import MAX_FILE_BYTES
from dashboard.uptime.routes import imports
from tests.dashboard.uptime.conftest import HOURS, STATUS, ZONES, Stores
from tests.support.waiting import eventually

POLL = "1,active,2023-01-23 16:14:00 UTC\n"


async def polls(db: asyncpg.Pool) -> int:
    return await db.fetchval("SELECT count(*) FROM store_poll")


async def test_a_file_is_imported_and_its_invalid_rows_are_listed(stores: Stores, dashboard_db: asyncpg.Pool) -> None:
    text = (
        "\ufeff" + STATUS + POLL + "1,open,2023-01-23 17:00:00 UTC\n\n1,inactive,2023-01-23T17:15:00\n2,active,never\n"
    )
    answer = await stores.put("status", text)
    assert answer.status_code == 200
    body = await answer.get_json()
    assert list(body) == ["rows", "new", "rejected", "rejected_total", "notices"]
    assert (body["rows"], body["new"], body["rejected_total"]) == (4, 2, 2)
    assert [line["line"] for line in body["rejected"]] == [3, 6]
    assert body["rejected"][0]["reason"] == "status 'open' must be active or inactive"
    assert await polls(dashboard_db) == 2


async def test_an_offset_that_postgresql_refuses_is_converted(stores: Stores, dashboard_db: asyncpg.Pool) -> None:
    answer = await stores.put("status", STATUS + "1,active,2023-01-22 12:00:00+20:00\n" + POLL)
    assert (answer.status_code, (await answer.get_json())["new"]) == (200, 2)
    assert await dashboard_db.fetchval("SELECT min(polled_at) = '2023-01-21 16:00:00+00' FROM store_poll")


async def test_the_same_file_again_adds_no_rows(stores: Stores) -> None:
    for kind, text in (
        ("status", STATUS + POLL),
        ("business-hours", HOURS + "1,0,09:00:00,12:00:00\n"),
        ("timezones", ZONES + "1,Europe/London\n"),
    ):
        assert await (await stores.put(kind, text)).get_json() == {
            "rows": 1, "new": 1, "rejected": [], "rejected_total": 0, "notices": [],
        }  # fmt: skip
        assert (await (await stores.put(kind, text)).get_json())["new"] == 0


async def test_a_hundred_invalid_rows_are_listed_and_all_counted(stores: Stores) -> None:
    body = await (await stores.put("timezones", ZONES + "1,Europe/London\n" + "1,Mars/Olympus\n" * 150)).get_json()
    assert (len(body["rejected"]), body["rejected_total"], body["rows"], body["new"]) == (100, 150, 151, 1)
    assert body["rejected"][0]["line"] == 3


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
async def test_a_compressed_file_is_imported(stores: Stores, encoding: str) -> None:
    answer = await stores.put("status", gzip.compress((STATUS + POLL).encode()), Content_Encoding=encoding)
    assert answer.status_code == 200
    assert (await answer.get_json())["new"] == 1


@pytest.mark.parametrize("kind", ["status", "business-hours", "timezones"])
async def test_a_wrong_header_refuses_the_whole_file(stores: Stores, dashboard_db: asyncpg.Pool, kind: str) -> None:
    for text in ("", "store_id\n1\n", '"store_id"|"status"\n', '"store_id,status\n', POLL):
        answer = await stores.put(kind, text)
        assert answer.status_code == 400
        assert answer.content_type == "application/problem+json"
        (fault,) = (await answer.get_json())["errors"]
        assert fault["field"] == "header"
    assert await stores.get("/stores/imports") == []


@pytest.mark.parametrize(
    "body", [b"not gzip at all", gzip.compress((STATUS + POLL * 1000).encode())[:-30]], ids=["text", "cut off"]
)
async def test_a_damaged_compressed_file_is_refused(stores: Stores, dashboard_db: asyncpg.Pool, body: bytes) -> None:
    assert (await stores.put("status", body, Content_Encoding="gzip")).status_code == 400
    assert await polls(dashboard_db) == 0


async def test_a_bomb_is_refused(stores: Stores, dashboard_db: asyncpg.Pool) -> None:
    bomb = gzip.compress((STATUS + POLL * 2_000_000).encode())
    answer = await stores.put("status", bomb, Content_Encoding="gzip")
    assert answer.status_code == 413
    assert (await answer.get_json())["code"] == "too_large"
    assert await polls(dashboard_db) == 0


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "deflate"])
async def test_other_encodings_are_refused(stores: Stores, encoding: str) -> None:
    answer = await stores.put("status", STATUS + POLL, Content_Encoding=encoding)
    assert answer.status_code == 415
    assert answer.headers["Accept-Encoding"] == "gzip"


async def test_other_media_types_are_refused(stores: Stores) -> None:
    answer = await stores.put("status", STATUS + POLL, Content_Type="application/json")
    assert answer.status_code == 415


async def test_other_methods_and_parameters_are_refused(stores: Stores) -> None:
    answer = await stores.client.post("/stores/status")
    assert answer.status_code == 405
    assert "PUT" in answer.headers["Allow"]
    assert (await stores.client.put("/stores/status?since=1", data=STATUS)).status_code == 400


async def test_imports_are_listed_in_pages(stores: Stores) -> None:
    await stores.put("timezones", ZONES + "1,Europe/London\n1,Nowhere\n")
    await stores.put("status", STATUS + POLL)
    await stores.put("status", STATUS + POLL)
    answer = await stores.client.get("/stores/imports?limit=2")
    first = await answer.get_json()
    link = re.match(r'<(/.*)>; rel="next"', answer.headers["Link"])
    assert link is not None
    (last,) = await stores.get(link[1])
    assert [(each["kind"], each["rows"], each["new"]) for each in [*first, last]] == [
        ("status", 1, 0),
        ("status", 1, 1),
        ("timezones", 2, 1),
    ]
    assert last["source"] == "upload"
    assert last["rejected"] == [{"line": 3, "reason": "timezone_str 'Nowhere' is not a known time zone"}]
    await stores.get("/stores/imports?cursor=nonsense", 400)
    await stores.get("/stores/imports?limit=0", 400)


async def test_a_content_length_over_the_limit_is_refused_before_the_body_arrives(base: str) -> None:
    _, _, port = base.rpartition(":")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    head = f"PUT /stores/status HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: {10**10}\r\n\r\n"
    writer.write(head.encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    writer.close()
    await writer.wait_closed()


async def test_a_file_that_grows_over_the_limit_is_refused_and_nothing_is_stored(
    base: str, dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "dashboard.uptime.routes.imports.received", lambda chunks: receive.received(chunks, limit=300_000)
    )

    async def endless() -> AsyncIterator[bytes]:
        yield STATUS.encode()
        for _ in range(20):
            yield POLL.encode() * 1000

    async with aiohttp.ClientSession() as client:
        for data in (endless(), endless()):
            async with client.put(f"{base}/stores/status", data=data, headers={"Content-Type": "text/csv"}) as answer:
                assert answer.status == 413
                assert answer.content_type == "application/problem+json"
        assert await polls(dashboard_db) == 0
        async with client.put(f"{base}/stores/status", data=(STATUS + POLL).encode()) as answer:
            assert (await answer.json())["new"] == 1
    assert MAX_FILE_BYTES == 2**30


async def test_a_body_that_grows_over_the_limit_is_not_taken_for_a_shorter_file(
    base: str, dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports.upload_status, "_body_limit", 300_000)

    async def growing() -> AsyncIterator[bytes]:
        yield STATUS.encode()
        for _ in range(20):
            yield POLL.encode() * 1000
            await asyncio.sleep(0)  # send it before the next chunk

    async with (
        aiohttp.ClientSession() as client,
        client.put(f"{base}/stores/status", data=growing(), headers={"Content-Type": "text/csv"}) as answer,
    ):
        assert answer.status == 413
    assert await polls(dashboard_db) == 0


async def test_an_interrupted_upload_stores_nothing(base: str, dashboard_db: asyncpg.Pool) -> None:
    _, _, port = base.rpartition(":")
    _, writer = await asyncio.open_connection("127.0.0.1", int(port))
    head = "PUT /stores/status HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: 100000\r\n\r\n"
    writer.write((head + STATUS + POLL * 10).encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with aiohttp.ClientSession() as client:
        async with client.put(f"{base}/stores/timezones", data=(ZONES + "1,Europe/London\n").encode()) as answer:
            assert answer.status == 200
        async with client.get(f"{base}/stores/imports") as answer:
            assert [each["kind"] for each in await answer.json()] == ["timezones"]
    assert await polls(dashboard_db) == 0


async def test_a_spreadsheets_file_is_imported_with_semicolons_quotes_and_utf_16(stores: Stores) -> None:
    text = 'sep=;\r\n"Store_ID";"Note";"Status";"Timestamp UTC"\r\n"1";"x";"active";"2023-01-23 16:14:00"\r\n'
    answer = await stores.put("status", text.encode("utf-16"))
    assert await answer.get_json() == {
        "rows": 1, "new": 1, "rejected": [], "rejected_total": 0,
        "notices": ["columns that are not known were ignored: Note"],
    }  # fmt: skip


@pytest.mark.parametrize("media_type", ["application/x-xz", "text/csv", "application/octet-stream"])
async def test_a_compressed_file_needs_no_header_that_says_so(stores: Stores, media_type: str) -> None:
    answer = await stores.put("status", lzma.compress((STATUS + POLL).encode()), Content_Type=media_type)
    assert (await answer.get_json())["new"] == 1


async def test_a_file_of_which_no_row_is_valid_is_refused(stores: Stores) -> None:
    answer = await stores.put("status", STATUS + "1,open,2023-01-23 16:14:00\n")
    assert answer.status_code == 400
    (fault,) = (await answer.get_json())["errors"]
    assert fault == {"field": "lines.2", "message": "status 'open' must be active or inactive"}
    assert (await stores.put("status", STATUS)).status_code == 400
    assert await stores.get("/stores/imports") == []


async def test_all_rejected_lines_can_be_had_with_their_texts(stores: Stores) -> None:
    lines = [f'{number},"open",2023-01-23 16:14:00' for number in range(30_000)]
    data = (STATUS + POLL + "\n".join(lines)).encode()
    answer = await stores.client.put("/stores/status?rejected=all", data=data, headers={"Content-Type": "text/csv"})
    body = await answer.get_json()
    assert [line["text"] for line in body["rejected"]] == lines
    assert (body["rows"], body["new"], body["rejected_total"], body["notices"]) == (30_001, 1, 30_000, [])
    assert [line["line"] for line in body["rejected"]] == list(range(3, 30_003))
    assert (await stores.client.put("/stores/status?rejected=some", data=data)).status_code == 400


async def test_uploads_that_arrive_slowly_hold_no_connection(base: str, dashboard_db: asyncpg.Pool) -> None:
    """As many as there are places for imports, and one more that overtakes them."""
    ready, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield STATUS.encode()
        ready.set()
        await go_on.wait()
        yield POLL.encode()

    headers = {"Content-Type": "text/csv"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        url = f"{base}/stores/status"
        uploads = [asyncio.create_task(client.put(url, data=slow(), headers=headers)) for _ in range(6)]
        await ready.wait()
        async with client.put(url, data=(STATUS + POLL).encode(), headers=headers) as answer:
            assert (await answer.json())["new"] == 1
        # A job or the end of a request may be between two statements at the moment of a single look.
        in_transaction = "SELECT FROM pg_stat_activity WHERE state = 'idle in transaction'"
        none = f"SELECT NOT EXISTS ({in_transaction} AND datname = current_database())"
        await eventually(lambda: dashboard_db.fetchval(none))
        go_on.set()
        for answer in await asyncio.gather(*uploads):
            assert (await answer.json())["new"] == 0
