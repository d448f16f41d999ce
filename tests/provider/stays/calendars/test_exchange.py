"""Properties that exchange their calendars: what comes back to a property holds no night of it."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.provider.stays.calendars.conftest import Read
from tests.support.calendar_site import CalendarSite, calendar_of
from tests.support.storefront import Guest

DAY = timedelta(days=1)
NIGHTS = 30


async def link_of(guest: Guest, property_id: str) -> str:
    answer, link = await guest.call("POST", f"/properties/{property_id}/calendar-links")
    assert answer.status_code == 201
    return str(link["url"]).removeprefix("https://stays.example.org")


async def connect(guest: Guest, site: CalendarSite, *pairs: tuple[str, str]) -> None:
    """Let the first property of each pair read the calendar of the second, over HTTP."""

    async def forward(request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.startswith("If-")}
        answer = await guest.client.get(request.path, headers=headers)
        kept = {name: value for name, value in answer.headers.items() if name in ("ETag", "Last-Modified")}
        return web.Response(status=answer.status_code, body=await answer.get_data(as_text=False), headers=kept)

    site.answer = forward
    for reader, read in pairs:
        path = f"/properties/{reader}/calendar-sources/{read}"
        answer, _ = await guest.call("PUT", path, json={"url": f"{site.url}{await link_of(guest, read)}"})
        assert answer.status_code == 201


async def not_free(guest: Guest, property_id: str, first: date) -> list[int]:
    statuses = await guest.calendar(property_id, first, NIGHTS)
    return [n for n, status in enumerate(statuses) if status != "free"]


async def block(guest: Guest, property_id: str, start: date, nights: int) -> str:
    body = {"start_date": str(start), "nights": nights}
    answer, made = await guest.call("POST", f"/properties/{property_id}/blocks", json=body)
    assert answer.status_code == 201
    return f"/properties/{property_id}/blocks/{made['block_id']}"


@pytest.mark.parametrize("ring", [("a", "b"), ("a", "b", "c")])
async def test_in_a_circle_of_properties_each_night_is_held_once_and_freed_everywhere(
    guest: Guest, site: CalendarSite, read: Read, soon: date, ring: tuple[str, ...]
) -> None:
    for name in ring:
        await guest.create_property(name, turnover_days=1)
    await connect(guest, site, *zip(ring, ring[1:] + ring[:1], strict=True))
    _, first = await guest.reserve("a", soon + 2 * DAY, 2)
    _, second = await guest.reserve("b", soon + 10 * DAY, 3)
    blocked = await block(guest, ring[-1], soon + 20 * DAY, 2)
    everything = [1, 2, 3, 4, 9, 10, 11, 12, 13, 20, 21]

    for _ in ring:
        await read()

    for name in ring:
        assert await not_free(guest, name, soon) == everything
        assert (await guest.reserve(name, soon + 11 * DAY, 1))[0].status_code == 409
    assert (await guest.get("/conflicts"))[1] == []
    assert (await read())["changes"] == 0

    assert await guest.cancel(first["reservation_id"]) == 204
    path = f"/reservations/{second['reservation_id']}"
    assert (await guest.call("PATCH", path, json={"start_date": str(soon + 11 * DAY)}))[0].status_code == 200
    assert (await guest.call("DELETE", blocked))[0].status_code == 204
    for _ in ring:
        await read()

    for name in ring:
        assert await not_free(guest, name, soon) == [10, 11, 12, 13, 14]
    assert (await guest.get("/conflicts"))[1] == []


async def test_a_property_that_reads_its_own_calendar_holds_nothing(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    await guest.create_property("a", turnover_days=1)
    _, stay = await guest.reserve("a", soon + 2 * DAY, 2)
    await connect(guest, site, ("a", "a"))
    await read()

    await guest.cancel(stay["reservation_id"])
    await read()

    assert await not_free(guest, "a", soon) == []


async def test_a_site_that_passes_on_what_it_read_under_uids_of_its_own_is_left_out(
    guest: Guest, site: CalendarSite, read: Read, soon: date
) -> None:
    """Many sites do so. Without `without_source` each would hold the night for the other for ever."""
    await guest.create_property("a")
    answer, link = await guest.call("POST", "/properties/a/calendar-links", json={"without_source": "site"})
    assert answer.status_code == 201
    path = str(link["url"]).removeprefix("https://stays.example.org")
    await guest.call("PUT", "/properties/a/calendar-sources/site", json={"url": site.url})
    _, stay = await guest.reserve("a", soon, 2)

    async def pass_on() -> None:
        body = await (await guest.client.get(path)).get_data(as_text=True)
        site.answer = calendar_of(("theirs", soon, soon + 2 * DAY)) if "BEGIN:VEVENT" in body else calendar_of()
        await read()

    await pass_on()
    await guest.cancel(stay["reservation_id"])
    await pass_on()
    await pass_on()

    assert await not_free(guest, "a", soon) == []


STEPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "block", "cancel", "read"]), st.sampled_from("ab"), st.integers(0, 12)),
    min_size=2,
    max_size=8,
)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_after_some_rounds_both_properties_of_an_exchange_are_free_on_the_same_nights(
    new_guest: Callable[[], Guest], site: CalendarSite, read: Read, soon: date, steps: list[tuple[str, str, int]]
) -> None:
    guest = new_guest()
    names = {"a": await guest.create_property(), "b": await guest.create_property()}
    await connect(guest, site, (names["a"], names["b"]), (names["b"], names["a"]))
    stays: dict[str, set[int]] = {}
    blocks: set[int] = set()
    for action, name, day in steps:
        if action == "read":
            await read()
        elif action == "block":
            answer, _ = await guest.call(
                "POST", f"/properties/{names[name]}/blocks", json={"start_date": str(soon + day * DAY), "nights": 1}
            )
            blocks |= {day} if answer.status_code == 201 else set()
        elif action == "cancel" and stays:
            gone: Any = sorted(stays)[day % len(stays)]
            assert await guest.cancel(gone) == 204
            del stays[gone]
        elif action == "reserve":
            answer, made = await guest.reserve(names[name], soon + day * DAY, 2)
            if answer.status_code == 200:
                stays[made["reservation_id"]] = {day, day + 1}

    for _ in range(3):
        await read()

    expected = sorted(blocks.union(*stays.values()))
    assert await not_free(guest, names["a"], soon) == await not_free(guest, names["b"], soon) == expected
    for name in names:
        other = names["b" if name == "a" else "a"]
        await guest.call("DELETE", f"/properties/{names[name]}/calendar-sources/{other}")
