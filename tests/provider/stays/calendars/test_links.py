"""The addresses at which other sites read the calendar of a property."""

import asyncio
from collections.abc import Callable
from datetime import date

import asyncpg
import icalendar
import pytest

from common.web.resources import Application
from provider.stays.queries.properties import lock_properties
from tests.provider.stays.calendars.conftest import ADMIN
from tests.support.databases import waits_for_lock
from tests.support.storefront import Guest
from tests.support.waiting import eventually

PATH = "/properties/hut/calendar-links"


async def create(guest: Guest, name: str = "site") -> tuple[str, str]:
    """Make a link; returns its id and the path of its address."""
    answer, link = await guest.call("POST", PATH, json={"name": name})
    assert answer.status_code == 201, link
    assert link["url"].startswith("https://stays.example.org/calendars/")
    return link["link_id"], link["url"].removeprefix("https://stays.example.org")


@pytest.mark.parametrize("slip", ["", "/", "x", "?a=1"])
async def test_the_token_of_a_link_is_in_no_log_and_no_metric(
    guest: Guest, capsys: pytest.CaptureFixture[str], slip: str
) -> None:
    await guest.create_property("hut")
    _, path = await create(guest)
    token = path.removeprefix("/calendars/").removesuffix(".ics")

    answer = await guest.client.get(path + slip)

    assert answer.status_code == (200 if slip in ("", "?a=1") else 404)
    metrics = await (await guest.client.get("/metrics")).get_data(as_text=True)
    output = "".join(capsys.readouterr())
    assert '"path":"/calendars/<calendar_token>.ics"' in output
    assert token not in output + metrics


async def test_a_link_needs_no_header_until_it_is_revoked(guest: Guest, soon: date) -> None:
    await guest.create_property("hut", description="The hut\nby the lake")
    link_id, path = await create(guest)
    assert (await guest.reserve("hut", soon, 2))[0].status_code == 200

    answer = await guest.client.get(path)

    assert answer.status_code == 200
    calendar = icalendar.Calendar.from_ical(await answer.get_data(as_text=False))
    assert calendar["X-WR-CALNAME"] == "The hut"
    assert len(calendar.walk("VEVENT")) == 1
    etag = answer.headers["ETag"]
    assert (await guest.client.get(path, headers={"If-None-Match": etag})).status_code == 304
    assert (await guest.client.head(path)).headers["ETag"] == etag
    _, listed = await guest.get(PATH)
    assert [each["link_id"] for each in listed] == [link_id]
    assert "url" not in listed[0]
    assert (await guest.call("DELETE", f"{PATH}/{link_id}"))[0].status_code == 204
    assert (await guest.client.get(path)).status_code == 404


async def test_the_address_in_the_answer_to_a_repeated_request_is_valid(guest: Guest) -> None:
    """Also when the token, from which the address is made, was written in other letters."""
    await guest.create_property("hut")
    token = guest.headers["Authorization"].removeprefix("Bearer ")
    created = []
    for bearer in (token.upper(), token.upper(), token.lower()):
        guest.headers = {"Authorization": f"Bearer {bearer}"}
        created.append((await guest.call("POST", PATH, json={"name": "site"}, key="k"))[1])

    assert created[0] == created[1]
    for link in created:
        path = link["url"].removeprefix("https://stays.example.org")
        assert (await guest.client.get(path)).status_code == 200


async def test_a_property_that_is_deleted_while_a_link_is_made_is_unknown(
    guest: Guest, provider_db: asyncpg.Pool
) -> None:
    await guest.create_property("hut")
    async with provider_db.acquire() as other, other.transaction():
        await lock_properties(other, "hut")
        making = asyncio.create_task(guest.call("POST", PATH, json={}))
        await eventually(lambda: waits_for_lock(provider_db))
        await other.execute("DELETE FROM property WHERE property_id = 'hut'")

    assert (await making)[0].status_code == 404


async def test_only_the_holder_makes_sees_and_revokes_links(guest: Guest, new_guest: Callable[[], Guest]) -> None:
    await guest.create_property("hut")
    link_id, path = await create(guest)
    other = new_guest()

    made, _ = await other.call("POST", PATH, json={"name": "mine"})
    listed, _ = await other.get(PATH)
    revoked, _ = await other.call("DELETE", f"{PATH}/{link_id}")

    assert (made.status_code, listed.status_code, revoked.status_code) == (403, 403, 403)
    assert (await guest.client.get(path)).status_code == 200


@pytest.mark.parametrize("token", ["x", "A" * 43, "A" * 2000, "%00", "ä"])
async def test_an_unknown_token_has_no_calendar(guest: Guest, token: str) -> None:
    assert (await guest.client.get(f"/calendars/{token}.ics")).status_code == 404


async def test_the_administrator_makes_sees_and_revokes_the_links_of_all_properties(
    guest: Guest, provider_app: Application, provider_db: asyncpg.Pool
) -> None:
    await guest.create_property("hut")
    await provider_db.execute("SELECT import_properties('{barn}', '{A barn}')")
    held, _ = await create(guest)
    admin = Guest(provider_app, ADMIN)
    for property_id in ("hut", "barn"):
        path = f"/properties/{property_id}/calendar-links"
        answer, link = await admin.call("POST", path, json={"name": "Ours"})
        assert answer.status_code == 201
        assert (await guest.client.get(link["url"].removeprefix("https://stays.example.org"))).status_code == 200
        assert link["link_id"] in [each["link_id"] for each in (await admin.get(path))[1]]
        assert (await admin.call("DELETE", f"{path}/{link['link_id']}"))[0].status_code == 204
    assert (await admin.call("DELETE", f"{PATH}/{held}"))[0].status_code == 204
    assert (await guest.call("POST", "/properties/barn/calendar-links"))[0].status_code == 403


async def test_links_need_a_token(guest: Guest) -> None:
    await guest.create_property("hut")
    link_id, path = await create(guest)

    for ask, at in ((guest.client.post, PATH), (guest.client.get, PATH), (guest.client.delete, f"{PATH}/{link_id}")):
        for headers in ({}, {"Authorization": "Bearer not-a-uuid"}):
            answer = await ask(at, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await guest.client.get(path)).status_code == 200


async def test_a_link_belongs_to_one_property(guest: Guest) -> None:
    await guest.create_property("hut")
    await guest.create_property("barn")
    link_id, path = await create(guest)

    assert (await guest.call("DELETE", f"/properties/barn/calendar-links/{link_id}"))[0].status_code == 404
    assert (await guest.client.get(path)).status_code == 200
    assert (await guest.call("DELETE", "/properties/hut"))[0].status_code == 204
    assert (await guest.client.get(path)).status_code == 404
