"""What the page of a hotel shows, from the figures of its nights, of a year's lead times and cancellations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby

from common.web.charts.marks import Chart, Words
from common.web.charts.month_bars import MonthBar, month_bars
from common.web.charts.month_line import MonthFigure, month_line
from common.web.charts.number_text import count_text, signed_text
from common.web.charts.pairs import Pair, pairs
from common.web.words import counted
from dashboard.board.inputs import HotelQuery
from dashboard.board.page_views.books import Books, Parameter
from dashboard.board.page_views.calendar import Calendar, calendar
from dashboard.board.page_views.links import PageLink
from dashboard.board.page_views.night_table import NightTable, NightTotals, night_table, night_totals, sum_last_year
from dashboard.board.page_views.words import date_text, outlook, short_night, tonight_words, was_or_were
from dashboard.bookings.models.curves import Cancellations, LeadCounts
from dashboard.bookings.models.figures import LeadTime
from dashboard.bookings.models.hotel_head import DayCounts
from dashboard.bookings.models.nights import NightFigures
from dashboard.bookings.months import last_of_months, month_after

TILES = {"tonight": 1, "next_7": 7, "next_30": 30, "next_90": 90}
"""The nights of each tile, from that of `as_of` on."""
MOVERS = 6
WATCHED_NIGHTS = 90
"""Nights ahead among which those that moved are looked for."""
MONTHS = 12
NO_EVENTS = DayCounts(0, 0)
TABLE_LENGTHS = (14, 30, 60, 90)
SHADES = {"fill": "how full", "ahead": "ahead or behind", "pickup7": "picked up in 7 days"}


@dataclass(frozen=True, slots=True)
class HotelNights:
    """The figures of the page's nights.

    ahead: twelve months from that of `as_of` on. shown: the twelve months of the calendar. last_booked: the last night
    on the books, None if there is none. changes: what the events of `as_of` and of the date before were.
    """

    ahead: Sequence[NightFigures]
    shown: Sequence[NightFigures]
    last_booked: date | None
    changes: Mapping[date, DayCounts]


@dataclass(frozen=True, slots=True)
class Tile:
    """The sums of the next nights. key: names the figures. of_rooms: their rooms in words, empty if not known."""

    key: str
    label: str
    of_rooms: str
    totals: NightTotals


@dataclass(frozen=True, slots=True)
class Mover:
    """A night whose pickup of 7 days is far from last year's.

    moved: by how much it is more or less. last_year: None if that is not known; then `moved` is the pickup.
    """

    name: str
    address: str
    moved: int
    pickup: int
    last_year: int | None
    on_the_books: str


@dataclass(frozen=True, slots=True)
class HotelPage:
    """What `hotel.html` prints. headline: empty while the past is read."""

    headline: str
    notes: tuple[str, ...]
    tiles: tuple[Tile, ...]
    changes: tuple[DayCounts, DayCounts]
    movers: tuple[Mover, ...]
    table: NightTable
    lengths: tuple[PageLink, ...]
    calendar: Calendar
    shades: tuple[PageLink, ...]
    periods: tuple[PageLink, ...]
    pace: Chart
    months: tuple[PageLink, ...]
    by_lead: Chart
    lead_time: str
    by_month: Chart


def hotel_page(
    books: Books, query: HotelQuery, nights: HotelNights, cancellations: Cancellations, lead_time: LeadTime
) -> HotelPage:
    """The page of a hotel."""
    books = replace(books, is_on_hotel_page=True)
    ahead = [night for night in nights.ahead if night.night >= books.as_of]
    months = _months(nights.ahead)
    pace = _pace(books, months)
    tiles = tuple(_tile(books, key, ahead[:count]) for key, count in TILES.items())
    movers = _movers(books, ahead[:WATCHED_NIGHTS])
    return HotelPage(
        headline="" if books.reading.is_reading_the_past else _headline(books, tiles, movers),
        notes=_notes(books, ahead, nights.last_booked),
        tiles=tiles,
        changes=(
            nights.changes.get(books.as_of, NO_EVENTS),
            nights.changes.get(books.as_of - timedelta(days=1), NO_EVENTS),
        ),
        movers=movers,
        table=night_table(books, ahead[: query.nights], f"Next {query.nights} nights"),
        lengths=tuple(
            PageLink(str(length), f"{length} nights", _address(books, query, nights=length), length == query.nights)
            for length in TABLE_LENGTHS
        ),
        calendar=calendar(books, nights.shown, query.show),
        shades=tuple(
            PageLink(text, text, _address(books, query, show=show), show == query.show) for show, text in SHADES.items()
        ),
        periods=_periods(books, query, nights.shown[0].night),
        pace=month_bars(
            pace,
            Words("Pace by month", _pace_finding(pace), "Month", ("on the books", "STLY", "last year, slept", "±")),
        ),
        months=tuple(PageLink(f"{month:%b}", f"{month:%B %Y}", books.month_page(month)) for month in months),
        by_lead=_by_lead(cancellations),
        lead_time=_lead_time_words(lead_time),
        by_month=_by_month(cancellations),
    )


def months_from(first: date, count: int = MONTHS) -> tuple[date, date]:
    """The first and the last night of some months from that of `first` on."""
    return first.replace(day=1), last_of_months(first, count)


def page_parameters(query: HotelQuery) -> dict[str, Parameter]:
    """The parameters of the page beside those of its books, without those that are as by default."""
    return {
        "show": None if query.show == "fill" else query.show,
        "nights": None if query.nights == TABLE_LENGTHS[0] else query.nights,
        "from": f"{query.from_:%Y-%m}" if query.from_ else None,
    }


def _address(books: Books, query: HotelQuery, **changes: Parameter) -> str:
    defaults: Mapping[str, Parameter] = {"show": "fill", "nights": TABLE_LENGTHS[0]}
    kept = {name: None if value == defaults.get(name) else value for name, value in changes.items()}
    return books.hotel_page(**(page_parameters(query) | kept))


def _notes(books: Books, ahead: Sequence[NightFigures], last_booked: date | None) -> tuple[str, ...]:
    notes = []
    if last_booked is None:
        notes.append("No night is on the books.")
    elif last_booked < ahead[-1].night:
        notes.append(f"No night is on the books after {date_text(last_booked)}.")
    if not books.has_last_year and not books.reading.is_reading_the_past:
        first = max(books.hotel.first_event_date, books.hotel.first_night)
        begins = "The feed begins" if first == books.hotel.first_event_date else "The nights in the feed begin"
        notes.append(f"{begins} on {date_text(first)}, so nothing can be compared with last year yet.")
    if books.hotel.rooms is None:
        notes.append("The number of rooms is unknown, so no percentages are shown.")
    return tuple(notes)


def _headline(books: Books, tiles: Sequence[Tile], movers: Sequence[Mover]) -> str:
    """How tonight and the next 30 nights stand, and the night that moved most."""
    tonight, next_30 = (each.totals for each in tiles if each.key in {"tonight", "next_30"})
    is_past = not books.is_today
    words = [
        tonight_words(tonight.on_the_books, books.hotel.rooms, books.as_of, is_past=is_past),
        outlook(next_30.on_the_books, next_30.difference, is_past=is_past),
    ]
    if not movers:
        return f"{'; '.join(words)}."
    most = movers[0]
    moved = f"picked up {signed_text(most.pickup)} in 7 days"
    if most.last_year is None:
        return f"{'; '.join(words)}. {most.name} moved most: {moved}."
    return (
        f"{'; '.join(words)}. Furthest from last year is {most.name}: {moved}, last year {signed_text(most.last_year)}."
    )


def _tile(books: Books, key: str, nights: Sequence[NightFigures]) -> Tile:
    rooms = books.hotel.rooms
    if key == "tonight":
        label = "Tonight" if books.is_today else f"Night of {short_night(books.as_of)}"
        of_rooms = f"of {counted(rooms, 'room')}" if rooms else "rooms"
    else:
        label = f"Next {len(nights)} nights"
        of_rooms = f"of {count_text(rooms * len(nights))} room nights" if rooms else "room nights"
    return Tile(key, label, of_rooms, night_totals(books, nights))


def _movers(books: Books, nights: Sequence[NightFigures]) -> tuple[Mover, ...]:
    def moved(night: NightFigures) -> int:
        return night.pickup_7 - (night.usual_7 or 0)

    movers = sorted((night for night in nights if moved(night)), key=lambda night: (-abs(moved(night)), night.night))
    of_rooms = f" of {count_text(books.hotel.rooms)}" if books.hotel.rooms else " on the books"
    return tuple(
        Mover(
            short_night(night.night),
            books.night_page(night.night),
            moved(night),
            night.pickup_7,
            night.usual_7,
            f"{count_text(night.on_the_books)}{of_rooms}",
        )
        for night in movers[:MOVERS]
    )


def _periods(books: Books, query: HotelQuery, first: date) -> tuple[PageLink, ...]:
    """Links to the months before and after those of the calendar, where there are nights with events."""
    links: list[tuple[str, date | None]] = []
    if books.hotel.first_night < first:
        links.append(("Earlier months", max(month_after(first, -MONTHS), books.hotel.first_night)))
    if query.from_ is not None:
        links.append(("From this month on", None))
    if books.hotel.last_night >= month_after(first, MONTHS):
        links.append(("Later months", month_after(first, MONTHS)))
    return tuple(
        PageLink(text, text, _address(books, query, **{"from": f"{month:%Y-%m}" if month else None}))
        for text, month in links
    )


def _months(nights: Sequence[NightFigures]) -> dict[date, list[NightFigures]]:
    """The nights by the first day of their month."""
    return {month: list(group) for month, group in groupby(nights, lambda night: night.night.replace(day=1))}


def _pace(books: Books, months: Mapping[date, Sequence[NightFigures]]) -> list[MonthBar]:
    return [
        MonthBar(
            f"{month:%b}",
            sum(night.on_the_books for night in of_month),
            sum_last_year(books, of_month, lambda night: night.same_time_last_year),
            sum_last_year(books, of_month, lambda night: night.last_year),
            address=books.month_page(month),
        )
        for month, of_month in months.items()
    ]


def _pace_finding(months: Sequence[MonthBar]) -> str:
    known = [(month.difference, month.name) for month in months if month.difference is not None]
    if not known:
        now = sum(month.now for month in months)
        verb = "is" if now == 1 else "are"
        return f"{counted(now, 'room night')} {verb} on the books in {len(months)} months."
    least, most = min(known), max(known)
    return (
        f"Beside the same time last year {least[1]} has the lowest difference, {signed_text(least[0])} room nights, "
        f"and {most[1]} the highest, {signed_text(most[0])}."
    )


def _by_lead(found: Cancellations) -> Chart:
    data = [Pair(_bucket_name(bucket), bucket.bookings, bucket.cancellations) for bucket in found.by_lead]
    most = max(data, key=lambda pair: pair.gained)
    booked, cancelled = sum(pair.gained for pair in data), sum(pair.lost for pair in data)
    nights = f"{counted(booked, 'room night')} of {found.year} {was_or_were(booked)}"
    finding = f"{nights} booked and {count_text(cancelled)} cancelled."
    if booked:
        finding += f" Most were booked {most.name} days ahead: {count_text(most.gained)}."
    return pairs(
        data, Words("Booked and cancelled by days before arrival", finding, "Days before", ("booked", "cancelled"))
    )


def _bucket_name(bucket: LeadCounts) -> str:
    if bucket.to is None:
        return f"{bucket.from_}+"
    return str(bucket.from_) if bucket.from_ == bucket.to else f"{bucket.from_}–{bucket.to}"


def _lead_time_words(found: LeadTime) -> str:
    if found.mean is None or found.median is None:
        return f"No night of {found.year} is booked."
    return (
        f"The nights of {found.year} were booked {counted(found.mean, 'day')} ahead on average, "
        f"half of them {counted(found.median, 'day')} ahead or less."
    )


def _by_month(found: Cancellations) -> Chart:
    rates = [None if month.cancellation_rate is None else 100 * month.cancellation_rate for month in found.by_month]
    names = [f"{date.fromisoformat(f'{month.period}-01'):%b}" for month in found.by_month]
    known = [(rate, name) for rate, name in zip(rates, names, strict=True) if rate is not None]
    finding = f"No night of {found.year} is booked."
    if known:
        finding = f"The cancellation rate is highest for nights in {max(known)[1]}: {max(known)[0]:.1f}%."
    months = [MonthFigure(name, rate) for name, rate in zip(names, rates, strict=True)]
    return month_line(
        months, "%", Words("Cancellation rate by month of stay", finding, "Month of stay", ("cancelled of booked",))
    )
