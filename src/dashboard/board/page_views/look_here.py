"""The lines of "Look here first": what is unusual, the most of it first.

The score of a line about a night is the rooms at stake: by how many the pickup differs from what was to be expected,
how many were cancelled, and by how many a full night is ahead of the same time last year, in sum. Neighbouring nights
with one reason are one line with the sum of their scores. That of a run of nights is the rooms that all of them are
behind, divided by the days of a week, so that a fortnight counts twice. The other lines have the fixed scores below:
what makes all figures old, or lets a guest wait, stands above every night.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import date, datetime, timedelta
from urllib.parse import quote

from common.web.charts.number_text import count_text, signed_text
from common.web.words import counted, listed, moment_text
from dashboard.board.page_views.question import Question
from dashboard.board.page_views.words import hotel_name, percent_text, short_night
from dashboard.bookings.models.notable_nights import NotableNight

LINES = 8
LINES_OF_HOTEL = 3
"""Of one hotel, as long as there are lines of others."""

LATE_FEED = 4000.0
LATE_ORDERS = 3000.0
FAILING_JOBS = 2000.0
STORES_DOWN = 1000.0
QUARANTINE = 2.0
LOW_PRICES = 1.0

DAYS_IN_WEEK = 7
NAMES_LISTED = 3
DAY = timedelta(days=1)
MONTH = timedelta(days=30)

PICKUP = "pickup"
ALERT = "!"
SHORT_TABLE = 60
LONG_TABLE = 90
"""Nights of the table on the page of a hotel, of which a run needs one or the other."""


@dataclass(frozen=True)
class Line:
    """A line: a figure, what it is about, and why it is unusual; a link to where more is said.

    style: `ahead`, `behind` or nothing. unit: what the figure counts, empty where that is clear without it. hotel_id,
    nights: of a line about nights.
    """

    score: float
    figure: str
    style: str
    subject: str
    reason: str
    address: str
    _: KW_ONLY
    unit: str = ""
    hotel_id: int | None = None
    nights: frozenset[date] = frozenset()


def ranked(lines: Iterable[Line]) -> list[Line]:
    """The lines to show, highest score first: no two about one night, and few of one hotel if there are others."""
    shown: list[Line] = []
    spare: list[Line] = []
    seen: set[tuple[int | None, date]] = set()
    of_hotel: Counter[int] = Counter()

    def show(line: Line) -> None:
        nights = {(line.hotel_id, night) for night in line.nights}
        if len(shown) < LINES and not (nights and nights <= seen):
            shown.append(line)
            seen.update(nights)
            if line.hotel_id is not None:
                of_hotel[line.hotel_id] += 1

    for line in sorted(lines, key=lambda line: -line.score):
        if line.hotel_id is not None and of_hotel[line.hotel_id] == LINES_OF_HOTEL:
            spare.append(line)
        else:
            show(line)
    for line in spare:
        show(line)
    return sorted(shown, key=lambda line: -line.score)


@dataclass(frozen=True)
class Reason:
    """Why a night is unusual. unit: what the figure counts, which also tells one reason from another."""

    score: float
    figure: str
    unit: str
    style: str
    words: str

    @property
    def is_low_pickup(self) -> bool:
        """Whether fewer rooms were picked up than in the year before, which another reason may explain."""
        return self.unit == PICKUP and self.style == "behind"


@dataclass(frozen=True)
class UnusualNight:
    """A night and why it is unusual, the strongest reason first and a low pickup last."""

    night: NotableNight
    reasons: Sequence[Reason]

    @property
    def score(self) -> float:
        return sum(reason.score for reason in self.reasons)


def lines_of_nights(nights: Iterable[NotableNight], question: Question) -> list[Line]:
    """The lines of notable nights: a line for each night, for neighbours with one reason, and for a run."""
    lines = []
    stretch: list[UnusualNight] = []
    for night in sorted(nights, key=lambda night: (night.hotel_id, night.night)):
        if night.run_nights is not None and night.run_difference is not None:
            lines.append(_run_line(night, night.run_nights, night.run_difference, question))
        unusual = UnusualNight(night, reasons_of(night, question))
        if not unusual.reasons:
            continue
        if stretch and not _is_continued(stretch[-1], unusual):
            lines.append(_line(stretch, question))
            stretch = []
        stretch.append(unusual)
    if stretch:
        lines.append(_line(stretch, question))
    return lines


def reasons_of(night: NotableNight, question: Question) -> list[Reason]:
    """Why a night is unusual, the strongest reason first and a low pickup last."""
    reasons = [*_pickup([night]), *_full(night), *_cancellations([night], question)]
    return sorted(reasons, key=lambda reason: (reason.is_low_pickup, -reason.score))


def _is_continued(before: UnusualNight, after: UnusualNight) -> bool:
    """Whether both are said in one line: neighbours of one hotel, not full, of which the first reason is the same."""
    first, second = before.night, after.night
    if first.hotel_id != second.hotel_id or second.night - first.night != DAY or first.is_full or second.is_full:
        return False
    return (before.reasons[0].unit, before.reasons[0].style) == (after.reasons[0].unit, after.reasons[0].style)


def _line(stretch: Sequence[UnusualNight], question: Question) -> Line:
    """The line of a night with all its reasons, or of neighbours with the one that they have in common."""
    worst = max(stretch, key=lambda unusual: unusual.score)
    nights, night = [unusual.night for unusual in stretch], worst.night
    if len(stretch) == 1:
        reason, *others = worst.reasons
        words = [reason.words, *(other.words for other in others)]
        if not night.is_full:
            words.append(_on_the_books(night))
    else:
        unit = worst.reasons[0].unit
        (reason,) = _pickup(nights) if unit == PICKUP else _cancellations(nights, question)
        words = [reason.words]
    return Line(
        sum(unusual.score for unusual in stretch),
        reason.figure,
        reason.style,
        f"{hotel_name(night.hotel_id, night.name)}, {span_words(nights[0].night, nights[-1].night)}",
        "; ".join(words),
        question.night_page(night.hotel_id, night.night),
        unit=reason.unit,
        hotel_id=night.hotel_id,
        nights=frozenset(night.night for night in nights),
    )


def _run_line(first: NotableNight, length: int, difference: int, question: Question) -> Line:
    """The line of a run of soft nights, which leads to the calendar and the table that show all of it."""
    nights = [first.night + ahead * DAY for ahead in range(length)]
    rows = SHORT_TABLE if (nights[-1] - question.as_of).days < SHORT_TABLE else LONG_TABLE
    address = question.address(f"/board/hotels/{first.hotel_id}", show="ahead", nights=rows)
    return Line(
        -difference / DAYS_IN_WEEK,
        signed_text(difference),
        "behind",
        f"{hotel_name(first.hotel_id, first.name)}, {span_words(nights[0], nights[-1])}",
        f"under the same time last year: {length} nights, each by a fifth or more",
        f"{address}#year",
        unit="vs last year",
        hotel_id=first.hotel_id,
        nights=frozenset(nights),
    )


def _pickup(nights: Sequence[NotableNight]) -> list[Reason]:
    """That of one unusual night, or of several, all of them above or all of them below what was to be expected."""
    if not all(night.has_unusual_pickup for night in nights):
        return []
    pickup = sum(night.pickup_7 for night in nights)
    last_year = sum(night.usual_7 or 0 for night in nights)
    expected = sum(night.expected_pickup or 0 for night in nights)
    free = sum(night.free_before for night in nights if night.free_before is not None)
    words = f"picked up {signed_text(pickup)} in 7 days, last year {signed_text(last_year)}"
    if expected < last_year:
        words += f"; only {counted(free, 'room')} {'was' if free == 1 else 'were'} free"
    style = "ahead" if pickup > expected else "behind"
    return [Reason(float(abs(pickup - expected)), signed_text(pickup), PICKUP, style, words)]


def _full(night: NotableNight) -> list[Reason]:
    if not night.is_full or night.rooms is None:
        return []
    words = f"{count_text(night.on_the_books)} of {count_text(night.rooms)} rooms are on the books"
    before = night.same_time_last_year
    if before is not None:
        words += f", {count_text(before)} at the same time last year"
    ahead = night.pickup_7 if before is None else night.on_the_books - before
    return [Reason(float(max(ahead, 1)), percent_text(night.on_the_books, night.rooms), "full", "ahead", words)]


def _cancellations(nights: Sequence[NotableNight], question: Question) -> list[Reason]:
    if not all(night.has_cancellations for night in nights):
        return []
    cancelled = sum(night.cancelled_yesterday for night in nights)
    when = f"on {day_and_month(question.as_of - DAY)}" if question.is_past else "yesterday"
    words = f"{count_text(cancelled)} rooms cancelled {when}"
    return [Reason(float(cancelled), signed_text(-cancelled), "cancelled", "behind", words)]


def _on_the_books(night: NotableNight) -> str:
    of_rooms = "" if night.rooms is None else f" of {count_text(night.rooms)}"
    return f"{count_text(night.on_the_books)}{of_rooms} on the books"


def span_words(first: date, last: date) -> str:
    """Such as `Sun 13 to Wed 16 Dec`, `Sun 29 Nov to Wed 2 Dec`, or `Sun 13 Dec` alone."""
    if first == last:
        return short_night(first)
    is_one_month = (first.year, first.month) == (last.year, last.month)
    return f"{f'{first:%a} {first.day}' if is_one_month else short_night(first)} to {short_night(last)}"


def day_and_month(day: date) -> str:
    """Such as `29 Oct`."""
    return f"{day.day} {day:%b}"


def late_feed_line(through: datetime, behind: str, now: datetime) -> Line:
    """The feed is not counted up to now, so all figures are old."""
    return Line(
        LATE_FEED,
        behind,
        "behind",
        "Bookings are behind",
        f"counted through {moment_text(through, now)} UTC only",
        "/board/system#feeds",
    )


def late_orders_line(late: int, oldest: datetime, now: datetime) -> Line:
    """Orders wait for long."""
    subject = "One order waits" if late == 1 else f"{count_text(late)} orders wait"
    reason = f"for more than 10 minutes, the oldest since {moment_text(oldest, now)} UTC"
    return Line(LATE_ORDERS, ALERT, "behind", subject, reason, "/front-desk")


def failing_jobs_line(names: Sequence[str]) -> Line:
    """The last run of jobs failed."""
    subject = "A job fails" if len(names) == 1 else f"{len(names)} jobs fail"
    return Line(FAILING_JOBS, ALERT, "behind", subject, listed(names, NAMES_LISTED), "/board/system#jobs")


def stores_down_line(stores: Sequence[str]) -> Line:
    """Stores are down now."""
    subject = "One store is down now" if len(stores) == 1 else f"{count_text(len(stores))} stores are down now"
    address = f"/board/stores/{quote(stores[0], safe='')}" if len(stores) == 1 else "/board/stores?state=down"
    return Line(STORES_DOWN, ALERT, "behind", subject, listed(stores, NAMES_LISTED), address)


def quarantine_line(count: int) -> Line:
    """Values of the feed are new in quarantine."""
    subject = (
        "One value of the feed was not counted"
        if count == 1
        else f"{count_text(count)} values of the feed were not counted"
    )
    return Line(QUARANTINE, ALERT, "behind", subject, "new in quarantine since yesterday", "/board/system#quarantine")


def low_prices_line(names: Sequence[str], address: str) -> Line:
    """Products are as cheap as they have not been in 30 days."""
    subject = (
        "One price is at its lowest in 30 days"
        if len(names) == 1
        else f"{count_text(len(names))} prices are at their lowest in 30 days"
    )
    return Line(LOW_PRICES, "↓", "", subject, listed(names, NAMES_LISTED), address)
