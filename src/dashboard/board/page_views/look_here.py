"""The lines of "Look here first": what is unusual, the most of it first.

The score of a line about a night is the rooms at stake: by how many the pickup differs from the usual one, how many
were cancelled, and by how many a full night is ahead of the same time last year, in sum. That of a run of nights is
the rooms that all of them are behind, divided by the days of a week, so that a fortnight counts twice. The other lines
have the fixed scores below: what makes all figures old, or lets a guest wait, stands above every night.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from common.web.charts.number_text import count_text, signed_text
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
MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Line:
    """A line: a figure, what it is about, and why it is unusual; a link to where more is said.

    style: `ahead`, `behind` or nothing. hotel_id, nights: of a line about nights.
    """

    score: float
    figure: str
    style: str
    subject: str
    reason: str
    address: str
    hotel_id: int | None = None
    nights: frozenset[date] = frozenset()


def ranked(lines: Iterable[Line]) -> list[Line]:
    """The lines to show, highest score first: no two about one night, and few of one hotel if there are others."""
    kept: list[Line] = []
    spare: list[Line] = []
    seen: set[tuple[int | None, date]] = set()
    of_hotel: Counter[int] = Counter()
    for line in sorted(lines, key=lambda line: -line.score):
        keys = {(line.hotel_id, night) for night in line.nights}
        if len(line.nights) == 1 and keys & seen:
            continue
        seen |= keys
        if line.hotel_id is not None:
            of_hotel[line.hotel_id] += 1
            if of_hotel[line.hotel_id] > LINES_OF_HOTEL:
                spare.append(line)
                continue
        kept.append(line)
    return sorted((kept + spare)[:LINES], key=lambda line: -line.score)


def lines_of_night(night: NotableNight, question: Question) -> list[Line]:
    """The lines of a notable night: one with all its reasons, the strongest first, and the run that begins with it."""
    reasons = sorted([*_pickup(night), *_full(night), *_cancellations(night, question)], reverse=True)
    name = hotel_name(night.hotel_id, night.name)
    lines = []
    if reasons:
        _, figure, style, _ = reasons[0]
        score = sum(reason[0] for reason in reasons)
        words = [reason[3] for reason in reasons]
        if not night.is_full:
            words.append(_on_the_books(night))
        subject = f"{name}, {short_night(night.night)}"
        address = question.night_page(night.hotel_id, night.night)
        nights = frozenset([night.night])
        lines.append(Line(score, figure, style, subject, "; ".join(words), address, night.hotel_id, nights))
    if night.run_nights is not None and night.run_difference is not None:
        nights = frozenset(night.night + timedelta(days=ahead) for ahead in range(night.run_nights))
        lines.append(
            Line(
                -night.run_difference / DAYS_IN_WEEK,
                signed_text(night.run_difference),
                "behind",
                f"{name}, {short_night(min(nights))} to {short_night(max(nights))}",
                f"under the same time last year: {night.run_nights} nights, each by a fifth or more",
                question.month_page(night.hotel_id, night.night),
                night.hotel_id,
                nights,
            )
        )
    return lines


Reason = tuple[float, str, str, str]
"""The score, the figure, its style, and the words."""


def _pickup(night: NotableNight) -> list[Reason]:
    if not night.has_unusual_pickup or night.usual_7 is None:
        return []
    more = night.pickup_7 - night.usual_7
    words = f"picked up {signed_text(night.pickup_7)} in 7 days, usual {signed_text(night.usual_7)}"
    return [(float(abs(more)), signed_text(more), "ahead" if more > 0 else "behind", words)]


def _full(night: NotableNight) -> list[Reason]:
    if not night.is_full or night.rooms is None:
        return []
    words = f"{count_text(night.on_the_books)} of {count_text(night.rooms)} rooms are on the books"
    before = night.same_time_last_year
    if before is not None:
        words += f", {count_text(before)} at the same time last year"
    ahead = night.pickup_7 if before is None else night.on_the_books - before
    return [(float(max(ahead, 1)), percent_text(night.on_the_books, night.rooms), "ahead", words)]


def _cancellations(night: NotableNight, question: Question) -> list[Reason]:
    if not night.has_cancellations:
        return []
    cancelled = night.cancelled_yesterday
    when = "the day before" if question.is_past else "yesterday"
    return [(float(cancelled), signed_text(-cancelled), "behind", f"{count_text(cancelled)} rooms cancelled {when}")]


def _on_the_books(night: NotableNight) -> str:
    of_rooms = "" if night.rooms is None else f" of {count_text(night.rooms)}"
    return f"{count_text(night.on_the_books)}{of_rooms} on the books"


def late_feed_line(through: datetime, behind: str) -> Line:
    """The feed is not counted up to now, so all figures are old."""
    return Line(LATE_FEED, behind, "behind", "Bookings are behind", f"counted through {clock(through)} only", "/hotels")


def late_orders_line(late: int, oldest: datetime) -> Line:
    """Orders wait for long."""
    subject = "One order waits" if late == 1 else f"{count_text(late)} orders wait"
    reason = f"for more than 10 minutes, the oldest since {clock(oldest)}"
    return Line(LATE_ORDERS, count_text(late), "behind", subject, reason, "/front-desk")


def failing_jobs_line(names: Sequence[str]) -> Line:
    """The last run of jobs failed."""
    subject = "A job fails" if len(names) == 1 else f"{len(names)} jobs fail"
    return Line(FAILING_JOBS, count_text(len(names)), "behind", subject, listed(names), "/jobs")


def stores_down_line(stores: Sequence[str]) -> Line:
    """Stores are down at the newest poll."""
    subject = "One store is down now" if len(stores) == 1 else f"{count_text(len(stores))} stores are down now"
    return Line(
        STORES_DOWN, count_text(len(stores)), "behind", subject, listed(stores), "/stores/uptime?order=downtime"
    )


def quarantine_line(count: int) -> Line:
    """Values of the feed are new in quarantine."""
    subject = (
        "One value of the feed was not counted"
        if count == 1
        else f"{count_text(count)} values of the feed were not counted"
    )
    return Line(QUARANTINE, count_text(count), "behind", subject, "new in quarantine since yesterday", "/quarantine")


def low_prices_line(names: Sequence[str], address: str) -> Line:
    """Products are as cheap as they have not been in 30 days."""
    subject = (
        "One price is at its lowest in 30 days"
        if len(names) == 1
        else f"{count_text(len(names))} prices are at their lowest in 30 days"
    )
    return Line(LOW_PRICES, count_text(len(names)), "", subject, listed(names), address)


def listed(names: Sequence[str]) -> str:
    """Up to three names, and how many there are besides."""
    more = len(names) - NAMES_LISTED
    return ", ".join(names[:NAMES_LISTED]) + (f" and {count_text(more)} more" if more > 0 else "")


def clock(at: datetime) -> str:
    """Such as `12:04 UTC`."""
    return f"{at:%H:%M} UTC"
