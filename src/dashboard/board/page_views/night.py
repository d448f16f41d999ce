"""The page of a night: its rows become sentences, charts and tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import floor

from common.limits import EARLIEST_NIGHT, LATEST_NIGHT
from common.web.charts.countdown import Countdown, CountdownDay, countdown
from common.web.charts.gauge import Gauge, gauge
from common.web.charts.marks import Chart, Words
from common.web.charts.number_text import count_text
from common.web.words import counted
from dashboard.board.page_views.books import Books
from dashboard.board.page_views.links import PageLink
from dashboard.board.page_views.night_sentence import Usual, night_sentence
from dashboard.board.page_views.words import date_text, long_night, short_night
from dashboard.bookings.models.curves import UsualPoint
from dashboard.bookings.models.event_days import EventDay
from dashboard.bookings.models.figures import CurvePoint
from dashboard.bookings.models.nights import NightFigures
from dashboard.bookings.queries.usual_curve import USUAL_CURVE_DAYS
from dashboard.bookings.service import FIRST_COMPARABLE_DATE, day_last_year, night_last_year

ZOOMS = (30, 90, 180, USUAL_CURVE_DAYS)
DEFAULT_ZOOM = 90
MOST_EVENT_DAYS = 40
"""Dates that the table of changes lists one by one; it sums up the earlier ones."""

CURVE_SERIES = ("on the books", "usual", "median", "last year")
GAUGE_SERIES = ("on the books", "usual", "last year then")


@dataclass(frozen=True, slots=True)
class NightRows:
    """What is read of a night.

    curve: its booking curve, in which earlier events count 365 days before. usual: 366 points, from 365 days before on.
    event_days: newest first.
    """

    figures: NightFigures
    curve: Sequence[CurvePoint]
    usual: Sequence[UsualPoint]
    event_days: Sequence[EventDay]


@dataclass(frozen=True, slots=True)
class Pickup:
    """A tile of the pickup. field: its name in `GET /hotels/{id}/nights`. last_year: that of last year, if known."""

    field: str
    label: str
    value: int
    last_year: int | None = None


@dataclass(frozen=True, slots=True)
class EarlierChanges:
    """The sums of the dates that the table of changes does not list."""

    dates: int
    bookings: int
    cancellations: int
    on_the_books: int


@dataclass(frozen=True, slots=True)
class NightView:
    """What the template of a night prints.

    when: how far the night is from the books. gauge: None once the night is slept, without rooms, and where the hotel's
    events begin too late to know the night.
    """

    name: str
    when: str
    sentence: str
    figures: NightFigures
    gauge: Chart | None
    curve: Chart
    zooms: tuple[PageLink, ...]
    comparison: tuple[str, ...]
    pickups: tuple[Pickup, ...]
    event_days: tuple[EventDay, ...]
    earlier: EarlierChanges | None
    steps: tuple[PageLink, ...]


def night_view(books: Books, rows: NightRows, days: int | None) -> NightView:
    """The page of a night. days: where its curve begins, as the address says; None if it does not."""
    night = rows.figures.night
    ahead = (night - books.as_of).days
    is_known = books.hotel.first_event_date <= min(night, books.as_of) and books.hotel.first_night <= night
    usual = usual_at(rows.usual, ahead)
    sentence = night_sentence(books, rows.figures, usual, has_events=bool(rows.curve))
    zoom = days or default_zoom(ahead)
    listed = [day for day in rows.event_days if day.days_ahead <= zoom][:MOST_EVENT_DAYS]
    return NightView(
        long_night(night),
        when_words(books, ahead),
        sentence,
        rows.figures,
        _gauge(books, rows.figures, usual, sentence) if is_known else None,
        _curve(books, rows, zoom, usual, sentence),
        tuple(
            PageLink(
                f"{each} days" if each == ZOOMS[-1] else str(each),
                f"The last {each} days",
                _page(books, night, each),
                each == zoom,
            )
            for each in ZOOMS
        ),
        tuple(_comparison(books, night, ahead, zoom)),
        _pickups(books, rows.figures) if is_known and ahead >= 0 else (),
        tuple(listed),
        _earlier(rows.event_days[len(listed) :]),
        _steps(books, night, days),
    )


def default_zoom(ahead: int) -> int:
    """The days before a night at which its curve begins: 90, or as many as it takes to show how it stands."""
    return next((zoom for zoom in ZOOMS if zoom >= max(DEFAULT_ZOOM, ahead)), ZOOMS[-1])


def whole_rooms(value: float | None) -> int | None:
    """A quartile as people say it."""
    return None if value is None else floor(value + 0.5)


def usual_at(points: Sequence[UsualPoint], ahead: int) -> Usual | None:
    """What is usual so many days before the night, after it what was usual in the end; None if it is not known."""
    at = max(ahead, 0)
    if at >= len(points):
        return None
    point = points[len(points) - 1 - at]
    low, median, high = whole_rooms(point.q1), whole_rooms(point.median), whole_rooms(point.q3)
    return None if low is None or median is None or high is None else Usual(low, median, high)


def when_words(books: Books, ahead: int) -> str:
    """How far a night is from the date of the books."""
    if not books.is_today:
        return f"{counted(ahead, 'day')} ahead" if ahead > 0 else "the night of these books" if ahead == 0 else "slept"
    if ahead > 0:
        return "tomorrow" if ahead == 1 else f"in {counted(ahead, 'day')}"
    return "tonight" if ahead == 0 else "last night" if ahead == -1 else f"{counted(-ahead, 'day')} ago"


def _gauge(books: Books, figures: NightFigures, usual: Usual | None, sentence: str) -> Chart | None:
    rooms = books.hotel.rooms
    if rooms is None or figures.night < books.as_of:
        return None
    low, high = (usual.low, usual.high) if usual else (None, None)
    return gauge(
        Gauge(max(0, figures.on_the_books), low, high, figures.same_time_last_year, rooms),
        Words(long_night(figures.night), sentence, "night", GAUGE_SERIES),
    )


def _curve(books: Books, rows: NightRows, zoom: int, usual: Usual | None, sentence: str) -> Chart:
    night = rows.figures.night
    ahead = max(0, (night - books.as_of).days)
    known_before = (night - books.hotel.first_event_date).days
    booked = {point.days_before: point.on_the_books for point in rows.curve}
    days = [
        CountdownDay(
            point.days_before,
            booked.get(point.days_before, 0) if booked and ahead <= point.days_before <= known_before else None,
            whole_rooms(point.q1),
            whole_rooms(point.median),
            whole_rooms(point.q3),
            point.last_year,
        )
        for point in rows.usual[-zoom - 1 :]
    ]
    is_slept = night < books.as_of
    now = f"{count_text(rows.figures.on_the_books)} {'slept' if is_slept else 'now' if books.is_today else 'then'}"
    label = f"{now}, usual {count_text(usual.median)}" if usual else now
    return countdown(
        Countdown(days, books.hotel.rooms, label),
        Words(f"Booking curve of {long_night(night)}", sentence, "days before", CURVE_SERIES),
    )


def _comparison(books: Books, night: date, ahead: int, zoom: int) -> list[str]:
    """What the chart compares the night with, in sentences."""
    weekday = f"{night:%A}"
    sentences = [f"Usual is the middle half of the last eight slept {weekday}s, dotted is their median."]
    counterpart = night_last_year(night, books.match)
    if counterpart is None:
        sentences.append("29 February has no same date last year.")
    elif ahead < 0:
        sentences.append(f"Last year is {long_night(counterpart)}.")
    else:
        then = date_text(day_last_year(max(books.as_of, FIRST_COMPARABLE_DATE), books.match))
        sentences.append(f"Same time last year is {long_night(counterpart)} as it stood on {then}.")
    if ahead > zoom:
        sentences.append(
            f"The night is {counted(ahead, 'day')} ahead: this curve begins later, {counted(zoom, 'day')} before it."
        )
    return sentences


def _pickups(books: Books, figures: NightFigures) -> tuple[Pickup, ...]:
    today, yesterday = ("today", "yesterday") if books.is_today else ("that day", "the day before")
    return (
        Pickup("today", today, figures.today),
        Pickup("yesterday", yesterday, figures.yesterday),
        Pickup("pickup_3", "3 days", figures.pickup_3),
        Pickup("pickup_7", "7 days", figures.pickup_7, figures.usual_7),
        Pickup("pickup_14", "14 days", figures.pickup_14),
        Pickup("pickup_30", "30 days", figures.pickup_30),
    )


def _earlier(days: Sequence[EventDay]) -> EarlierChanges | None:
    if not days:
        return None
    bookings = sum(day.bookings for day in days)
    return EarlierChanges(len(days), bookings, sum(day.cancellations for day in days), days[0].on_the_books)


def _steps(books: Books, night: date, days: int | None) -> tuple[PageLink, ...]:
    """Links to the nights around, and to those of the same weekday."""
    steps = []
    for number, arrow in ((-7, "«"), (-1, "‹"), (1, "›"), (7, "»")):
        try:
            other = night + timedelta(days=number)
        except OverflowError:
            continue
        if EARLIEST_NIGHT <= other <= LATEST_NIGHT:
            name = short_night(other)
            text = f"{arrow} {name}" if number < 0 else f"{name} {arrow}"
            steps.append(PageLink(text, long_night(other), _page(books, other, days)))
    return tuple(steps)


def _page(books: Books, night: date, days: int | None) -> str:
    """The address of the page of a night, with the days that its curve shows."""
    return books.address(f"/board/hotels/{books.hotel.hotel_id}/nights/{night}", days=days)
