"""The search for free properties: its pages and its alternatives."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from tests.support.storefront import Guest, start_dates

DAY = timedelta(days=1)


async def test_a_property_without_reservations_is_free(guest: Guest, soon: date) -> None:
    await guest.create_property("meadow", description="A hut in a meadow")

    answer, found = await guest.get(f"/properties/available?start_date={soon}&nights=3")

    assert answer.status_code == 200
    assert found == [{"property_id": "meadow", "description": "A hut in a meadow"}]


@pytest.mark.parametrize(
    ("offset", "nights", "free"),
    [(-3, 3, True), (-3, 4, False), (0, 1, False), (1, 1, False), (2, 1, False), (3, 1, True), (-5, 20, False)],
)
async def test_only_stays_that_share_a_night_make_a_property_unavailable(
    guest: Guest, soon: date, offset: int, nights: int, free: bool
) -> None:
    await guest.create_property("hut")
    await guest.reserve("hut", soon, 3)

    assert await guest.available(soon + offset * DAY, nights) == (["hut"] if free else [])


async def test_a_long_stay_is_found_from_its_last_night(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    await guest.reserve("hut", soon, 365)
    await guest.reserve("hut", soon - 2 * DAY, 1)

    assert await guest.available(soon + 364 * DAY, 1) == []
    assert await guest.available(soon + 365 * DAY, 1) == ["hut"]


@pytest.mark.parametrize("turnover", [1, 3])
async def test_turnover_days_are_kept_free_on_both_sides(guest: Guest, soon: date, turnover: int) -> None:
    await guest.create_property("hut", turnover_days=turnover)
    await guest.reserve("hut", soon, 2)

    assert await guest.available(soon + (2 + turnover) * DAY, 1) == ["hut"]
    assert await guest.available(soon + (1 + turnover) * DAY, 1) == []
    assert await guest.available(soon - (1 + turnover) * DAY, 1) == ["hut"]
    assert await guest.available(soon - turnover * DAY, 1) == []


async def test_without_a_free_property_the_nearest_start_dates_are_listed(guest: Guest, soon: date) -> None:
    await guest.create_property("hut")
    await guest.reserve("hut", soon - 3 * DAY, 5)

    answer, problem = await guest.get(f"/properties/available?start_date={soon}&nights=2")

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert problem["code"] == "no_availability"
    days = start_dates(problem)
    expected = {soon + n * DAY for n in range(2, 15)} | {soon - n * DAY for n in range(5, 15)}
    assert set(days) == expected
    assert all(abs(one - soon) <= abs(other - soon) for one, other in pairwise(days))


async def test_alternatives_are_days_on_which_the_search_finds_a_property(guest: Guest, soon: date) -> None:
    await guest.create_property("hut", turnover_days=2)
    await guest.create_property("barn")
    for offset, nights in ((-10, 6), (-2, 5), (6, 1)):
        await guest.reserve("hut", soon + offset * DAY, nights)
    await guest.reserve("barn", soon - 20 * DAY, 30)

    _, problem = await guest.get(f"/properties/available?start_date={soon}&nights=3")

    found = {soon + n * DAY for n in range(-14, 15) if n and await guest.available(soon + n * DAY, 3)}
    assert set(start_dates(problem)) == found


@pytest.mark.parametrize("nights", [1, 3])
async def test_search_and_alternatives_offer_what_can_be_reserved_and_nothing_else(
    guest: Guest, today: date, nights: int
) -> None:
    """At both ends of the days on which a stay may begin: today, and 730 days ahead."""
    await guest.create_property("hut")
    for offset in (-15, -2, -1, 0, 1, 716, 717, 729, 730, 731, 732, 744, 745):
        start = today + offset * DAY
        answer, found = await guest.get(f"/properties/available?start_date={start}&nights={nights}")
        reserved, reservation = await guest.reserve("hut", start, nights)
        assert (answer.status_code, reserved.status_code) == ((200, 200) if 0 <= offset <= 730 else (404, 400))
        if answer.status_code == 200:
            await guest.cancel(reservation["reservation_id"])
            continue
        days = set(start_dates(found))
        near = {start + n * DAY for n in range(-14, 15)}
        assert days == {day for day in near if today <= day <= today + 730 * DAY}


class TestPastStaysAllowed:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return {**environment, "PROVIDER_PAST_STAYS": "allow"}

    async def test_past_days_are_offered(self, guest: Guest, today: date) -> None:
        await guest.create_property("hut")

        assert await guest.available(date(2021, 1, 5), 3) == ["hut"]
        _, problem = await guest.get(f"/properties/available?start_date={today + 740 * DAY}&nights=1")
        assert max(start_dates(problem)) == today + 730 * DAY

    async def test_alternatives_end_with_the_first_night(self, guest: Guest) -> None:
        await guest.create_property("hut")
        await guest.reserve("hut", date(1900, 1, 1), 3)

        _, problem = await guest.get("/properties/available?start_date=1900-01-02&nights=1")

        assert min(start_dates(problem)) == date(1900, 1, 4)


async def test_alternatives_to_a_day_ahead_are_never_in_the_past(guest: Guest, today: date) -> None:
    await guest.create_property("hut")
    await guest.reserve("hut", today, 3)

    _, problem = await guest.get(f"/properties/available?start_date={today}&nights=1")

    assert min(start_dates(problem)) == today + 3 * DAY


@pytest.mark.parametrize("day", ["1900-01-01", "2199-12-31"])
async def test_the_first_and_the_last_night_can_be_searched(guest: Guest, day: str) -> None:
    await guest.create_property("hut")
    answer, problem = await guest.get(f"/properties/available?start_date={day}&nights=365")

    assert answer.status_code == 404
    assert problem["alternatives"] == []


async def test_pages_follow_one_another_by_id(guest: Guest, soon: date) -> None:
    names = [f"p{number:02}" for number in range(11)]
    for name in reversed(names):
        await guest.create_property(name)
    for name in names[::3]:
        await guest.reserve(name, soon, 1)
    path = f"/properties/available?start_date={soon}&nights=1&limit=3"
    seen: list[str] = []
    while path:
        answer, found = await guest.get(path)
        assert answer.status_code == 200
        assert len(found) <= 3
        seen += [each["property_id"] for each in found]
        path = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")

    assert seen == [name for name in names if name not in names[::3]]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", ["start_date", "nights"]),
        ("start_date=2021-02-30&nights=0", ["start_date", "nights"]),
        ("start_date=1899-12-31&nights=1", ["start_date"]),
        ("start_date=2200-01-01&nights=1", ["start_date"]),
        ("start_date=2021-01-05&nights=366", ["nights"]),
        ("start_date=2021-01-05&nights=1.5", ["nights"]),
        ("start_date=2021-01-05T00:00:00Z&nights=1&limit=0", ["start_date", "limit"]),
        ("start_date=2021-01-05&nights=1&limit=1001", ["limit"]),
        ("start_date=2021-01-05&nights=1&cursor=x", ["cursor"]),
        ("start_date=2021-01-05&nights=1&cursor=kaNhAGI", ["cursor"]),  # an id with a zero byte
        ("start_date=2021-01-05&nights=1&night=2", ["night"]),
    ],
)
async def test_invalid_parameters_are_named(guest: Guest, query: str, fields: list[str]) -> None:
    answer, problem = await guest.get(f"/properties/available?{query}")

    assert answer.status_code == 400
    assert [fault["field"] for fault in problem["errors"]] == fields
