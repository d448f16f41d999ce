"""What a guest types, as the input of the API, and what a guest reads."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from common.web.errors import FieldError, Invalid
from provider.dining import page_views
from provider.dining.models import BookableTable, OpeningHours
from provider.dining.page_views import Contact, Wish
from provider.dining.settings import DiningSettings
from tests.support.restaurant import Restaurant

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONTEXT: dict[str, Any] = {"now": NOW, "zone": BERLIN, "region": "DE"}
EVENING = Wish("2", "2026-03-06", "19:00")


@pytest.fixture
def settings(restaurant: Restaurant) -> DiningSettings:
    return restaurant.settings


def faults_of(wish: Wish) -> dict[str, list[str]]:
    with pytest.raises(Invalid) as caught:
        page_views.parse_criteria(wish, CONTEXT)
    return page_views.sentences_of(caught.value.errors)


def test_a_wish_becomes_the_criteria_of_the_search() -> None:
    criteria = page_views.parse_criteria(Wish("4", "2026-03-06", "19:00", "", "cabin", "40.5"), CONTEXT)

    assert criteria.starts_at == datetime(2026, 3, 6, 18, 0, tzinfo=UTC)
    assert (criteria.guests, criteria.table_type, criteria.price_max) == (4, "cabin", Decimal("40.5"))


@pytest.mark.parametrize(
    ("wish", "field", "sentence"),
    [
        (Wish("", "2026-03-06", "19:00"), "guests", "The number of guests is missing."),
        (Wish("0", "2026-03-06", "19:00"), "guests", "The number of guests must be at least 1."),
        (Wish("two", "2026-03-06", "19:00"), "guests", "The number of guests must be a whole number."),
        (Wish("2", "", "19:00"), "when", "The day is missing."),
        (Wish("2", "2026-03-06", ""), "when", "The time is missing."),
        (Wish("2", "2026-02-30", "19:00"), "when", "The day is not a valid date."),
        (Wish("2", "2026-03-06", "25:00"), "when", "The time must be a time such as 18:00; midnight is 00:00."),
        (Wish("2", "2026-02-28", "19:00"), "when", "The time must be in the future."),
        (
            Wish("2", "2026-03-29", "02:30"),
            "when",
            "The time 2026-03-29T02:30 does not exist by the clocks of Europe/Berlin, which skip it; "
            "choose another time.",
        ),
        (
            Wish("2", "2026-10-25", "02:30"),
            "when",
            "02:30 comes twice that day, since the clocks go back. Choose one of the two.",
        ),
        (
            Wish("2", "2026-03-06", "19:00", "", "attic"),
            "table_type",
            "This must be 'regular', 'cabin' or 'room'.",
        ),
    ],
)
def test_each_fault_is_a_sentence_beside_its_field(wish: Wish, field: str, sentence: str) -> None:
    assert faults_of(wish) == {field: [sentence]}


def test_all_faults_are_named_together() -> None:
    assert set(faults_of(Wish("0", "", "", "", "attic", "much"))) == {"guests", "when", "table_type", "price_max"}


def test_of_a_time_that_comes_twice_the_guest_chooses_one() -> None:
    wish = Wish("2", "2026-10-25", "02:30")
    first, second = page_views.repeated_times(wish, BERLIN)

    assert (first.title, second.title) == ("The first 02:30 (CEST)", "The second 02:30, an hour later (CET)")
    starts = [
        page_views.parse_criteria(Wish("2", "2026-10-25", "02:30", each.offset), CONTEXT).starts_at
        for each in (first, second)
    ]
    assert starts == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)]


def test_an_offset_that_is_left_over_changes_no_other_time() -> None:
    criteria = page_views.parse_criteria(Wish("2", "2026-03-06", "19:00", "+09:00"), CONTEXT)

    assert criteria.starts_at == datetime(2026, 3, 6, 18, 0, tzinfo=UTC)


def test_an_order_has_the_rules_of_the_api() -> None:
    contact = Contact("محمد الأحمد", "", "030 123456", "By the window")
    order = page_views.parse_order(EVENING, contact, CONTEXT)

    assert (order.name, order.email, order.phone, order.guests) == ("محمد الأحمد", None, "+4930123456", 2)
    assert (order.notes, order.starts_at) == ("By the window", datetime(2026, 3, 6, 18, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("contact", "field", "sentence"),
    [
        (Contact("Ann"), "phone", "Enter an email address or a phone number, so that the restaurant can answer."),
        (Contact("Ann", phone="12"), "phone", "This must be a phone number, such as +49 30 123456."),
        (Contact("\u202eAnn", "ann@example.com"), "name", "This must not contain control characters, line breaks or"),
        (Contact("Ann", "ann@example.com", notes="x" * 501), "notes", "This must have at most 500 characters."),
        (Contact("Ann", "ann"), "email", "This is not a valid email address: "),
    ],
)
def test_a_fault_of_the_guests_details_is_a_sentence(contact: Contact, field: str, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        page_views.parse_order(EVENING, contact, CONTEXT)

    [[found]] = page_views.sentences_of(caught.value.errors).values()
    assert [fault.field for fault in caught.value.errors] == [field]
    assert found.startswith(sentence)
    assert found.endswith(".")


def test_a_sentence_ends_with_one_stop() -> None:
    assert page_views.sentence_of(FieldError("email", "is wrong.")) == "This is wrong."


def test_the_smallest_and_cheapest_tables_come_first(settings: DiningSettings) -> None:
    found = [
        BookableTable(1, "room", 12, Decimal(120)),
        BookableTable(2, "regular", 4, Decimal("25.5")),
        BookableTable(3, "cabin", 2, Decimal(0)),
        BookableTable(4, "regular", 4, Decimal(20)),
    ]

    choices = page_views.choices_of(found, settings)

    assert [choice.id for choice in choices] == [3, 4, 2, 1]
    assert choices[0] == (3, "Cabin for 2", "no charge")
    assert choices[2] == (2, "Table in the hall for 4", "25.50 EUR")


@pytest.mark.parametrize(
    ("number", "is_more", "words"),
    [
        (0, False, "No table is free for 2 guests on Friday, 6 March at 19:00."),
        (1, False, "1 table is free for 2 guests on Friday, 6 March at 19:00."),
        (200, True, "More than 200 tables are free for 2 guests on Friday, 6 March at 19:00."),
    ],
)
def test_the_answer_is_a_sentence(number: int, is_more: bool, words: str) -> None:
    start = datetime(2026, 3, 6, 19, 0, tzinfo=BERLIN)

    found = page_views.found_words(number, is_more=is_more, guests=2, start=start, now=NOW.astimezone(BERLIN))

    assert found == words


def test_a_time_of_another_year_has_the_year_and_one_that_comes_twice_its_zone() -> None:
    now = NOW.astimezone(BERLIN)

    assert page_views.when_words(datetime(2027, 1, 2, 9, 5, tzinfo=BERLIN), now) == "Saturday, 2 January 2027 at 09:05"
    twice = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    assert page_views.when_words(twice, now) == "Sunday, 25 October at 02:30 CEST"
    assert page_views.when_words(twice.replace(fold=1), now) == "Sunday, 25 October at 02:30 CET"


def test_the_next_usual_time_is_suggested(settings: DiningSettings) -> None:
    day = datetime(2026, 3, 6, tzinfo=UTC)

    suggested = [page_views.suggested_start(settings, [], day.replace(hour=hour)) for hour in (9, 18, 19, 21)]

    assert suggested == [
        day.replace(hour=19),
        day.replace(hour=19),
        day.replace(hour=20),
        day.replace(day=7, hour=19),
    ]


def test_a_time_is_suggested_at_which_the_house_is_open(settings: DiningSettings) -> None:
    hours = [OpeningHours(5, "11:00", "15:00")]
    thursday = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)

    assert page_views.suggested_start(settings, hours, thursday) == datetime(2026, 3, 7, 12, 0, tzinfo=UTC)
    assert page_views.suggested_start(settings, [OpeningHours(0, "03:00", "04:00")], thursday) is None


def test_other_times_are_near_open_and_in_the_future(settings: DiningSettings) -> None:
    hours = [OpeningHours(4, "18:00", "22:00")]
    start = datetime(2026, 3, 6, 19, 0, tzinfo=UTC)

    found = page_views.other_starts(settings, hours, start, start - timedelta(minutes=40))

    assert found == [start - timedelta(minutes=30), start + timedelta(minutes=30), start + timedelta(minutes=60)]


def test_the_hours_of_each_day_are_listed() -> None:
    hours = [OpeningHours(4, "12:00", "14:00"), OpeningHours(4, "18:00", "23:30"), OpeningHours(5, "18:00", "02:00")]

    lines = page_views.hours_lines(hours)

    assert page_views.hours_lines([]) == []
    assert lines[0] == ("Monday", "closed")
    assert lines[4:6] == [("Friday", "12:00 to 14:00, 18:00 to 23:30"), ("Saturday", "18:00 to 02:00")]
