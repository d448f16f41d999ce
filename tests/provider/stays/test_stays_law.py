"""Search, reserving and calendar agree with a simple model of one rule."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.storefront import Guest

DAY = timedelta(days=1)

Stays = list[tuple[int, int]]
"""First and last day of each, in days from the start; the last is exclusive."""


def is_free(stays: Stays, arrival: int, departure: int, turnover: int) -> bool:
    return all(departure + turnover <= first or last + turnover <= arrival for first, last in stays)


def status(stays: Stays, night: int, turnover: int) -> str:
    if any(first <= night < last for first, last in stays):
        return "taken"
    return "free" if is_free(stays, night, night + 1, turnover) else "turnover"


STEPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "reserve", "cancel"]), st.integers(0, 20), st.integers(1, 5)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turnover=st.integers(0, 3), steps=STEPS, searched=st.tuples(st.integers(-2, 24), st.integers(1, 6)))
async def test_search_reserving_and_calendar_follow_one_rule(
    guest: Guest, turnover: int, steps: list[tuple[str, int, int]], searched: tuple[int, int]
) -> None:
    start = datetime.now(UTC).date() + 30 * DAY
    name = await guest.create_property(turnover_days=turnover)
    held: dict[tuple[int, int], str] = {}
    for action, day, nights in steps:
        if action == "reserve":
            answer, reservation = await guest.reserve(name, start + day * DAY, nights)
            free = is_free(list(held), day, day + nights, turnover)
            assert answer.status_code == (200 if free else 409)
            if free:
                held[day, day + nights] = reservation["reservation_id"]
        elif held:
            stay = sorted(held)[day % len(held)]
            assert await guest.cancel(held.pop(stay)) == 204

    day, nights = searched
    found = await guest.available(start + day * DAY, nights)
    assert (name in found) == is_free(list(held), day, day + nights, turnover)
    calendar = await guest.calendar(name, start - 2 * DAY, 30)
    assert calendar == [status(list(held), night, turnover) for night in range(-2, 28)]


def test_the_model_knows_the_rule() -> None:
    start = date(2021, 1, 2)
    sample = [(0, 2), (2, 9), (20, 23)]  # the source's own: back to back on 2021-01-04

    assert start + 2 * DAY == date(2021, 1, 4)
    assert all(is_free([*sample[:n], *sample[n + 1 :]], *sample[n], turnover=0) for n in range(3))
    assert not is_free(sample[:1], *sample[1], turnover=1)
