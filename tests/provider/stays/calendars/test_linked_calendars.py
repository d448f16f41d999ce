"""What another site gets at the address of a calendar link."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import icalendar
import pytest
from quart import Response

from tests.provider.stays.calendars.conftest import Read
from tests.provider.stays.calendars.test_foreign_clients import CLIENTS, Spans
from tests.provider.stays.calendars.test_links import create
from tests.support.calendar_site import CalendarSite, calendar_of
from tests.support.storefront import Guest
from tests.support.waiting import eventually

DAY = timedelta(days=1)


async def body_of(guest: Guest, path: str) -> bytes:
    answer = await guest.client.get(path)
    assert answer.status_code == 200
    return bytes(await answer.get_data(as_text=False))


async def nights_at(guest: Guest, path: str, origin: date) -> list[tuple[str, int, int]]:
    """The summary of each event at an address, and its first and last day as numbers of days after an origin."""
    events = icalendar.Calendar.from_ical(await body_of(guest, path)).walk("VEVENT")
    return [
        (str(each["SUMMARY"]), *((each.decoded(name) - origin).days for name in ("DTSTART", "DTEND")))
        for each in events
    ]


async def block(guest: Guest, start: date, nights: int, note: str = "The roof") -> None:
    body = {"start_date": str(start), "nights": nights, "note": note}
    assert (await guest.call("POST", "/properties/hut/blocks", json=body))[0].status_code == 201


async def book_in_feed(guest: Guest, night: date, status: int = 1) -> None:
    body = {
        "hotel_id": 3,
        "room_id": 17,
        "status": status,
        "night_of_stay": str(night),
        "event_timestamp": (datetime.now(UTC) - timedelta(seconds=1)).isoformat(),
    }
    assert (await guest.client.post("/events", json=body)).status_code == 201


async def add_source(guest: Guest, url: str, name: str = "site") -> None:
    answer, _ = await guest.call("PUT", f"/properties/hut/calendar-sources/{name}", json={"url": url})
    assert answer.status_code == 201


async def fill(guest: Guest, site: CalendarSite, read: Read, soon: date) -> None:
    """A stay of the nights 2 and 3 with a turnover of 1, blocks of 10 and 11, night 20 in the feed, 30 to 32 held."""
    await guest.create_property("hut", description="Hut\nKey under the mat", turnover_days=1, hotel_id=3, room_id=17)
    assert (await guest.reserve("hut", soon + 2 * DAY, 2, guests=2))[0].status_code == 200
    await block(guest, soon + 10 * DAY, 2, "Mrs Miller stays for free")
    await book_in_feed(guest, soon + 20 * DAY)
    site.answer = calendar_of(("mrs.smith@example.org", soon + 30 * DAY, soon + 33 * DAY))
    await add_source(guest, site.url)
    await read()


async def test_a_calendar_has_stays_turnover_blocks_and_the_nights_of_the_feed_and_of_other_sites(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await fill(guest, site, read, soon)
    _, path = await create(guest)

    assert await nights_at(guest, path, soon) == [
        ("Not available", 1, 2),
        ("Reserved", 2, 4),
        ("Not available", 4, 5),
        ("Not available", 10, 12),
        ("Not available", 20, 21),
        ("Not available", 30, 33),
    ]


@pytest.mark.parametrize("client", CLIENTS)
async def test_the_nights_of_a_calendar_are_those_that_cannot_be_reserved(
    guest: Guest, site: CalendarSite, read: Read, soon: date, client: Callable[[bytes], Spans]
) -> None:
    """A foreign client that blocks the nights of the events offers no night that would then be refused here."""
    await fill(guest, site, read, soon)
    _, path = await create(guest)

    spans = client(await body_of(guest, path))

    shown = {first + n * DAY for first, end in spans for n in range((end - first).days)}
    statuses = await guest.calendar("hut", soon, 60)
    assert shown == {soon + n * DAY for n, status in enumerate(statuses) if status != "free"}


async def test_a_calendar_says_nothing_about_guests_or_about_what_other_sites_and_holders_wrote(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await fill(guest, site, read, soon)
    _, path = await create(guest, name="For Harbour Rentals")

    body = await body_of(guest, path)

    names = {name for each in icalendar.Calendar.from_ical(body).walk("VEVENT") for name in each}
    assert names == {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "TRANSP"}
    text = body.replace(b"\r\n ", b"").decode()
    for secret in (
        "Mrs",
        "smith",
        "Miller",
        "mat",
        "Harbour",
        "127.0.0.1",
        "hotel",
        guest.headers["Authorization"][7:],
    ):
        assert secret not in text


async def uids_at(guest: Guest, path: str) -> dict[date, str]:
    """The UIDs of the events at an address, by their first nights."""
    events = icalendar.Calendar.from_ical(await body_of(guest, path)).walk("VEVENT")
    return {each.decoded("DTSTART"): str(each["UID"]) for each in events}


async def test_an_event_keeps_its_uid_until_its_nights_change(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    """Google shows an event that it knows as it was before, unless it gets another UID."""
    await fill(guest, site, read, soon)
    _, path = await create(guest)
    before = await uids_at(guest, path)
    assert len(set(before.values())) == 6
    assert await uids_at(guest, path) == before

    _, (stay, *_) = await guest.get("/reservations")
    await guest.call("PATCH", f"/reservations/{stay['reservation_id']}", json={"nights": 3})
    await guest.call("PATCH", "/properties/hut", json={"turnover_days": 2})
    await book_in_feed(guest, soon + 21 * DAY)
    site.answer = calendar_of(("mrs.smith@example.org", soon + 30 * DAY, soon + 34 * DAY))
    await read()

    after = await uids_at(guest, path)
    assert len(set(after.values())) == 6
    assert set(after.values()) & set(before.values()) == {before[soon + 10 * DAY]}
    assert before[soon + 2 * DAY][:36] == after[soon + 2 * DAY][:36] == stay["reservation_id"]


async def test_a_calendar_leaves_out_the_nights_of_the_source_whose_site_reads_it(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("hut")
    site.answer = calendar_of(("a", soon, soon + DAY))
    await add_source(guest, site.url, "one")
    await read()
    site.answer = calendar_of(("b", soon + 4 * DAY, soon + 5 * DAY))
    await add_source(guest, f"{site.url}/two", "two")
    answer, link = await guest.call("POST", "/properties/hut/calendar-links", json={"without_source": "one"})
    assert answer.status_code == 201
    path = link["url"].removeprefix("https://stays.example.org")
    assert await nights_at(guest, path, soon) == []

    await read()

    assert await nights_at(guest, path, soon) == [("Not available", 4, 5)]


async def test_a_stay_that_was_cancelled_after_some_nights_shows_those(
    guest: Guest, provider_db: Any, today: date
) -> None:
    await guest.create_property("hut")
    _, path = await create(guest)
    _, stay = await guest.reserve("hut", today, 5)
    await provider_db.execute("UPDATE reservation SET arrival = $1, departure = $2", today - 2 * DAY, today + 3 * DAY)
    assert await guest.cancel(stay["reservation_id"]) == 204

    assert await nights_at(guest, path, today) == [("Reserved", -2, 0)]


@pytest.mark.parametrize("client", CLIENTS)
async def test_an_empty_calendar_at_a_link_is_valid_for_each_client(
    guest: Guest, client: Callable[[bytes], Spans]
) -> None:
    await guest.create_property("hut")
    _, path = await create(guest)

    body = await body_of(guest, path)

    assert client(body) == []
    assert body.startswith(b"BEGIN:VCALENDAR\r\n")
    assert body.endswith(b"END:VCALENDAR\r\n")


async def test_the_lines_of_a_calendar_are_folded_by_octets_and_end_with_cr_lf(guest: Guest, soon: date) -> None:
    """Google ignores a calendar with a line that is too long (RFC 5545, 3.1)."""
    await guest.create_property("hut", description="Häuschen am See – 湖のほとりの小屋, mit Blick; und Sauna " * 3)
    await guest.reserve("hut", soon, 2)
    _, path = await create(guest)

    body = await body_of(guest, path)

    lines = body.removesuffix(b"\r\n").split(b"\r\n")
    assert all(0 < len(line) <= 75 and b"\r" not in line and b"\n" not in line for line in lines)
    for line in lines:
        line.decode()  # no character is divided
    name = icalendar.Calendar.from_ical(body)["X-WR-CALNAME"]
    assert str(name).startswith("Häuschen am See – 湖のほとりの小屋, mit Blick; und Sauna")


async def test_other_sites_may_add_a_query_against_caches(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    _, path = await create(guest)
    plain = await guest.client.get(path)

    for query in ("?t=1767225600", "?nocache", "?a=1&a=2&format=xlsx&limit=x", "?%00=%ff"):
        answer = await guest.client.get(path + query)
        assert (answer.status_code, answer.headers["ETag"]) == (200, plain.headers["ETag"]), query
        assert answer.content_type == "text/calendar; charset=utf-8"
    assert (await guest.client.get("/properties?t=1", headers=guest.headers)).status_code == 400


async def last_modified(guest: Guest, path: str) -> str:
    """The Last-Modified of a calendar, which has none while a calendar changes several times in a second."""

    async def ask() -> str | None:
        return (await guest.client.get(path)).headers.get("Last-Modified")

    return str(await eventually(ask))


async def test_a_calendar_that_has_not_changed_since_its_last_modified_is_not_sent_again(
    guest: Guest, soon: date
) -> None:
    await guest.create_property("hut")
    _, path = await create(guest)
    first = await last_modified(guest, path)

    async def ask(since: str, method: str = "GET") -> Response:
        headers = {"If-Modified-Since": since}
        return await (guest.client.get if method == "GET" else guest.client.head)(path, headers=headers)

    unchanged = await ask(first)
    assert (unchanged.status_code, unchanged.headers["Last-Modified"]) == (304, first)
    assert await unchanged.get_data() == b""
    assert (await ask(first, "HEAD")).status_code == 304
    assert (await ask("Thu, 01 Jan 2026 00:00:00 GMT")).status_code == 200
    assert (await ask("yesterday")).status_code == 200
    await guest.reserve("hut", soon, 2)
    assert (await ask(first)).status_code == 200
    second = await last_modified(guest, path)
    assert (await ask(first)).status_code == 200
    assert (await ask(second)).status_code == 304
    assert (await ask(format_datetime(datetime.now(UTC) + DAY, usegmt=True))).status_code == 304


async def test_the_etag_goes_before_the_last_modified(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    _, path = await create(guest)
    modified = await last_modified(guest, path)
    etag = (await guest.client.get(path)).headers["ETag"]
    old = "Thu, 01 Jan 2026 00:00:00 GMT"

    async def status(tag: str, since: str) -> int:
        headers = {"If-None-Match": tag, "If-Modified-Since": since}
        return int((await guest.client.get(path, headers=headers)).status_code)

    assert await status('"another"', modified) == 200
    assert await status(etag, old) == 304
    assert await status(f'"another", W/{etag}', old) == 304
    assert await status("*", old) == 304


async def test_each_link_has_the_last_modified_of_its_own_content(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    """The nights of a source change one link and not the one that leaves them out."""
    await guest.create_property("hut")
    _, whole = await create(guest)
    _, link = await guest.call("POST", "/properties/hut/calendar-links", json={"without_source": "site"})
    part = link["url"].removeprefix("https://stays.example.org")
    before = {path: await last_modified(guest, path) for path in (whole, part)}
    site.answer = calendar_of(("a", soon, soon + DAY))
    await add_source(guest, site.url)
    await read()

    answers = [await guest.client.get(path, headers={"If-Modified-Since": before[path]}) for path in (whole, part)]

    assert [each.status_code for each in answers] == [200, 304]
