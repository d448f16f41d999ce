"""Times by the clocks of the restaurant: in orders, emails, pages, lists and messages to the accounting program."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aioresponses import aioresponses
from yarl import URL

from common.time_zones import end_of_day, format_local, instant_of, start_of_day
from provider.dining import order_rules
from tests.support.fake_smtp import FakeSmtp, body, cancel_path
from tests.support.restaurant import ACCOUNTING_URL, EVENING, Restaurant

BERLIN, SAO_PAULO = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Sao_Paulo")
DAY = f"{EVENING:%Y-%m-%d}"


@pytest.fixture(params=["Europe/Berlin"])
def zone(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def environment(environment: dict[str, str], zone: str) -> dict[str, str]:
    return environment | {"PROVIDER_TIMEZONE": zone}


async def order_at(restaurant: Restaurant, start: str) -> Any:
    return await restaurant.post_order(await restaurant.add_table(), email="ann@example.com", starts_at=start)


@pytest.mark.parametrize("form", [f"{DAY}T19:30", f"{DAY} 19:30:00", f"{DAY}t19:30"])
async def test_a_start_without_an_offset_is_local_and_the_api_answers_with_one(
    restaurant: Restaurant, form: str
) -> None:
    response = await order_at(restaurant, form)

    local = datetime.fromisoformat(f"{DAY}T19:30").replace(tzinfo=BERLIN)
    assert response.status_code == 201
    answered = (await response.get_json())["starts_at"]
    assert answered.endswith("Z")
    assert datetime.fromisoformat(answered) == local


async def test_a_start_with_an_offset_is_taken_as_it_is(restaurant: Restaurant) -> None:
    response = await order_at(restaurant, f"{DAY}T19:30:00-05:00")

    assert datetime.fromisoformat((await response.get_json())["starts_at"]) == datetime.fromisoformat(
        f"{DAY}T19:30:00-05:00"
    )


def clock_changes(zone: ZoneInfo) -> tuple[date, date]:
    """The next days on which clocks skip 02:30 and show it twice."""
    day = datetime.now(UTC).date() + timedelta(days=2)
    found: dict[bool, date] = {}
    while len(found) < 2:
        local = datetime(day.year, day.month, day.day, 2, 30, tzinfo=zone)
        before, after = local.utcoffset(), local.replace(fold=1).utcoffset()
        assert before is not None
        assert after is not None
        if before != after:
            found.setdefault(before < after, day)
        day += timedelta(days=1)
    return found[True], found[False]


async def test_an_hour_that_the_clocks_skip_or_show_twice_is_named(restaurant: Restaurant) -> None:
    skipped, doubled = clock_changes(BERLIN)

    for day, words in ((skipped, "does not exist"), (doubled, "happens twice")):
        for path in ("order", "list", "admin"):
            start = f"{day}T02:30"
            if path == "order":
                response = await order_at(restaurant, start)
            elif path == "list":
                response = await restaurant.client.get(f"/api/customer/view_tables/?starts_at={start}")
            else:
                table = await restaurant.add_table()
                json = {"email": "ann@example.com", "starts_at": start}
                response = await restaurant.admin("POST", f"set_booking/?id={table}", json=json)
            assert response.status_code == 400
            [error] = (await response.get_json())["errors"]
            assert error["field"] == "starts_at"
            assert words in error["message"]
            assert "Europe/Berlin" in error["message"]
    assert (
        "+02:00 or +01:00"
        in (await (await order_at(restaurant, f"{doubled}T02:30")).get_json())["errors"][0]["message"]
    )


async def test_both_passes_of_a_doubled_hour_can_be_ordered_and_are_told_apart(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    _, doubled = clock_changes(BERLIN)
    for offset in ("+02:00", "+01:00"):
        assert (await order_at(restaurant, f"{doubled}T02:30{offset}")).status_code == 201
    await restaurant.send_mails()

    texts = sorted(body(mail) for mail in fake_smtp.mails)
    assert "02:30 CEST (Europe/Berlin)" in texts[0] + texts[1]
    assert "02:30 CET (Europe/Berlin)" in texts[0] + texts[1]


@pytest.mark.parametrize("zone", ["America/Sao_Paulo"], indirect=True)
async def test_an_evening_west_of_utc_after_midnight_in_utc_is_that_of_the_day_before(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    """22:00 in São Paulo is 01:00 of the next day in UTC."""
    response = await order_at(restaurant, f"{DAY}T22:00")
    booking = await response.get_json()
    next_day = EVENING.date() + timedelta(days=1)
    assert booking["starts_at"].startswith(f"{next_day}T01:00")
    await restaurant.send_mails()

    expected = f"{EVENING:%A}, {EVENING.day} {EVENING:%B %Y}, 22:00 UTC-03:00 (America/Sao_Paulo)"
    [mail] = fake_smtp.mails
    page = await (await restaurant.client.get(cancel_path(mail))).get_data(as_text=True)
    for text in (body(mail), body(mail, "html"), page):
        assert expected in text
    for day, found in ((EVENING.date(), 1), (next_day, 0)):
        listed = await restaurant.admin("GET", f"bookings/?from={day}&to={day}")
        assert len(await listed.get_json()) == found


async def test_the_accounting_program_is_told_the_time_zone_and_the_currency(restaurant: Restaurant) -> None:
    await order_at(restaurant, f"{DAY}T19:30")
    with aioresponses() as accounting:
        accounting.post(f"{ACCOUNTING_URL}/orders", status=201)
        await restaurant.forward_orders()
        [call] = accounting.requests["POST", URL(f"{ACCOUNTING_URL}/orders")]
    order = json.loads(call.kwargs["data"])
    assert (order["timezone"], order["currency"]) == ("Europe/Berlin", "EUR")


async def test_bookings_are_listed_by_local_day_and_status_in_pages(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    starts = ["00:00", "23:59", "12:00", "12:00"]
    ids = [await restaurant.book(table, email="ann@example.com", starts_at=f"{DAY}T{each}") for each in starts]
    before = EVENING.date() - timedelta(days=1)
    await restaurant.book(table, email="ann@example.com", starts_at=f"{before}T23:59")
    without_time = await restaurant.book(table)
    await restaurant.admin("POST", f"accept_booking/?id={ids[0]}")

    seen, path = [], f"/api/admin/bookings/?from={DAY}&to={DAY}&limit=2"
    while path:
        response = await restaurant.client.get(path, headers=restaurant.headers)
        assert response.status_code == 200
        seen += [each["id"] for each in await response.get_json()]
        path = response.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert seen == [ids[0], ids[2], ids[3], ids[1]]

    async def found(query: str) -> list[int]:
        return [each["id"] for each in await (await restaurant.admin("GET", f"bookings/{query}")).get_json()]

    assert await found(f"?from={DAY}&status=confirmed") == [ids[0]]
    everything = await found("")
    assert everything[-1] == without_time
    assert len(everything) == 6
    assert await found("?from=0001-01-01&to=9999-12-31") == everything[:-1]


@pytest.mark.parametrize("query", ["from=2030-01-02&to=2030-01-01", "status=open", "from=today", "day=2030-01-01"])
async def test_an_invalid_question_for_bookings_is_refused(restaurant: Restaurant, query: str) -> None:
    assert (await restaurant.admin("GET", f"bookings/?{query}")).status_code == 400


async def test_the_list_of_bookings_requires_an_admin(restaurant: Restaurant) -> None:
    assert (await restaurant.client.get("/api/admin/bookings/")).status_code == 401


async def test_bookings_are_a_table_in_csv(restaurant: Restaurant) -> None:
    await order_at(restaurant, f"{DAY}T19:30")

    response = await restaurant.admin("GET", "bookings/?format=csv")

    assert response.mimetype == "text/csv"
    assert "ann@example.com" in await response.get_data(as_text=True)


@pytest.mark.parametrize(
    ("zone_name", "day", "hours"),
    [("Europe/Berlin", date(2027, 3, 28), 23), ("Europe/Berlin", date(2026, 10, 25), 25),
     ("America/Sao_Paulo", date(2018, 11, 4), 23), ("Pacific/Apia", date(2011, 12, 30), 0)],
)  # fmt: skip
def test_a_day_lasts_as_long_as_its_clocks_say(zone_name: str, day: date, hours: int) -> None:
    zone = ZoneInfo(zone_name)
    assert end_of_day(day, zone) - start_of_day(day, zone) == timedelta(hours=hours)


def test_the_ends_of_the_calendar_have_bounds() -> None:
    for zone in (BERLIN, SAO_PAULO):
        assert start_of_day(date.min, zone) < end_of_day(date.min, zone)
        assert start_of_day(date.max, zone) < end_of_day(date.max, zone)


@pytest.mark.parametrize("text", ["2027-03-28T01:59", "2027-03-28T03:00", "2026-10-25T01:59", "2026-10-25T03:00"])
def test_the_minutes_around_a_clock_change_have_one_instant(text: str) -> None:
    local = datetime.fromisoformat(text)
    assert instant_of(local, BERLIN).astimezone(BERLIN).replace(tzinfo=None) == local


def test_a_time_for_people_names_the_zone() -> None:
    instant = datetime(2027, 1, 1, 18, 5, tzinfo=UTC)
    assert format_local(instant, ZoneInfo("UTC")) == "Friday, 1 January 2027, 18:05 UTC"
    assert format_local(instant, BERLIN) == "Friday, 1 January 2027, 19:05 CET (Europe/Berlin)"
    assert (
        format_local(instant, ZoneInfo("Asia/Kathmandu")) == "Friday, 1 January 2027, 23:50 UTC+05:45 (Asia/Kathmandu)"
    )


async def test_a_year_ahead_is_the_furthest(restaurant: Restaurant) -> None:
    now = datetime.now(UTC)
    for ahead, status in ((timedelta(minutes=-5), 201), (timedelta(minutes=5), 400)):
        response = await order_at(restaurant, (now + order_rules.MAX_AHEAD + ahead).isoformat())
        assert response.status_code == status
        if status == 400:
            [error] = (await response.get_json())["errors"]
            assert (error["field"], error["message"]) == ("starts_at", "must be at most 365 days ahead")
