"""The table of hotels: what is on the books beside the same time last year, and what the last two dates changed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from msgspec.structs import replace

from common.web.charts.marks import SmallChart
from common.web.charts.number_text import count_text, range_text
from common.web.charts.small import Sparkline, month_strip, sparkline
from common.web.sort_link import SortLink
from common.web.words import counted
from dashboard.board.page_views.look_here import DAY, day_and_month
from dashboard.board.page_views.question import Question
from dashboard.board.page_views.words import hotel_name, outlook, percent_text, tonight_words
from dashboard.bookings.inputs import SummarySort
from dashboard.bookings.models.months_ahead import MonthAhead
from dashboard.bookings.models.summary import FoundSummary, HotelFigures, NightsAhead, TotalFigures, nights_ahead
from dashboard.bookings.summary import sum_known

SORTS: Mapping[SummarySort, str] = {
    "name": "name",
    "pickup": "most picked up yesterday",
    "behind": "most behind last year",
}


Figures = TypeVar("Figures", HotelFigures, TotalFigures)


@dataclass(frozen=True)
class HotelRow:
    """A hotel, or all of them: its figures as they are answered by `/summary`, the share of its rooms, and pictures."""

    name: str
    address: str | None
    figures: HotelFigures | TotalFigures
    percent: str
    nights: SmallChart
    months: SmallChart | None


@dataclass(frozen=True)
class HotelsTable:
    """The hotels of a page, the total of all of them, and the orders in which they can be shown.

    months: those of the pictures of months; None for a table without them.
    """

    rows: Sequence[HotelRow]
    total: HotelRow
    sorts: Sequence[SortLink]
    heads: "Heads"
    months: Sequence[date] | None


@dataclass(frozen=True)
class Heads:
    """What the columns of one night and of one date are called."""

    tonight: str
    day_before: str
    day: str


def heads_of(question: Question) -> Heads:
    """The heads of the columns: with the dates, if these are past."""
    if not question.is_past:
        return Heads("Tonight", "Yesterday", "Today so far")
    day_before, day = (day_and_month(each) for each in (question.as_of - DAY, question.as_of))
    return Heads(f"Night of {day}", day_before, day)


def hotels_table(
    found: FoundSummary,
    question: Question,
    sorts: Sequence[SortLink],
    months: Iterable[MonthAhead] | None = None,
) -> HotelsTable:
    """The table of a page of the summary. months: of its hotels; None for a table without them."""
    of_hotel: defaultdict[int, list[MonthAhead]] = defaultdict(list)
    of_month: defaultdict[date, list[MonthAhead]] = defaultdict(list)
    for month in months or ():
        of_hotel[month.hotel_id].append(month)
        of_month[month.month].append(month)
    rows = [
        HotelRow(
            name := hotel_name(hotel.hotel_id, hotel.name),
            question.hotel_page(hotel.hotel_id),
            hotel,
            percent_text(hotel.tonight.on_the_books, hotel.rooms),
            _nights(name, hotel),
            None if months is None else months_chart(name, of_hotel[hotel.hotel_id]),
        )
        for hotel in found.items
    ]
    total = found.total
    name = "One hotel" if total.hotels == 1 else f"{count_text(total.hotels)} hotels"
    percent = percent_text(total.tonight.on_the_books, total.rooms)
    is_complete = total.hotels == len(found.items) > 0
    sums = [total_month(of_hotels) for of_hotels in of_month.values()] if is_complete else []
    foot = HotelRow(name, None, total, percent, _nights(name, total), months_chart(name, sums) if sums else None)
    return HotelsTable(rows, foot, sorts, heads_of(question), None if months is None else list(of_month))


def without_last_year(found: FoundSummary) -> FoundSummary:
    """The same figures, of which nothing is compared: while the past is read, this year's are not complete."""

    def alone(nights: NightsAhead) -> NightsAhead:
        return nights_ahead(nights.on_the_books, None)

    def cleared(figures: Figures) -> Figures:
        return replace(
            figures,
            tonight=alone(figures.tonight),
            next_7=alone(figures.next_7),
            next_30=alone(figures.next_30),
            next_90=alone(figures.next_90),
            next_30_nights_last_year=[None] * len(figures.next_30_nights),
        )

    return FoundSummary([cleared(hotel) for hotel in found.items], found.next_after, cleared(found.total))


def sort_links(path: str, question: Question, current: SummarySort, **parameters: object) -> list[SortLink]:
    """The orders of the table, each as the address of the page in it."""
    return [
        SortLink(label, question.address(path, sort=None if sort == "name" else sort, **parameters), sort == current)
        for sort, label in SORTS.items()
    ]


def _nights(name: str, figures: HotelFigures | TotalFigures) -> SmallChart:
    values = figures.next_30_nights
    finding = f"{range_text(min(values), max(values))} rooms a night are on the books."
    data = Sparkline(values, figures.next_30_nights_last_year, highest=figures.rooms)
    return sparkline(data, f"{name}, the next 30 nights", f"{finding} {difference_words(figures.next_30)}")


def difference_words(nights: NightsAhead) -> str:
    """A sentence that compares nights with those of the same time last year."""
    if nights.difference is None:
        return "The same time last year is not known."
    if nights.difference == 0:
        return "That is as many as at the same time last year."
    more = "more" if nights.difference > 0 else "fewer"
    return f"That is {count_text(abs(nights.difference))} {more} than at the same time last year."


def total_month(of_hotels: Sequence[MonthAhead]) -> MonthAhead:
    """The month of all hotels; of last year there is no sum unless that of each is known."""
    before = sum_known(month.same_time_last_year for month in of_hotels)
    return MonthAhead(0, of_hotels[0].month, sum(month.on_the_books for month in of_hotels), before)


def months_chart(name: str, months: Sequence[MonthAhead]) -> SmallChart:
    """The months of a hotel, ahead of or behind the same time last year; the largest difference has the full height."""
    differences = [month_difference(month) for month in months]
    known = [(month.month, each) for month, each in zip(months, differences, strict=True) if each is not None]
    reach = max((abs(each) for _, each in known), default=0) or 1
    return month_strip(differences, reach, f"{name}, {len(months)} months", _months_finding(known))


def month_difference(month: MonthAhead) -> int | None:
    """The room nights that a month is ahead of the same time last year; None if that is not known."""
    return None if month.same_time_last_year is None else month.on_the_books - month.same_time_last_year


def _months_finding(known: Sequence[tuple[date, int]]) -> str:
    if not known:
        return "The same time last year is not known."
    ahead = sum(each > 0 for _, each in known)
    behind = sum(each < 0 for _, each in known)
    month, most = max(known, key=lambda each: abs(each[1]))
    side = "ahead of" if most > 0 else "behind"
    most_words = f" The largest difference is {month:%B %Y}, {count_text(abs(most))} {side} it." if most else ""
    return f"Ahead of the same time last year: {ahead} of {len(known)} months; behind: {behind}.{most_words}"


def hotels_headline(total: TotalFigures, question: Question) -> str:
    """How the hotels found stand tonight and in the next 30 nights."""
    is_past = question.is_past
    tonight = tonight_words(total.tonight.on_the_books, total.rooms, question.as_of, is_past=is_past)
    ahead = outlook(total.next_30.on_the_books, total.next_30.difference, is_past=is_past)
    return f"In {counted(total.hotels, 'hotel')}, {tonight}; {ahead}."
