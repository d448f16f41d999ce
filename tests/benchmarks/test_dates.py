"""A benchmark may run past midnight, so none of its dates may be close to today."""

import ast
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks import booking_events, occupancy, stays, uptime
from provider.stays.models.clock import BookingWindow

MARGIN = timedelta(days=2)
PACKAGE = Path(stays.__file__).parent


def random_stays() -> list[stays.Stay]:
    return stays.random_stays(5_000, 10, stays.first_requested_night(datetime.now(UTC)), seed=1)


def stay_dates() -> Iterator[date]:
    for _, arrival, nights in random_stays():
        yield arrival
        yield arrival + timedelta(days=nights)


def searched_nights() -> Iterator[date]:
    yield from occupancy.searched_nights(stays.first_requested_night(datetime.now(UTC)))


def event_dates() -> Iterator[date]:
    for _, _, at, _, _, night in booking_events.random_events(5_000, seed=1):
        yield at.date()
        assert isinstance(night, date)
        yield night


def poll_dates() -> Iterator[date]:
    yield uptime.START.date()
    yield uptime.BATCH_START.date()


@pytest.mark.parametrize("dates", [stay_dates, searched_nights, event_dates, poll_dates])
def test_no_date_of_a_benchmark_is_within_two_days_of_today(dates: Callable[[], Iterator[date]]) -> None:
    today = datetime.now(UTC).date()
    assert min(abs(day - today) for day in dates()) > MARGIN


def test_nights_that_a_benchmark_requests_are_accepted_two_days_later() -> None:
    window = BookingWindow.on(datetime.now(UTC).date() + MARGIN, past=False)
    for arrival in [*(arrival for _, arrival, _ in random_stays()), *searched_nights()]:
        assert window.require(arrival) == arrival


def test_the_first_night_is_counted_from_the_present() -> None:
    assert stays.first_requested_night(datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)) == date(2026, 2, 7)


def test_six_benchmarks_read_the_clock() -> None:
    """Another one whose dates depend on it must be added to the first test.

    `uptime` and `cluster` pass the present to the product alone; the loads of `year` and `pages` end in the present.
    """
    readers = {
        path.stem
        for path in PACKAGE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("now", "today", "utcnow")
    }
    assert readers == {"cluster", "occupancy", "pages", "stays", "uptime", "year"}
