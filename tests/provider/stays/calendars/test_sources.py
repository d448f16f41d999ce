"""The calendars of other sites hold nights of a property."""

import asyncio
import gzip
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientTimeout, web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.web.resources import Application
from provider.stays.calendars import fetch, sources
from provider.stays.queries.properties import lock_properties
from tests.provider.stays.calendars.conftest import ADMIN, Read
from tests.support.calendar_site import CalendarSite, answers, calendar_of, calendar_site, never_answers
from tests.support.databases import waits_for_lock
from tests.support.storefront import Guest
from tests.support.waiting import eventually

DAY = timedelta(days=1)
PATH = "/properties/hut/calendar-sources"


async def put(guest: Guest, url: str, name: str = "site", property_id: str = "hut") -> tuple[int, Any]:
    answer, found = await guest.call("PUT", f"/properties/{property_id}/calendar-sources/{name}", json={"url": url})
    return answer.status_code, found


async def source_of(guest: Guest, name: str = "site") -> dict[str, Any]:
    answer, found = await guest.get(f"{PATH}/{name}")
    assert answer.status_code == 200, found
    return dict(found)


async def test_the_nights_of_an_event_are_taken_until_the_source_is_deleted(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("hut", turnover_days=1)
    site.answer = calendar_of(("a", soon, soon + 2 * DAY))

    status, created = await put(guest, f"{site.url}/a.ics?s=secret")
    assert status == 201
    assert created == {
        "property_id": "hut",
        "name": "site",
        "url": f"{site.url}/a.ics?s=secret",
        "nights_off_sale": 0,
        "nights_in_conflict": 0,
        "last_read": None,
        "last_success": None,
        "last_error": None,
    }
    assert await read() == {"read": 1, "unchanged": 0, "failed": 0, "events": 1, "changes": 1}

    assert await guest.calendar("hut", soon - DAY, 4) == ["free", "taken", "taken", "free"]
    assert await guest.available(soon + DAY, 1) == []
    answer, problem = await guest.reserve("hut", soon - DAY, 2)
    assert (answer.status_code, problem["code"]) == (409, "not_available")
    found = await source_of(guest)
    assert found["nights_off_sale"] == 2
    assert found["last_read"] == found["last_success"] is not None
    assert (await guest.get(PATH))[1] == [found]
    assert site.requests[0].path_qs == "/a.ics?s=secret"
    deleted, again = [(await guest.call("DELETE", f"{PATH}/site"))[0].status_code for _ in range(2)]
    assert (deleted, again) == (204, 404)
    assert await guest.calendar("hut", soon - DAY, 4) == ["free"] * 4
    assert (await guest.reserve("hut", soon, 2))[0].status_code == 200


async def test_a_property_that_is_deleted_while_a_source_is_added_is_unknown(
    guest: Guest, site: CalendarSite, provider_db: asyncpg.Pool
) -> None:
    await guest.create_property("hut")
    async with provider_db.acquire() as other, other.transaction():
        await lock_properties(other, "hut")
        adding = asyncio.create_task(put(guest, f"{site.url}/a.ics"))
        await eventually(lambda: waits_for_lock(provider_db))
        await other.execute("DELETE FROM property WHERE property_id = 'hut'")

    assert (await adding)[0] == 404


async def test_an_event_that_changes_moves_its_nights_and_one_that_vanishes_frees_them(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("hut")
    site.answer = calendar_of(("a", soon, soon + 2 * DAY), ("b", soon + 4 * DAY, soon + 5 * DAY))
    await put(guest, site.url)
    await read()

    site.answer = calendar_of(("a", soon + DAY, soon + 4 * DAY))
    assert (await read())["changes"] == 3

    assert await guest.calendar("hut", soon, 6) == ["free", "taken", "taken", "taken", "free", "free"]
    site.answer = calendar_of()
    await read()
    assert await guest.calendar("hut", soon, 6) == ["free"] * 6


async def test_nights_that_two_sources_hold_stay_taken_until_both_give_them_up(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("hut")
    site.answer = calendar_of(("a", soon, soon + 2 * DAY))
    await put(guest, site.url, "one")
    await put(guest, site.url, "two")
    await read()

    await guest.call("DELETE", f"{PATH}/one")
    assert await guest.calendar("hut", soon, 2) == ["taken", "taken"]
    await guest.call("DELETE", f"{PATH}/two")
    assert await guest.calendar("hut", soon, 2) == ["free", "free"]


async def test_a_calendar_that_has_not_changed_is_not_read_again(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("hut")
    site.answer = calendar_of(("a", soon, soon + 2 * DAY))
    await put(guest, site.url)
    await read()
    assert (await read())["unchanged"] == 1  # the same bytes
    site.headers = {"ETag": '"1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
    site.answer = calendar_of(("a", soon, soon + 3 * DAY))
    assert (await read())["read"] == 1

    assert (await read())["unchanged"] == 1

    assert site.requests[-1].headers["If-None-Match"] == '"1"'
    assert site.requests[-1].headers["If-Modified-Since"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert (await source_of(guest))["nights_off_sale"] == 3


async def test_a_calendar_is_read_again_when_the_time_zone_of_the_property_has_changed(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("hut", timezone="Europe/Berlin")
    event = f"BEGIN:VEVENT\r\nUID:a\r\nDTSTART:{soon:%Y%m%d}T020000Z\r\nDURATION:PT10H\r\nEND:VEVENT\r\n"
    site.answer, site.headers = calendar_of(more=event), {"ETag": '"1"'}
    await put(guest, site.url)
    await read()
    assert await guest.calendar("hut", soon - DAY, 2) == ["free", "taken"]

    await guest.call("PATCH", "/properties/hut", json={"timezone": "America/New_York"})
    assert (await read())["read"] == 1

    assert await guest.calendar("hut", soon - DAY, 2) == ["taken", "free"]


async def test_the_next_day_a_calendar_is_read_as_a_whole(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    """The range of its nights has moved: a recurrence without end has a night more at the end."""
    await guest.create_property("hut")
    event = f"BEGIN:VEVENT\r\nUID:a\r\nDTSTART;VALUE=DATE:{soon:%Y%m%d}\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n"
    site.answer, site.headers = calendar_of(more=event), {"ETag": '"1"'}
    await put(guest, site.url)
    await read()
    before = (await source_of(guest))["nights_off_sale"]

    assert (await read(datetime.now(UTC) + DAY))["read"] == 1

    assert "If-None-Match" not in site.requests[-1].headers
    assert (await source_of(guest))["nights_off_sale"] == before + 1
    last_start = datetime.now(UTC).date() + 730 * DAY
    assert (await guest.calendar("hut", last_start, 365)) == ["taken"] * 365


async def large(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/calendar"})
    await response.prepare(request)
    part = b"X" * 2**20
    for _ in range(50):
        await response.write(part)
    return response


async def bomb(_: web.Request) -> web.Response:
    body = gzip.compress(b"BEGIN:VCALENDAR\r\n" + b"X" * 50 * 2**20)
    return web.Response(body=body, headers={"Content-Encoding": "gzip"})


async def cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"BEGIN:VCALENDAR\r\n")
    assert request.transport is not None
    request.transport.abort()
    return response


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answers(404), "answered 404"),
        (answers(500), "answered 500"),
        (answers(401), "answered 401"),
        (answers(200, "<html>Sign in</html>"), "not an iCalendar"),
        (answers(200, ""), "not an iCalendar"),
        (answers(200, calendar_of()[:-5]), "cut off"),
        (answers(200, "x" * 100, Content_Encoding="br"), "br"),
        (answers(302, Location="http://127.0.0.2:1/"), "another host"),
        (answers(302, Location="http://[::1]:1/"), "another host"),
        (answers(302, Location="file:///etc/passwd"), "another host"),
        (answers(302, Location="/again"), "redirects more than"),
        (answers(302, Location="//user:password@127.0.0.1/"), "another host"),
        (answers(302), "redirects more than"),
        (large, "more than 10 MiB"),
        (bomb, "more than 10 MiB"),
        (cut_off, "cannot be read"),
    ],
)
async def test_a_reading_that_fails_frees_nothing_and_says_why(
    guest: Guest, site: CalendarSite, read: Read, soon: date, answer: Any, reason: str
) -> None:
    await guest.create_property("hut")
    site.answer = calendar_of(("a", soon, soon + 2 * DAY))
    await put(guest, site.url)
    await read()
    before = await source_of(guest)

    site.answer = answer
    assert (await read())["failed"] == 1

    found = await source_of(guest)
    assert reason in found["last_error"]
    assert (found["nights_off_sale"], found["last_success"]) == (2, before["last_success"])
    assert found["last_read"] > before["last_read"]
    site.answer = calendar_of(("a", soon, soon + DAY))
    await read()
    assert (await source_of(guest))["last_error"] is None
    assert await guest.calendar("hut", soon, 2) == ["taken", "free"]


async def test_a_broken_answer_shows_the_address_neither_in_the_log_nor_in_the_error(
    guest: Guest, read: Read, capsys: pytest.CaptureFixture[str]
) -> None:
    """The address of a calendar is often all that it takes to read it."""
    await guest.create_property("hut")
    answers_ = [b"HTTP/1.1 two hundred OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n", b"hello\r\n\r\n", b""]
    unknown = b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx"

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await put(guest, f"http://127.0.0.1:{port}/the%3A%20secret.ics?t=the-secret-too")
        for answer in (*answers_, unknown):
            assert (await read())["failed"] == 1, answer
            assert "secret" not in (await source_of(guest))["last_error"], answer
    output = "".join(capsys.readouterr())
    assert output.count('"calendar_not_read"') == 5
    assert "secret" not in output


async def test_a_redirect_on_the_same_host_is_followed(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("hut")

    async def redirect(request: web.Request) -> web.Response:
        if request.path == "/old":
            return web.Response(status=301, headers={"Location": "/new"})
        return web.Response(text=calendar_of(("a", soon, soon + DAY)))

    site.answer = redirect
    await put(guest, f"{site.url}/old")

    assert (await read())["read"] == 1


async def test_a_site_that_is_down_or_hangs_does_not_hold_up_the_others(
    guest: Guest, site: CalendarSite, read: Read, soon: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "SLOW_SECONDS", 0.2)
    monkeypatch.setattr(fetch, "_TIMEOUT", ClientTimeout(total=1))
    await guest.create_property("hut")

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"BEGIN:VCALENDAR")
        return await never_answers(request)

    site.answer = calendar_of(("a", soon, soon + DAY))
    async with calendar_site() as hanging, calendar_site() as slow, calendar_site() as closed:
        hanging.answer, slow.answer = never_answers, trickle
        for name, url in (("a", hanging.url), ("b", slow.url), ("c", closed.url), ("d", site.url)):
            await put(guest, url, name)
        closed.answer = answers(503)
        result = await read()

    assert (result["read"], result["failed"]) == (1, 3)
    assert await guest.calendar("hut", soon, 1) == ["taken"]
    assert "in time" in (await source_of(guest, "a"))["last_error"]
    assert "KiB" in (await source_of(guest, "b"))["last_error"]
    assert (await read())["failed"] == 3
    assert "cannot be reached" in (await source_of(guest, "c"))["last_error"]


async def test_sites_that_failed_last_time_are_asked_after_the_others(
    guest: Guest, site: CalendarSite, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "SOURCES_AT_ONCE", 1)
    await guest.create_property("hut")
    for name in ("a", "b", "c"):
        await put(guest, f"{site.url}/{name}", name)

    async def respond(request: web.Request) -> web.Response:
        return web.Response(text=calendar_of()) if request.path == "/c" else web.Response(status=503)

    site.answer = respond
    await read()
    await read()

    assert [request.path for request in site.requests] == ["/a", "/b", "/c", "/c", "/a", "/b"]


async def test_a_calendar_with_ten_thousand_events_is_read(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("hut")
    site.answer = calendar_of(*((f"e{n}", soon + n % 700 * DAY, soon + (n % 700 + 1) * DAY) for n in range(10_000)))
    await put(guest, site.url)

    assert (await read())["events"] == 10_000

    found = await source_of(guest)
    assert (found["nights_off_sale"], found["last_error"]) == (700, None)


async def test_an_event_that_can_no_longer_be_read_keeps_its_nights(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("hut")
    site.answer = calendar_of(("a", soon, soon + 2 * DAY), ("b", soon + 5 * DAY, soon + 6 * DAY))
    await put(guest, site.url)
    await read()

    broken = "BEGIN:VEVENT\r\nUID:a\r\nDTSTART:soon\r\nEND:VEVENT\r\n"
    site.answer = calendar_of(("c", soon + 3 * DAY, soon + 4 * DAY), more=broken)
    await read()

    assert await guest.calendar("hut", soon, 6) == ["taken", "taken", "free", "taken", "free", "free"]
    assert "1 events cannot be read" in (await source_of(guest))["last_error"]
    assert (await read())["read"] == 1, "it is read again, although it has not changed"


async def test_an_event_over_a_night_that_is_sold_is_a_conflict_and_blocks_the_rest(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("hut")
    _, reservation = await guest.reserve("hut", soon + DAY, 2)
    site.answer = calendar_of(("theirs", soon, soon + 5 * DAY))
    await put(guest, site.url)
    await read()

    assert await guest.calendar("hut", soon, 6) == [*["taken"] * 5, "free"]
    _, conflicts = await guest.get("/conflicts")
    expected = {
        "kind": "calendar",
        "property_id": "hut",
        "reservation_id": reservation["reservation_id"],
        "hotel_id": None,
        "room_id": None,
        "event_id": None,
        "source": "site",
        "uid": "theirs",
    }
    assert conflicts == [{**expected, "night": str(soon + n * DAY)} for n in (1, 2)]
    answer, page = await guest.get("/conflicts?limit=1")
    link = answer.headers["Link"].partition("<")[2].partition(">")[0]
    assert page + (await guest.get(link))[1] == conflicts
    found = await source_of(guest)
    assert (found["nights_off_sale"], found["nights_in_conflict"]) == (3, 2)
    assert (await guest.get(f"/reservations/{reservation['reservation_id']}"))[0].status_code == 200
    await guest.cancel(reservation["reservation_id"])
    assert (await guest.get("/conflicts"))[1] == []
    assert (await source_of(guest))["nights_off_sale"] == 5
    assert (await guest.reserve("hut", soon + DAY, 2))[0].status_code == 409


async def test_a_stay_in_a_conflict_may_become_shorter_and_takes_no_more_of_the_event(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("hut")
    _, reservation = await guest.reserve("hut", soon, 3)
    site.answer = calendar_of(("theirs", soon + DAY, soon + 5 * DAY))
    await put(guest, site.url)
    await read()
    path = f"/reservations/{reservation['reservation_id']}"

    assert (await guest.call("PATCH", path, json={"nights": 4}))[0].status_code == 409
    assert (await guest.call("PATCH", path, json={"nights": 2}))[0].status_code == 200

    assert (await guest.call("PATCH", path, json={"nights": 3}))[0].status_code == 409
    assert await guest.calendar("hut", soon, 6) == [*["taken"] * 5, "free"]


async def test_conflicts_are_seen_by_the_holder_and_the_administrator_alone(
    guest: Guest, new_guest: Callable[[], Guest], provider_app: Application, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("hut")
    await guest.reserve("hut", soon, 1)
    site.answer = calendar_of(("theirs", soon, soon + DAY))
    await put(guest, site.url)
    await read()

    assert (await new_guest().get("/conflicts"))[1] == []
    assert len((await Guest(provider_app, ADMIN).get("/conflicts"))[1]) == 1


async def test_another_address_keeps_the_nights_until_it_has_been_read(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("hut")
    site.answer = calendar_of(("a", soon, soon + DAY))
    await put(guest, site.url)
    await read()

    status, changed = await put(guest, f"{site.url}/other")
    assert (status, changed["last_success"], changed["nights_off_sale"]) == (200, None, 1)
    site.answer = answers(404)
    await read()
    assert await guest.calendar("hut", soon, 1) == ["taken"]
    site.answer = calendar_of()
    await read()

    assert await guest.calendar("hut", soon, 1) == ["free"]


async def test_a_source_that_is_deleted_while_it_is_read_holds_nothing(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("hut")

    async def delete(_: web.Request) -> web.Response:
        await guest.call("DELETE", f"{PATH}/site")
        return web.Response(text=calendar_of(("a", soon, soon + DAY)))

    site.answer = delete
    await put(guest, site.url)

    await read()

    assert await guest.calendar("hut", soon, 1) == ["free"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "calendar.ics",
        "ftp://127.0.0.1/a.ics",
        "webcal://127.0.0.1/a.ics",
        "file:///etc/passwd",
        "http://",
        "http://127.0.0.1:99999/",
        "http://user:password@127.0.0.1/",
        "http://127.0.0.2/",
        "http://[::1]/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1.example.org/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://example.org/",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\u202e",
        "http://127.0.0.1/\r\nHost: x",
        "http://127.0.0.1/" + "x" * 2000,
    ],
)
async def test_an_address_that_is_invalid_or_not_allowed_is_refused(guest: Guest, url: str) -> None:
    await guest.create_property("hut")

    status, problem = await put(guest, url)

    assert status == 400
    assert [each["field"] for each in problem["errors"]] == ["url"]


async def test_invalid_bodies_and_names_are_refused(guest: Guest, site: CalendarSite) -> None:
    await guest.create_property("hut")

    for body in ({}, {"url": None}, {"url": 1}, {"url": site.url, "more": 1}):
        assert (await guest.call("PUT", f"{PATH}/site", json=body))[0].status_code == 400
    for name in ("b%C3%B6se", "a%00", "x" * 65, "."):
        status, problem = await put(guest, site.url, name)
        assert (status, problem["errors"][0]["field"]) == (400, "source_name")
        assert (await guest.get(f"{PATH}/{name}"))[0].status_code == 404
        assert (await guest.call("DELETE", f"{PATH}/{name}"))[0].status_code == 404
    assert (await put(guest, site.url, property_id="nowhere"))[0] == 404
    assert (await guest.get("/properties/nowhere/calendar-sources"))[0].status_code == 404


async def test_an_address_adds_and_changes_a_limited_number_of_sources(
    guest: Guest, provider_app: Application, site: CalendarSite, provider_db: asyncpg.Pool
) -> None:
    """Each change lets the provider read a calendar at once. The administrator has no limit."""
    await guest.create_property("hut")
    assert (await put(guest, site.url))[0] == 201
    await provider_db.execute("UPDATE rate_limit SET full_at = now() + interval '1 hour'")

    assert (await put(guest, site.url))[0] == 429

    assert (await put(Guest(provider_app, ADMIN), site.url))[0] == 200


async def test_only_the_holder_and_the_administrator_see_and_change_sources(
    guest: Guest, new_guest: Callable[[], Guest], provider_app: Application, site: CalendarSite
) -> None:
    await guest.create_property("hut")
    await put(guest, site.url)
    other, admin = new_guest(), Guest(provider_app, ADMIN)

    assert (await put(other, site.url))[0] == 403
    for method, path in (("GET", PATH), ("GET", f"{PATH}/site"), ("DELETE", f"{PATH}/site")):
        answer, problem = await other.call(method, path)
        assert (answer.status_code, problem["code"]) == (403, "not_holder")
    assert len((await admin.get(PATH))[1]) == 1
    assert (await put(admin, f"{site.url}/other"))[0] == 200
    assert (await admin.get(f"{PATH}/site"))[1]["url"] == f"{site.url}/other"
    assert (await admin.call("DELETE", f"{PATH}/site"))[0].status_code == 204
    assert (await put(admin, site.url))[0] == 201
    for method, path in (("PUT", f"{PATH}/site"), ("GET", PATH), ("GET", f"{PATH}/site"), ("DELETE", f"{PATH}/site")):
        assert (await guest.client.open(path, method=method, json={"url": site.url})).status_code == 401


async def test_the_job_tells_what_it_did_and_the_metrics_count_sources_and_nights(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    async def metric(name: str) -> float:
        text = await (await guest.client.get("/metrics")).get_data(as_text=True)
        return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} ")), 0.0)

    names = [f'calendar_reads_total{{outcome="{outcome}"}}' for outcome in ("read", "unchanged", "failed")]
    before = [await metric(name) for name in names]
    await guest.create_property("hut")
    site.answer = calendar_of(("a", soon, soon + 3 * DAY), ("b", soon + 5 * DAY, soon + 6 * DAY))
    await put(guest, site.url, "good")
    await put(guest, "http://127.0.0.1:1/", "down")
    assert await metric('calendar_sources{state="unread"}') == 2

    await read()

    _, found = await guest.get("/jobs")
    (job,) = [each for each in found["jobs"] if each["name"] == "read_calendars"]
    assert job["last_outcome"] == "ok"
    assert job["did"] == {"read": 1, "unchanged": 0, "failed": 1, "events": 2, "changes": 2}
    await read()
    assert [await metric(name) - old for name, old in zip(names, before, strict=True)] == [1, 1, 2]
    states = {state: await metric(f'calendar_sources{{state="{state}"}}') for state in ("ok", "failing", "unread")}
    assert states == {"ok": 1, "failing": 1, "unread": 0}
    assert await metric("calendar_nights_held") == 4


async def test_a_property_has_at_most_twenty_sources_in_pages_by_name(guest: Guest, site: CalendarSite) -> None:
    await guest.create_property("hut")
    for number in range(20):
        assert (await put(guest, site.url, f"s{number:02}"))[0] == 201

    status, problem = await put(guest, site.url, "one-more")
    assert (status, problem["code"]) == (409, "too_many_sources")
    assert (await put(guest, site.url, "s00"))[0] == 200
    path, found = f"{PATH}?limit=15", []
    while path:
        answer, page = await guest.get(path)
        found += [each["name"] for each in page]
        link = answer.headers.get("Link")
        path = link.partition("<")[2].partition(">")[0] if link else ""
    assert found == [f"s{number:02}" for number in range(20)]


async def test_of_a_reading_and_reservations_at_once_none_takes_a_night_of_the_other(
    guest: Guest, new_guest: Callable[[], Guest], site: CalendarSite, read: Read, provider_db: asyncpg.Pool, soon: date
) -> None:
    """A reservation that is stored after the event never has its nights; one before it is a conflict."""
    await guest.create_property("hut")
    await put(guest, site.url)
    statuses: Counter[int] = Counter()
    for turn in range(5):
        start = soon + 40 * turn * DAY
        site.answer = calendar_of(*((f"{turn}-{n}", start + 2 * n * DAY, start + (2 * n + 1) * DAY) for n in range(15)))
        results = await asyncio.gather(
            read(), *(new_guest().reserve("hut", start + n % 30 * DAY, 1 + n % 3) for n in range(60))
        )
        statuses.update(answer.status_code for answer, _ in results[1:])
    assert set(statuses) == {200, 409}
    sold_before = await provider_db.fetchval(
        "SELECT count(*) FROM reservation AS one JOIN reservation AS other USING (property_id)"
        " WHERE one.reservation_id < other.reservation_id"
        " AND daterange(one.arrival, one.departure) && daterange(other.arrival, other.departure)"
    )
    assert sold_before == 0
    for night in range(30):  # of the last turn, whose events are held
        assert (await new_guest().reserve("hut", soon + (160 + night) * DAY, 1))[0].status_code in (
            (409,) if night % 2 == 0 else (200, 409)
        )


async def test_a_reservation_that_waits_while_its_nights_are_held_is_refused(
    guest: Guest, site: CalendarSite, provider_db: asyncpg.Pool, soon: date
) -> None:
    await guest.create_property("hut")
    await put(guest, site.url)
    async with provider_db.acquire() as other, other.transaction():
        await other.execute("SELECT lock_property(property_id) FROM property WHERE property_id = 'hut'")
        waiting = [asyncio.create_task(guest.reserve("hut", soon, 2, key)) for key in (None, "k")]
        await eventually(lambda: waits_for_lock(provider_db))
        await other.execute(
            "INSERT INTO held_nights (property_id, source_name, first_night, end_date, uid)"
            " VALUES ('hut', 'site', $1, $1::date + 1, 'a')",
            soon + DAY,
        )

    answers_ = await asyncio.gather(*waiting)

    assert [(answer.status_code, problem["code"]) for answer, problem in answers_] == [(409, "not_available")] * 2


async def test_plain_sql_cannot_reserve_a_night_that_is_held(
    guest: Guest, site: CalendarSite, read: Read, provider_db: asyncpg.Pool, soon: date
) -> None:
    await guest.create_property("hut")
    site.answer = calendar_of(("a", soon, soon + DAY))
    await put(guest, site.url)
    await read()

    with pytest.raises(asyncpg.ExclusionViolationError, match="another site"):
        await provider_db.execute(
            "INSERT INTO reservation (property_id, arrival, departure) VALUES ('hut', $1, $1::date + 1)", soon
        )


STEPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "cancel", "read"]), st.integers(0, 12), st.integers(1, 4)),
    min_size=2,
    max_size=8,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turnover=st.integers(0, 2), steps=STEPS)
async def test_a_night_is_free_if_neither_a_stay_nor_an_event_has_it(
    guest: Guest, site: CalendarSite, read: Read, soon: date, turnover: int, steps: list[tuple[str, int, int]]
) -> None:
    """The recount after each test compares the free stretches too."""
    name = await guest.create_property(turnover_days=turnover)
    await put(guest, site.url, property_id=name)
    stays: dict[tuple[int, int], str] = {}
    held: set[int] = set()
    for action, day, nights in steps:
        asked = set(range(day, day + nights))
        if action == "read":
            held = asked
            site.answer = calendar_of(("a", soon + day * DAY, soon + (day + nights) * DAY))
            await read()
        elif action == "cancel" and stays:
            await guest.cancel(stays.pop(sorted(stays)[day % len(stays)]))
        elif action == "reserve":
            answer, reservation = await guest.reserve(name, soon + day * DAY, nights)
            apart = all(day + nights + turnover <= first or end + turnover <= day for first, end in stays)
            assert answer.status_code == (200 if apart and not asked & held else 409)
            if answer.status_code == 200:
                stays[day, day + nights] = reservation["reservation_id"]

    shown = await guest.calendar(name, soon, 18)

    sold = {night for first, end in stays for night in range(first, end)}
    assert [n for n, status in enumerate(shown) if status == "taken"] == sorted(sold | held)
    conflicts = (await guest.get("/conflicts"))[1]
    assert sum(each["property_id"] == name for each in conflicts) == len(sold & held)
    await guest.call("DELETE", f"/properties/{name}/calendar-sources/site")
