"""What the page of a night says, for each state of a night and of what is known of it."""

from datetime import UTC, date, datetime, timedelta

import pytest

from dashboard.board.page_views.books import Books
from dashboard.board.page_views.night import (
    MOST_EVENT_DAYS,
    NightRows,
    NightView,
    default_zoom,
    night_view,
    usual_at,
    when_words,
    whole_rooms,
)
from dashboard.board.page_views.night_sentence import Usual, night_sentence
from dashboard.bookings.inputs import PaceMatch
from dashboard.bookings.models.curves import UsualPoint
from dashboard.bookings.models.event_days import EventDay
from dashboard.bookings.models.figures import CurvePoint
from dashboard.bookings.models.hotel_head import HotelHead
from dashboard.bookings.models.nights import NightFigures

SATURDAY = date(2026, 12, 12)
TODAY = date(2026, 11, 27)
YESTERDAY = date(2026, 11, 26)
FIRST_EVENT = date(2023, 5, 3)
HOTEL = HotelHead(
    1, "Harbour House", 40, "UTC", 9, FIRST_EVENT, datetime(2026, 11, 27, tzinfo=UTC), FIRST_EVENT, SATURDAY, TODAY
)
FIGURES = NightFigures(SATURDAY, 18, 1, 0, 1, 3, 5, 6, 20, -2, 4, 29)
USUAL = Usual(21, 23, 25)


def books(as_of: date = TODAY, match: PaceMatch = "weekday", **hotel: object) -> Books:
    return Books(HOTEL._replace(**hotel), as_of, match)  # type: ignore[arg-type]  # the fields of HotelHead


def figures(night: date = SATURDAY, on_the_books: int = 18, **last_year: int | None) -> NightFigures:
    then, slept = last_year.get("same_time_last_year", 20), last_year.get("last_year", 29)
    return NightFigures(night, on_the_books, 1, 0, 1, 3, 5, 6, then, None, 4, slept)


def sentence(of: Books, night: NightFigures = FIGURES, usual: Usual | None = USUAL, *, has_events: bool = True) -> str:
    return night_sentence(of, night, usual, has_events=has_events)


def point(days_before: int) -> UsualPoint:
    return UsualPoint(days_before, 20.5, 23.0, 25.49, 20)


def view(of: Books, night: date = SATURDAY, days: int | None = None, first: int = 60) -> NightView:
    curve = [CurvePoint(before, 18) for before in range(first, -1, -1)]
    usual = [point(before) for before in range(365, -1, -1)]
    events = [EventDay(night - timedelta(before), before, 2, 1, before) for before in range(200)]
    return night_view(of, NightRows(figures(night), curve, usual, events), days)


def test_a_night_ahead_is_put_beside_what_is_usual_and_last_year() -> None:
    assert sentence(books()) == (
        "18 of 40 rooms are on the books (45%), 2 under the same time last year. "
        "Usual for the last eight Saturdays (3 Oct to 21 Nov), 15 days ahead: 21 to 25. Last year then 20, slept 29."
    )


@pytest.mark.parametrize(
    ("of", "night", "usual", "expected"),
    [
        (books(), figures(last_year=None), USUAL, "Last year then 20."),
        (books(), figures(same_time_last_year=None), USUAL, "Last year slept 29."),
        (books(), figures(same_time_last_year=None, last_year=None), None, "18 of 40 rooms are on the books (45%)."),
        (
            books(as_of=SATURDAY),
            FIGURES,
            USUAL,
            "the last eight Saturdays (17 Oct to 5 Dec), on the day itself: 21 to 25.",
        ),
        (
            books(as_of=date(2026, 12, 11)),
            FIGURES,
            USUAL,
            "the last eight Saturdays (17 Oct to 5 Dec), 1 day ahead: 21 to 25.",
        ),
        (books(), FIGURES, Usual(21, 21, 21), "15 days ahead: 21."),
        (books(rooms=None), FIGURES, None, "18 rooms are on the books, 2 under the same time last year. Last year"),
        (books(rooms=None), figures(on_the_books=1), None, "1 room is on the books, 19 under the same time last year."),
        (
            books(rooms=1),
            figures(on_the_books=0),
            None,
            "0 of 1 room is on the books (0%), 20 under the same time",
        ),
        (
            books(),
            figures(on_the_books=39),
            None,
            "39 of 40 rooms are on the books (98%), 19 over the same time",
        ),
        (
            books(),
            figures(on_the_books=44),
            None,
            "44 of 40 rooms are on the books (110%), 24 over the same time",
        ),
        (books(), figures(on_the_books=-1), None, "−1 of 40 rooms are on the books"),
        (
            books(),
            figures(YESTERDAY),
            USUAL,
            "18 of 40 rooms were slept (45%), 11 under last year. "
            "Usual for the last eight Thursdays (8 Oct to 26 Nov): 21 to 25. Last",
        ),
        (books(), figures(YESTERDAY), USUAL, "Last year 29."),
        (books(), figures(on_the_books=20), None, "(50%), as many as at the same time last year."),
        (books(), figures(YESTERDAY, 29), None, "(73%), as many as last year."),
        (
            books(first_event_date=date(2026, 10, 27)),
            FIGURES,
            USUAL,
            "Usual for the last two Saturdays (14 Nov to 21 Nov), 15 days ahead: 21 to 25.",
        ),
        (books(first_event_date=date(2026, 11, 4)), FIGURES, USUAL, "Usual for the last Saturday (21 Nov), 15 days"),
        (books(), figures(date(2023, 5, 2)), USUAL, "The feed begins on 3 May 2023: nothing is known of this night."),
        (
            books(date(2023, 5, 2)),
            FIGURES,
            USUAL,
            "The feed begins on 3 May 2023: nothing is known of the books of 2 May 2023.",
        ),
        (
            books(match="date"),
            figures(date(2028, 2, 29), same_time_last_year=None, last_year=None),
            None,
            "29 February has no same date last year.",
        ),
    ],
)
def test_a_sentence_says_what_is_known_and_nothing_else(
    of: Books, night: NightFigures, usual: Usual | None, expected: str
) -> None:
    assert expected in sentence(of, night, usual)
    assert "  " not in sentence(of, night, usual)


def test_a_night_without_events_was_or_is_not_booked() -> None:
    assert sentence(books(), has_events=False).startswith("Nobody has booked this night yet. Usual")
    assert sentence(books(), figures(YESTERDAY), has_events=False).startswith("Nobody booked this night. Usual")


@pytest.mark.parametrize(
    ("ahead", "today", "past"),
    [
        (15, "in 15 days", "15 days ahead"),
        (1, "tomorrow", "1 day ahead"),
        (0, "tonight", "the night of these books"),
        (-1, "last night", "slept"),
        (-1500, "1,500 days ago", "slept"),
    ],
)
def test_the_head_says_how_far_a_night_is_from_the_books(ahead: int, today: str, past: str) -> None:
    assert when_words(books(), ahead) == today
    assert when_words(books(date(2026, 10, 1)), ahead) == past


def test_quartiles_are_rounded_to_whole_rooms_half_upwards() -> None:
    assert [whole_rooms(value) for value in (None, 0, 20.5, 21.5, 25.49)] == [None, 0, 21, 22, 25]


def test_what_is_usual_is_that_of_the_same_days_before_and_after_the_night_that_of_its_end() -> None:
    points = [UsualPoint(before, before, before, before, None) for before in range(365, -1, -1)]
    assert [usual_at(points, ahead) for ahead in (365, 15, 0, -3)] == [Usual(at, at, at) for at in (365, 15, 0, 0)]
    assert usual_at(points, 366) is None
    assert usual_at([UsualPoint(0, None, None, None, 4)], 0) is None


@pytest.mark.parametrize(
    ("ahead", "zoom"), [(-9, 90), (0, 90), (90, 90), (91, 180), (180, 180), (181, 365), (900, 365)]
)
def test_a_curve_begins_90_days_before_the_night_or_where_the_night_stands(ahead: int, zoom: int) -> None:
    assert default_zoom(ahead) == zoom


def test_the_curve_has_values_up_to_the_date_of_the_books_alone() -> None:
    rows = view(books()).curve.numbers.rows
    assert len(rows) == 91
    assert [row.cells[0] for row in rows if row.first in ("90", "61", "60", "15", "14", "0")] == [
        "0", "0", "18", "18", "–", "–"
    ]  # fmt: skip
    assert rows[-1].cells[1:] == ("21 to 25", "23", "20")


def test_the_curve_has_no_value_before_the_first_event_of_the_hotel() -> None:
    rows = view(books(first_event_date=SATURDAY - timedelta(70))).curve.numbers.rows
    assert [row.cells[0] for row in rows if row.first in ("71", "70")] == ["–", "0"]


def test_a_chosen_zoom_is_marked_and_kept_by_the_links_to_other_nights() -> None:
    page = view(books(), days=180)
    assert [(link.text, link.is_current) for link in page.zooms] == [
        ("30", False),
        ("90", False),
        ("180", True),
        ("365 days", False),
    ]
    assert {link.address.partition("?")[2] for link in page.steps} == {"days=180"}
    assert [link.name for link in page.steps] == [
        "Saturday 5 December 2026",
        "Friday 11 December 2026",
        "Sunday 13 December 2026",
        "Saturday 19 December 2026",
    ]
    assert {link.address.partition("?")[2] for link in view(books()).steps} == {""}


def test_a_curve_that_begins_after_the_books_says_so() -> None:
    assert (
        view(books(), days=30)
        .comparison[-1]
        .startswith("Same time last year is Saturday 13 December 2025 as it stood on")
    )
    assert view(books(as_of=date(2026, 10, 12)), days=30).comparison[-1].startswith("The night is 61 days ahead")


def test_only_the_newest_dates_are_listed_and_the_earlier_ones_summed_up() -> None:
    page = view(books())
    assert len(page.event_days) == MOST_EVENT_DAYS
    assert page.earlier is not None
    assert (page.earlier.dates, page.earlier.bookings, page.earlier.cancellations) == (160, 320, 160)
    assert page.earlier.on_the_books == MOST_EVENT_DAYS
    assert len(view(books(), days=30).event_days) == 31


def test_a_slept_or_unknown_night_has_no_gauge_and_no_pickup() -> None:
    for page in (view(books(), YESTERDAY), view(books(first_event_date=date(2026, 11, 28)))):
        assert page.gauge is None
        assert page.pickups == ()
    assert view(books()).gauge is not None
    assert [pickup.field for pickup in view(books()).pickups if pickup.last_year is not None] == ["pickup_7"]


def test_the_label_of_the_curve_says_now_then_or_slept() -> None:
    labels = [
        next(mark.text for mark in page.curve.wide.marks if getattr(mark, "style", "") == "label")  # type: ignore[union-attr]  # a label is a Text
        for page in (view(books()), view(books(as_of=date(2026, 11, 1))), view(books(), YESTERDAY))
    ]
    assert labels == ["18 now, usual 23", "18 then, usual 23", "18 slept, usual 23"]
