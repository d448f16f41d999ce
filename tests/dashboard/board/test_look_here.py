"""What is unusual, the most of it first."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from dashboard.board.page_views.look_here import (
    LINES,
    LINES_OF_HOTEL,
    Line,
    failing_jobs_line,
    late_orders_line,
    lines_of_nights,
    low_prices_line,
    ranked,
    stores_down_line,
)
from dashboard.board.page_views.question import Question
from dashboard.bookings.models.notable_nights import NotableNight

TODAY = date(2026, 11, 29)
NIGHT = date(2026, 12, 12)
NOW = datetime(2026, 11, 29, 7, 2, tzinfo=UTC)
QUESTION = Question(TODAY, TODAY, "weekday")
PLAIN = NotableNight(7, "Harbour House", 40, NIGHT, 20, 21, 2, 2, 0, None, None)


def line(score: float, hotel_id: int | None = None, *nights: date) -> Line:
    return Line(score, "", "", f"{hotel_id} {score}", "", "/", hotel_id=hotel_id, nights=frozenset(nights))


def night(**changes: Any) -> NotableNight:
    return PLAIN._replace(**changes)


def test_an_unusual_pickup_is_a_link_to_the_night_with_the_difference() -> None:
    (found,) = lines_of_nights([night(pickup_7=9)], QUESTION)

    assert (found.figure, found.unit, found.style, found.score) == ("+9", "pickup", "ahead", 7)
    assert found.subject == "Harbour House, Sat 12 Dec"
    assert found.reason == "picked up +9 in 7 days, last year +2; 20 of 40 on the books"
    assert found.address == "/board/hotels/7/nights/2026-12-12"


@pytest.mark.parametrize(
    ("rooms", "pickup", "is_notable"),
    [(40, 6, True), (40, 5, False), (None, 5, True), (None, 4, False), (24, -1, True)],
)
def test_a_pickup_is_unusual_from_a_tenth_of_the_rooms_on_and_at_least_by_three(
    rooms: int | None, pickup: int, *, is_notable: bool
) -> None:
    assert night(rooms=rooms, pickup_7=pickup).has_unusual_pickup is is_notable


def test_no_pickup_is_unusual_where_the_usual_one_is_not_known() -> None:
    assert lines_of_nights([night(pickup_7=9, usual_7=None)], QUESTION) == []


@pytest.mark.parametrize(("rooms", "books", "is_full"), [(40, 38, True), (40, 37, False), (None, 400, False)])
def test_a_night_is_full_at_95_per_cent_of_known_rooms(rooms: int | None, books: int, *, is_full: bool) -> None:
    assert night(rooms=rooms, on_the_books=books).is_full is is_full


def test_a_full_night_counts_by_the_rooms_that_it_is_ahead_of_last_year() -> None:
    (found,) = lines_of_nights([night(on_the_books=39)], QUESTION)

    assert (found.figure, found.unit, found.score) == ("98%", "full", 18)
    assert found.reason == "39 of 40 rooms are on the books, 21 at the same time last year"


def test_all_reasons_of_a_night_are_one_line_and_the_strongest_stands_first() -> None:
    (found,) = lines_of_nights([night(cancelled_yesterday=7, pickup_7=-3)], QUESTION)

    assert (found.figure, found.score) == ("−7", 12)
    assert found.reason == "7 rooms cancelled yesterday; picked up −3 in 7 days, last year +2; 20 of 40 on the books"


def test_three_cancellations_of_a_night_are_usual_and_four_are_not() -> None:
    assert lines_of_nights([night(cancelled_yesterday=3)], QUESTION) == []
    assert len(lines_of_nights([night(cancelled_yesterday=4)], QUESTION)) == 1


def test_a_run_of_soft_nights_leads_to_the_calendar_that_shows_it_and_a_fortnight_counts_twice() -> None:
    (week,) = lines_of_nights([night(run_nights=7, run_difference=-35)], QUESTION)
    (fortnight,) = lines_of_nights([night(run_nights=14, run_difference=-70)], QUESTION)

    assert week.subject == "Harbour House, Sat 12 to Fri 18 Dec"
    assert week.figure == "−35"
    assert week.unit == "vs last year"
    assert week.address == "/board/hotels/7?show=ahead&nights=60#year"
    assert fortnight.score == 2 * week.score == 10


def test_links_keep_a_past_date_and_the_comparison() -> None:
    past = replace(QUESTION, as_of=date(2026, 10, 12), match="date")
    (found,) = lines_of_nights([night(cancelled_yesterday=5)], past)

    assert found.address == "/board/hotels/7/nights/2026-12-12?as_of=2026-10-12&match=date"
    assert "cancelled on 11 Oct" in found.reason


def test_at_most_eight_lines_are_shown_the_highest_score_first() -> None:
    shown = ranked(line(score, score) for score in range(1, 21))

    assert [each.score for each in shown] == list(range(20, 20 - LINES, -1))


def test_no_two_lines_are_about_one_night() -> None:
    nights = [NIGHT + timedelta(days=ahead) for ahead in range(7)]
    shown = ranked([line(9, 1, *nights), line(8, 1, nights[3]), line(7, 2, nights[3]), line(6, 2, nights[3])])

    assert [each.score for each in shown] == [9, 7]


def test_a_run_that_is_not_shown_hides_none_of_its_nights() -> None:
    nights = [NIGHT + timedelta(days=ahead) for ahead in range(12)]
    first = [line(90 - number, 1, each) for number, each in enumerate(nights[:3])]
    run, inside = line(50, 1, *nights[4:]), line(40, 1, nights[5])
    others = [line(30 - hotel, hotel, NIGHT) for hotel in range(2, 7)]

    assert not {run, inside} & set(ranked([*first, run, inside, *others]))
    assert run in ranked([*first, run, inside, *others[:3]])
    assert inside not in ranked([*first, run, inside])
    assert inside in ranked([*first, inside])


def test_nights_with_few_free_rooms_are_not_expected_to_pick_up_the_usual() -> None:
    assert lines_of_nights([night(on_the_books=35, pickup_7=1, usual_7=9, rooms=40)], QUESTION) != []
    assert lines_of_nights([night(on_the_books=36, pickup_7=1, usual_7=9, rooms=40)], QUESTION) != []
    assert lines_of_nights([night(on_the_books=37, pickup_7=0, usual_7=9, rooms=40)], QUESTION) == []
    assert night(on_the_books=42, pickup_7=0, usual_7=9, rooms=40).expected_pickup == 0
    assert night(rooms=None, usual_7=9).expected_pickup == 9


def test_a_pickup_that_could_not_be_the_usual_one_says_how_many_rooms_were_free() -> None:
    (found,) = lines_of_nights([night(on_the_books=35, pickup_7=0, usual_7=9, rooms=40)], QUESTION)

    assert found.reason.startswith("picked up 0 in 7 days, last year +9; only 5 rooms were free")


def test_neighbouring_nights_that_were_cancelled_are_one_line_to_the_worst_of_them() -> None:
    wave = [
        night(night=NIGHT + timedelta(days=ahead), cancelled_yesterday=cancelled, pickup_7=-9)
        for ahead, cancelled in enumerate((4, 7, 5))
    ]
    apart = night(night=NIGHT + timedelta(days=5), cancelled_yesterday=4)
    other = night(hotel_id=8, night=NIGHT + timedelta(days=3), cancelled_yesterday=4)
    found, single, of_other = lines_of_nights([apart, other, *reversed(wave)], QUESTION)

    assert (found.figure, found.unit, found.subject) == ("−16", "cancelled", "Harbour House, Sat 12 to Mon 14 Dec")
    assert found.reason == "16 rooms cancelled yesterday"
    assert found.address == "/board/hotels/7/nights/2026-12-13"
    assert (single.subject, of_other.hotel_id) == ("Harbour House, Thu 17 Dec", 8)


def test_neighbouring_pickups_are_one_line_if_all_are_above_or_all_below() -> None:
    pickups = [
        night(night=NIGHT + timedelta(days=ahead), pickup_7=pickup) for ahead, pickup in enumerate((9, 8, -5, -6, -7))
    ]
    above, below = lines_of_nights(pickups, QUESTION)

    assert (above.figure, above.style, above.reason) == ("+17", "ahead", "picked up +17 in 7 days, last year +4")
    assert (below.figure, below.style, below.subject) == ("−18", "behind", "Harbour House, Mon 14 to Wed 16 Dec")


def test_a_run_far_ahead_leads_to_more_nights_and_spans_of_two_months_name_both() -> None:
    (found,) = lines_of_nights([night(night=date(2027, 1, 26), run_nights=7, run_difference=-35)], QUESTION)

    assert found.subject == "Harbour House, Tue 26 Jan to Mon 1 Feb"
    assert "nights=90" in found.address


def test_one_hotel_does_not_fill_the_list_while_others_have_lines() -> None:
    nights = [NIGHT + timedelta(days=ahead) for ahead in range(10)]
    of_one = [line(100 - number, 1, each) for number, each in enumerate(nights)]
    others = [line(hotel, hotel, NIGHT) for hotel in range(2, 9)]

    assert [each.hotel_id for each in ranked([*of_one, *others])].count(1) == LINES_OF_HOTEL
    assert len(ranked(of_one)) == LINES


def test_what_lets_a_guest_wait_stands_above_every_night() -> None:
    lines = [
        *lines_of_nights([night(on_the_books=40)], QUESTION),
        late_orders_line(2, NOW, NOW),
        stores_down_line(["a"]),
    ]

    assert [each.subject for each in ranked(lines)][:2] == ["2 orders wait", "One store is down now"]
    assert late_orders_line(2, NOW, NOW).reason == "for more than 10 minutes, the oldest since 07:02 UTC"


def test_long_lists_of_names_are_cut() -> None:
    for names, reason in (("abc", "a, b and c"), ("abcde", "a, b, c and 2 more")):
        lines = failing_jobs_line(names), stores_down_line(names), low_prices_line(names, "/board/prices")
        assert [each.reason for each in lines] == [reason] * 3
