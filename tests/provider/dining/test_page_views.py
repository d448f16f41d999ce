"""What a guest types, as the input of the API, and what a guest reads."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from common.web.errors import FieldError, Invalid
from provider.dining.models import BookableTable, OpeningHours
from provider.dining.page_views import forms, times, words
from provider.dining.page_views.forms import Contact, Wish
from provider.dining.settings import DiningSettings
from tests.support.restaurant import Restaurant

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONTEXT: dict[str, Any] = {"now": NOW, "zone": BERLIN, "region": "DE"}
EVENING = Wish("2", "2026-03-06", "19:00")
ANN = Contact("Ann", "ann@example.com")


@pytest.fixture
def settings(restaurant: Restaurant) -> DiningSettings:
    return restaurant.settings


def faults_of(wish: Wish) -> dict[str, list[str]]:
    with pytest.raises(Invalid) as caught:
        forms.parse_criteria(wish, CONTEXT)
    return forms.sentences_of(caught.value.errors)


def test_a_wish_becomes_the_criteria_of_the_search() -> None:
    criteria = forms.parse_criteria(Wish("4", "2026-03-06", "19:00", "", "cabin", "40.5"), CONTEXT)

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
            "The time does not exist on that day: the clocks skip it. Choose another one.",
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
    first, second = forms.repeated_times(wish, BERLIN)

    assert (first.title, second.title) == ("The first 02:30 (CEST)", "The second 02:30, an hour later (CET)")
    starts = [
        forms.parse_criteria(Wish("2", "2026-10-25", "02:30", each.offset), CONTEXT).starts_at
        for each in (first, second)
    ]
    assert starts == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)]


def test_the_second_of_two_such_times_is_as_much_later_as_the_clocks_go_back() -> None:
    _, second = forms.repeated_times(Wish("2", "2026-04-05", "01:45"), ZoneInfo("Australia/Lord_Howe"))

    assert second.title == "The second 01:45, 30 min later (UTC+10:30)"


@pytest.mark.parametrize("typed", ["40.5", "40,5", "40,50"])
def test_a_price_may_have_a_comma(typed: str) -> None:
    criteria = forms.parse_criteria(replace(EVENING, price_max=typed), CONTEXT)

    assert criteria.price_max == Decimal("40.5")


@pytest.mark.parametrize("typed", ["2", "02"])
def test_a_search_and_an_order_take_the_same_numbers_of_guests(typed: str) -> None:
    wish = replace(EVENING, guests=typed)

    assert forms.parse_criteria(wish, CONTEXT).guests == 2
    assert forms.parse_order(wish, ANN, CONTEXT).guests == 2


@pytest.mark.parametrize("typed", ["", "+2", "two", "\u0662", "0", "101", "2.0", "9" * 5000])
def test_a_search_and_an_order_refuse_the_same_numbers_of_guests(typed: str) -> None:
    wish = replace(EVENING, guests=typed)

    for parse in (lambda: forms.parse_criteria(wish, CONTEXT), lambda: forms.parse_order(wish, ANN, CONTEXT)):
        with pytest.raises(Invalid) as caught:
            parse()
        assert [fault.field for fault in caught.value.errors] == ["guests"]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_refused(day: str) -> None:
    assert list(faults_of(replace(EVENING, day=day))) == ["when"]
    assert forms.repeated_times(replace(EVENING, day=day), BERLIN) == []


def test_an_offset_that_is_left_over_changes_no_other_time() -> None:
    criteria = forms.parse_criteria(Wish("2", "2026-03-06", "19:00", "+09:00"), CONTEXT)

    assert criteria.starts_at == datetime(2026, 3, 6, 18, 0, tzinfo=UTC)


def test_an_order_has_the_rules_of_the_api() -> None:
    contact = Contact("محمد الأحمد", "", "030 123456", "By the window")
    order = forms.parse_order(EVENING, contact, CONTEXT)

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
        forms.parse_order(EVENING, contact, CONTEXT)

    [[found]] = forms.sentences_of(caught.value.errors).values()
    assert [fault.field for fault in caught.value.errors] == [field]
    assert found.startswith(sentence)
    assert found.endswith(".")


def test_a_sentence_ends_with_one_stop() -> None:
    assert forms.sentence_of(FieldError("email", "is wrong.")) == "This is wrong."


def test_a_table_has_its_kind_its_seats_and_its_price(settings: DiningSettings) -> None:
    free = words.choice_of(BookableTable(3, "cabin", 2, Decimal(0)), settings)
    dear = words.choice_of(BookableTable(2, "regular", 4, Decimal("25.5")), settings)

    assert free == (3, "Cabin for 2", "no charge")
    assert dear == (2, "Table in the hall for 4", "25.50 EUR")


@pytest.mark.parametrize(
    ("number", "guests", "expected"),
    [
        (0, 2, "No table is free for 2 guests on Friday, 6 March at 19:00."),
        (1, 1, "1 table is free for 1 guest on Friday, 6 March at 19:00."),
        (1200, 2, "1,200 tables are free for 2 guests on Friday, 6 March at 19:00."),
    ],
)
def test_the_answer_is_a_sentence(number: int, guests: int, expected: str) -> None:
    start = datetime(2026, 3, 6, 19, 0, tzinfo=BERLIN)

    assert words.found_words(number, guests, start, NOW.astimezone(BERLIN)) == expected


@pytest.mark.parametrize(
    ("wish", "largest", "expected"),
    [
        (EVENING, (None, None), "No table of this restaurant can be ordered at the moment."),
        (EVENING, (12, 12), "Try another day."),
        (replace(EVENING, table_type="room"), (12, 12), "Try another day, kind or price."),
        (
            replace(EVENING, guests="13"), (12, 12),
            "The largest table has 12 seats. For a larger party, order two tables, each on its own.",
        ),
        (replace(EVENING, price_max="5"), (12, None), "The restaurant has no table up to this price."),
        (
            replace(EVENING, table_type="room", price_max="5"), (12, None),
            "The restaurant has no table of this kind up to this price.",
        ),
        (replace(EVENING, guests="5", table_type="cabin"), (12, 4), "The largest table of this kind has 4 seats."),
    ],
)  # fmt: skip
def test_what_may_be_tried_where_nothing_is_free(
    wish: Wish, largest: tuple[int | None, int | None], expected: str
) -> None:
    assert words.advice(wish, int(wish.guests), *largest) == expected


def test_another_time_has_its_day_if_that_is_another_and_its_zone_if_it_comes_twice() -> None:
    late = datetime(2026, 3, 6, 23, 0, tzinfo=BERLIN)
    night = datetime(2026, 10, 25, 1, 0, tzinfo=BERLIN)

    assert words.other_words(late + timedelta(minutes=30), late) == "23:30"
    assert words.other_words(late + timedelta(minutes=90), late) == "00:30 on Saturday"
    assert words.other_words(night.replace(hour=2, fold=0), night) == "02:00 CEST"
    assert words.other_words(night.replace(hour=2, fold=1), night) == "02:00 CET"


def test_a_time_of_another_year_has_the_year_and_one_that_comes_twice_its_zone() -> None:
    now = NOW.astimezone(BERLIN)

    assert words.when_words(datetime(2027, 1, 2, 9, 5, tzinfo=BERLIN), now) == "Saturday, 2 January 2027 at 09:05"
    twice = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    assert words.when_words(twice, now) == "Sunday, 25 October at 02:30 CEST"
    assert words.when_words(twice.replace(fold=1), now) == "Sunday, 25 October at 02:30 CET"


def test_the_next_usual_time_is_suggested(settings: DiningSettings) -> None:
    day = datetime(2026, 3, 6, tzinfo=UTC)

    suggested = [times.suggested_start(settings, [], day.replace(hour=hour)) for hour in (9, 18, 19, 21)]

    assert suggested == [
        day.replace(hour=19),
        day.replace(hour=19),
        day.replace(hour=20),
        day.replace(day=7, hour=19),
    ]


def test_a_time_is_suggested_at_which_the_house_is_open(settings: DiningSettings) -> None:
    hours = [OpeningHours(5, "11:00", "15:00")]
    thursday = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)

    assert times.suggested_start(settings, hours, thursday) == datetime(2026, 3, 7, 12, 0, tzinfo=UTC)
    assert times.suggested_start(settings, [OpeningHours(0, "03:00", "04:00")], thursday) is None


@pytest.mark.parametrize(("opens", "closes"), [("07:30", "11:00"), ("22:00", "02:00")])
def test_a_house_that_is_not_open_at_a_usual_time_is_suggested_from_its_opening_on(
    settings: DiningSettings, opens: str, closes: str
) -> None:
    hours = [OpeningHours(5, opens, closes)]
    thursday = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)

    suggested = times.suggested_start(settings, hours, thursday)

    assert f"{suggested:%Y-%m-%d %H:%M}" == f"2026-03-07 {opens}"


def test_other_times_are_near_open_and_in_the_future(settings: DiningSettings) -> None:
    hours = [OpeningHours(4, "18:00", "22:00")]
    start = datetime(2026, 3, 6, 19, 0, tzinfo=UTC)

    found = times.other_starts(settings, hours, start, start - timedelta(minutes=40))

    assert found == [start - timedelta(minutes=30), start + timedelta(minutes=30), start + timedelta(minutes=60)]


def test_the_hours_of_each_day_are_listed() -> None:
    hours = [OpeningHours(4, "12:00", "14:00"), OpeningHours(4, "18:00", "23:30"), OpeningHours(5, "18:00", "02:00")]

    lines = words.hours_lines(hours)

    assert words.hours_lines([]) == []
    assert lines[0] == ("Monday", "closed")
    assert lines[4:6] == [("Friday", "12:00–14:00, 18:00–23:30"), ("Saturday", "18:00–02:00")]
