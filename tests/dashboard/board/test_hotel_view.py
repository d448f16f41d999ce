"""What the page of a hotel shows of some nights: shades, sums, months, and nights that moved."""

from datetime import UTC, date, datetime, timedelta

import pytest

from dashboard.board.page_views.books import Books
from dashboard.board.page_views.calendar import calendar, change_shade, fill_shade
from dashboard.board.page_views.hotel import months_from
from dashboard.board.page_views.night_table import night_table, night_totals
from dashboard.bookings.inputs import PaceMatch
from dashboard.bookings.models.hotel_head import HotelHead
from dashboard.bookings.models.nights import NightFigures
from dashboard.bookings.months import month_after

AS_OF = date(2027, 12, 15)
DAY = timedelta(days=1)


def books(rooms: int | None = 40, match: PaceMatch = "weekday", first_event: date = date(2020, 1, 1)) -> Books:
    at = datetime(2027, 12, 15, 12, tzinfo=UTC)
    head = HotelHead(7, None, rooms, "UTC", 9, first_event, at, date(2020, 1, 1), date(2028, 6, 1), AS_OF)
    return Books(head, AS_OF, match)


def night(at: date, rooms: int = 0, then: int | None = 0, slept: int | None = 0) -> NightFigures:
    difference = None if then is None else rooms - then
    return NightFigures(at, rooms, 0, 0, 0, 0, 0, 0, then, difference, 0, slept)


def some_nights(count: int, rooms: int = 0, then: int | None = 0) -> list[NightFigures]:
    """Nights from 1 December 2027 on."""
    return [night(date(2027, 12, 1) + number * DAY, rooms, then) for number in range(count)]


@pytest.mark.parametrize(
    ("rooms", "shade"),
    [(-1, ""), (0, ""), (7, ""), (8, "s1"), (16, "s2"), (31, "s3"), (32, "s4"), (39, "s4"), (40, "s5"), (41, "s5")],
)
def test_a_night_is_shaded_by_fifths_and_only_a_full_house_is_darkest(rooms: int, shade: str) -> None:
    assert fill_shade(rooms, 40) == shade


def test_nothing_is_shaded_where_no_night_is_booked() -> None:
    assert fill_shade(0, 0) == ""


@pytest.mark.parametrize(
    ("change", "shade"),
    [(None, ""), (0, ""), (2, "s1"), (3, "s2"), (5, "s2"), (6, "s4"), (-1, "b1"), (-3, "b2"), (-6, "b3"), (-60, "b3")],
)
def test_a_change_has_three_shades_to_each_side(change: int | None, shade: str) -> None:
    assert change_shade(change) == shade


def test_shades_of_a_hotel_without_rooms_are_those_of_its_fullest_night() -> None:
    nights = some_nights(31, rooms=8)
    nights[20] = night(nights[20].night, rooms=10)
    made = calendar(books(rooms=None), nights, "fill")

    cells = [cell for week in made.months[0].weeks for cell in week]
    assert (cells[20].style, cells[21].style) == ("s5", "s4")
    assert made.meaning == "of the fullest night, 10 rooms"


def test_weeks_begin_on_monday_and_past_nights_have_no_fill() -> None:
    (month,) = calendar(books(), some_nights(31, rooms=20, then=30), "ahead").months

    assert (month.name, month.skipped) == ("December 2027", 2)
    assert [cell.day for cell in month.weeks[0]] == [1, 2, 3, 4, 5]
    assert [len(week) for week in month.weeks] == [5, 7, 7, 7, 5]
    cells = [cell for week in month.weeks for cell in week]
    assert [cell.style for cell in cells[12:16]] == ["past", "past", "b3 today", "b3"]
    assert (cells[13].label, cells[13].change) == ("Tue 14 Dec: 20, −10", "−10")


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [(date(2027, 12, 15), date(2028, 11, 30), 366), (date(2027, 1, 31), date(2027, 12, 31), 365)],
)
def test_twelve_months_begin_with_the_first_of_the_month(first: date, last: date, days: int) -> None:
    assert months_from(first) == (first.replace(day=1), last)
    assert (last - first.replace(day=1)).days + 1 == days


def test_months_are_counted_over_the_ends_of_years() -> None:
    assert month_after(date(2027, 12, 31), 1) == date(2028, 1, 1)
    assert month_after(date(2028, 1, 31), -1) == date(2027, 12, 1)
    assert month_after(date(2027, 12, 5), -12) == date(2026, 12, 1)


def test_a_sum_of_last_year_is_unknown_if_one_night_is() -> None:
    nights = [night(AS_OF, 10, then=8, slept=9), night(AS_OF + DAY, 10, then=8, slept=None)]
    totals = night_totals(books(), nights)

    assert (totals.on_the_books, totals.percent) == (20, "25%")
    assert (totals.same_time_last_year, totals.difference, totals.last_year) == (16, 4, None)


def test_a_leap_day_without_a_counterpart_does_not_make_a_sum_unknown() -> None:
    leap_day = night(date(2028, 2, 29), 10, then=None, slept=None)
    nights = [night(date(2028, 2, 28), 10, then=8, slept=9), leap_day]

    totals = night_totals(books(match="date"), nights)
    assert (totals.same_time_last_year, totals.difference, totals.last_year) == (8, 12, 9)
    assert night_totals(books(match="weekday"), nights).same_time_last_year is None
    assert night_totals(books(match="date"), [leap_day]).same_time_last_year is None


def test_fridays_and_saturdays_are_the_weekend_and_long_tables_have_no_bars() -> None:
    made = night_table(books(), some_nights(31), "Nights")
    assert [row.name for row in made.rows if row.is_weekend][:3] == ["Fri 3 Dec", "Sat 4 Dec", "Fri 10 Dec"]
    assert all(row.bar for row in made.rows)
    assert not any(row.bar for row in night_table(books(), some_nights(60), "Nights").rows)


def test_without_nights_sums_are_zero_and_last_year_is_unknown() -> None:
    totals = night_totals(books(), [])
    assert (totals.on_the_books, totals.percent, totals.pickups) == (0, "", (0,) * 6)
    assert totals.same_time_last_year is None


def test_addresses_keep_what_is_not_as_by_default() -> None:
    today = books()
    assert today.hotel_page() == "/board/hotels/7"
    assert today.hotel_page(show="ahead") == "/board/hotels/7?show=ahead"
    past = Books(today.hotel, date(2027, 10, 12), "date")
    assert past.night_page(date(2028, 2, 29)) == "/board/hotels/7/nights/2028-02-29?as_of=2027-10-12&match=date"
    assert past.month_page(date(2028, 2, 29)) == "/board/hotels/7/months/2028-02?as_of=2027-10-12&match=date"
    assert past.of_today.hotel_page() == "/board/hotels/7?match=date"


@pytest.mark.parametrize(("match", "first_known"), [("weekday", AS_OF - 364 * DAY), ("date", date(2026, 12, 15))])
def test_last_year_is_known_from_the_first_event_on(match: PaceMatch, first_known: date) -> None:
    assert books(match=match, first_event=first_known).has_last_year
    assert not books(match=match, first_event=first_known + DAY).has_last_year
