"""The words of the morning page, and its table."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from common.jobs.lease import JobState
from dashboard.board.page_views.hotels_table import (
    Heads,
    hotels_headline,
    hotels_table,
    months_chart,
    sort_links,
    without_last_year,
)
from dashboard.board.page_views.morning import (
    checked_words,
    headline,
    jobs_shown,
    largest_moves,
    last_event_words,
)
from dashboard.board.page_views.question import Question
from dashboard.bookings.models.months_ahead import MonthAhead
from dashboard.bookings.models.morning import LastEvent
from dashboard.bookings.models.summary import FoundSummary, HotelFigures, day_change, nights_ahead
from dashboard.bookings.summary import total_of
from dashboard.catalog.models import PriceMove

TODAY = date(2026, 11, 29)
FIRST = date(2023, 11, 29)
NOW = datetime(2026, 11, 29, 7, 2, tzinfo=UTC)
QUESTION = Question(TODAY, TODAY, "weekday")


def hotel(hotel_id: int, *, rooms: int | None = 40, before: int | None = 300) -> HotelFigures:
    return HotelFigures(
        hotel_id,
        f"House {hotel_id}",
        rooms,
        TODAY,
        30,
        nights_ahead(20, before),
        nights_ahead(150, before),
        nights_ahead(290, before),
        nights_ahead(900, before),
        day_change(61, 19),
        day_change(3, 0),
        [10] * 30,
        [11 if before is not None else None] * 30,
    )


def found(*hotels: HotelFigures) -> FoundSummary:
    return FoundSummary(hotels, None, total_of(hotels))


def test_the_page_begins_with_last_night_yesterday_and_the_next_30_nights() -> None:
    assert headline(found(hotel(1), hotel(2)).total, QUESTION, FIRST) == (
        "Last night 60 of 80 rooms were slept. Yesterday 122 room nights were booked and 38 cancelled; "
        "the next 30 nights stand 20 under the same time last year."
    )


def test_the_words_of_past_books_name_the_date() -> None:
    past = Question(date(2026, 10, 12), TODAY, "weekday")

    assert headline(found(hotel(1, before=280)).total, past, FIRST) == (
        "On 11 October 30 of 40 rooms were slept, 61 room nights booked and 19 cancelled; "
        "the next 30 nights stood 10 over the same time last year."
    )


def test_one_room_and_one_night_are_said_in_the_singular() -> None:
    quiet = replace(hotel(1), last_night=1, yesterday=day_change(1, 0))

    assert headline(found(quiet).total, QUESTION, FIRST).startswith(
        "Last night 1 of 40 rooms was slept. Yesterday 1 room night was booked and 0 cancelled; "
    )
    alone = headline(found(replace(quiet, rooms=None)).total, QUESTION, FIRST)
    assert alone.startswith("Last night 1 room was slept.")


def test_a_feed_that_has_just_begun_says_nothing_of_the_night_before() -> None:
    new = found(replace(hotel(1, before=None), last_night=0, yesterday=day_change(0, 0))).total
    yesterday = Question(TODAY - timedelta(days=1), TODAY, "weekday")

    assert headline(new, QUESTION, TODAY) == (
        "The feed begins on 29 November 2026: nothing is known of the night before; "
        "the next 30 nights have 290, and the same time last year is not known."
    )
    assert headline(new, yesterday, TODAY) == (
        "The feed begins on 29 November 2026: nothing is known of the books of 28 November 2026."
    )
    assert headline(new, QUESTION, yesterday.as_of).startswith("Last night 0 of 40 rooms were slept.")


def test_the_page_of_hotels_begins_with_tonight_and_the_next_30_nights() -> None:
    past = Question(date(2026, 10, 12), TODAY, "weekday")

    assert hotels_headline(found(hotel(1), hotel(2)).total, QUESTION) == (
        "In 2 hotels, 40 of 80 rooms are taken tonight; the next 30 nights stand 20 under the same time last year."
    )
    assert hotels_headline(found(hotel(1, rooms=None, before=None)).total, past) == (
        "In 1 hotel, 20 rooms were taken on 12 October; "
        "the next 30 nights had 290, and the same time last year is not known."
    )


def test_what_is_not_known_is_not_said() -> None:
    words = headline(found(hotel(1), hotel(2, rooms=None, before=None)).total, QUESTION, FIRST)

    assert "Last night 60 rooms were slept." in words
    assert "the same time last year is not known" in words


def test_where_nothing_is_unusual_the_page_says_what_was_checked() -> None:
    assert checked_words(8, 200, 1) == "Nothing unusual. Checked 8 hotels, 200 stores, 1 product."
    assert checked_words(1, None, None) == "Nothing unusual. Checked 1 hotel."


def move(price: int, before: int | None) -> PriceMove:
    return PriceMove(UUID(int=price), f"Item {price}", price, before, is_lowest=False)


def test_prices_are_ranked_by_how_much_they_moved_and_unknown_ones_left_out() -> None:
    shown = largest_moves([move(110, 100), move(50, 100), move(100, 100), move(7, None), move(101, 100), move(99, 100)])

    assert [(each.change, each.price, each.is_cheaper) for each in shown] == [
        ("−50%", "0.50", True),
        ("+10%", "1.10", False),
        ("+1%", "1.01", False),
    ]


def job(name: str, outcome: Any, finished: datetime | None = NOW, **did: int | float) -> JobState:
    return JobState(name, 5.0, NOW, finished, outcome, None, NOW, dict(did), 0, None, None)


def test_failing_jobs_are_named_and_differences_of_all_audits_added() -> None:
    states = [
        job("send_decisions", "failed"),
        job("night_audit", "ok", changed_upstream=1, missing_upstream=2),
        job("night_audit:annex", "ok", NOW - timedelta(days=1), missing_upstream=4),
    ]
    shown = jobs_shown(states)

    assert (shown.failing, shown.audited_at, shown.differences) == (["send_decisions"], NOW - timedelta(days=1), 7)
    assert jobs_shown([*states, job("night_audit:new", None, None)]).audited_at is None


def test_an_audit_that_failed_has_found_nothing_at_no_time() -> None:
    shown = jobs_shown([job("night_audit", "failed"), job("night_audit:annex", "ok", missing_upstream=4)])

    assert shown.has_failed_audit
    assert shown.audited_at is None
    assert not jobs_shown([job("night_audit", "ok")]).has_failed_audit


def test_the_last_event_is_told_in_words() -> None:
    event = LastEvent(7, None, NOW, date(2026, 12, 12), 1, 0)

    assert last_event_words(event) == "Hotel 7, Sat 12 Dec, +1"
    assert last_event_words(event._replace(bookings=0, cancellations=3)) == "Hotel 7, 3 nights from Sat 12 Dec, −3"


def test_the_table_has_no_percent_without_rooms() -> None:
    table = hotels_table(found(hotel(1), hotel(2, rooms=None)), QUESTION, [])

    assert [row.percent for row in (*table.rows, table.total)] == ["50%", "", ""]
    assert [row.address for row in table.rows] == ["/board/hotels/1", "/board/hotels/2"]
    assert table.total.name == "2 hotels"


def test_the_heads_of_past_books_are_dates() -> None:
    past = Question(date(2026, 11, 1), TODAY, "weekday")

    assert hotels_table(found(hotel(1)), past, []).heads == Heads("Night of 1 Nov", "31 Oct", "1 Nov")
    assert hotels_table(found(hotel(1)), QUESTION, []).heads == Heads("Tonight", "Yesterday", "Today so far")


def test_the_total_has_a_picture_of_months_if_all_hotels_are_on_the_page() -> None:
    months = [MonthAhead(each, date(2026, 12, 1), 300, before) for each, before in ((1, 380), (2, 310))]
    table = hotels_table(found(hotel(1), hotel(2)), QUESTION, [], months)
    assert table.total.months is not None
    assert "December 2026, 90 behind it" in table.total.months.finding

    part = FoundSummary([hotel(1)], None, total_of([hotel(1), hotel(2)]))
    assert hotels_table(part, QUESTION, [], months[:1]).total.months is None
    unknown = hotels_table(
        found(hotel(1), hotel(2)), QUESTION, [], [months[0], MonthAhead(2, months[0].month, 1, None)]
    )
    assert unknown.total.months is not None
    assert unknown.total.months.finding == "The same time last year is not known."


def test_nothing_is_compared_while_the_past_is_read() -> None:
    cleared = without_last_year(found(hotel(1)))

    assert cleared.items[0].next_30.on_the_books == 290
    assert cleared.items[0].next_30.difference is None
    assert cleared.total.next_90.same_time_last_year is None
    assert "not known" in hotels_table(cleared, QUESTION, []).rows[0].nights.finding


def test_the_picture_of_months_says_what_it_shows() -> None:
    months = [MonthAhead(1, date(2026, 12, 1), 300, 380), MonthAhead(1, date(2027, 1, 1), 310, 300)]

    assert months_chart("House 1", months).finding == (
        "Ahead of the same time last year: 1 of 2 months; behind: 1. The largest difference is December 2026, "
        "80 behind it."
    )
    assert months_chart("House 1", [MonthAhead(1, TODAY, 1, None)]).finding == "The same time last year is not known."


def test_links_of_orders_keep_the_other_parameters() -> None:
    past = Question(date(2026, 10, 12), TODAY, "date")
    name, _, behind = sort_links("/board/hotels", past, "behind", search="a b")

    assert behind.is_current
    assert name.address == "/board/hotels?as_of=2026-10-12&match=date&search=a+b"
