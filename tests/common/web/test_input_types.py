"""The types of input: which values they accept, and that they refuse all others."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from common.web.input_types import (
    MAX_ID,
    Id,
    Input,
    Instant,
    Night,
    PageInput,
    QueryId,
    QueryInteger,
    QueryNight,
    parse_instant,
    parse_night,
    parse_query_integer,
)


class Everything(Input):
    """One of each, as in a body."""

    id: Id = 1
    at: Instant = datetime(2020, 1, 1, tzinfo=UTC)
    night: Night = date(2020, 1, 1)


class Query(Input):
    """One of each, as in a query string."""

    id: QueryId | None = None
    number: Annotated[QueryInteger | None, Field(ge=1, le=10)] = None
    night: QueryNight | None = None


offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 - the strategy gives them a zone
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001 - the same
    timezones=offsets,
)


@given(instants)
def test_an_instant_with_any_offset_is_converted_to_utc(instant: datetime) -> None:
    parsed = parse_instant(instant.isoformat())
    assert parsed == instant
    assert parsed.tzinfo is UTC


@given(instants)
def test_z_and_lower_case_letters_are_accepted(instant: datetime) -> None:
    written = instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
    assert parse_instant(written) == parse_instant(written.lower()) == instant


@given(st.text(max_size=40) | st.integers() | st.floats() | st.none() | st.booleans() | st.dates())
def test_any_other_value_than_an_instant_raises_value_error(value: Any) -> None:
    try:
        assert parse_instant(value).tzinfo is UTC
    except ValueError:
        return
    assert isinstance(value, str)


@pytest.mark.parametrize(
    "value",
    [
        "2020-01-01",
        "2020-01-01T00:00:00",
        "2020-02-30T00:00:00Z",
        "2020-13-01T00:00:00Z",
        "2020-01-01T24:00:01Z",
        "2020-01-01T00:00:60Z",
        "2020-01-01T00:00:00+24:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2020-01-01T00:00:00.Z",
        "２０２０-01-01T00:00:00Z",
        "15778368",
        " 2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00Z\n",
        1577836800,
        True,
        None,
    ],
)
def test_a_text_similar_to_an_instant_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"must be an instant with an offset from UTC|not a valid instant"):
        parse_instant(value)


def test_an_instant_is_cut_to_microseconds() -> None:
    assert parse_instant("2020-01-01T00:00:00.123456789Z").microsecond == 123456


@given(st.dates())
def test_a_night_is_an_iso_date(night: date) -> None:
    assert parse_night(night.isoformat()) == night


@pytest.mark.parametrize(
    "value",
    [
        "2020-1-1",
        "20200101",
        "2020-W01-1",
        "2019-02-29",
        "2020-01-01T00:00:00Z",
        "2020-01-01 ",
        "０２０-01-01",
        "",
        1,
        None,
    ],
)
def test_a_text_similar_to_a_night_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="date"):
        parse_night(value)


def test_an_instant_is_not_a_night() -> None:
    with pytest.raises(ValueError, match="must be a date"):
        parse_night(datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("night", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_valid_bounds_but_not_valid_values(night: str) -> None:
    """asyncpg sends them as the infinities, which is right for a bound and wrong for a stored value."""
    assert Query.model_validate({"night": night}).night == date.fromisoformat(night)
    with pytest.raises(ValidationError, match="end of the calendar"):
        Everything.model_validate_json(f'{{"night": "{night}"}}')


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_the_first_and_the_last_instant_are_refused(instant: str) -> None:
    with pytest.raises(ValidationError, match="end of the calendar"):
        Everything.model_validate_json(f'{{"at": "{instant}"}}')


@given(st.integers())
def test_an_id_is_positive_and_has_at_most_63_bits(number: int) -> None:
    for adapter, value in ((TypeAdapter(Id), str(number)), (TypeAdapter(QueryId), f'"{number}"')):
        if 1 <= number <= MAX_ID:
            assert adapter.validate_json(value) == number
        else:
            with pytest.raises(ValidationError):
                adapter.validate_json(value)


@pytest.mark.parametrize("number", [0, -1, MAX_ID + 1, 2**64])
def test_an_id_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Id).validate_python(number)
    with pytest.raises(ValidationError):
        TypeAdapter(QueryId).validate_python(str(number))


@given(st.integers(-(10**29), 10**29))
def test_an_integer_of_a_query_is_parsed_from_its_digits(number: int) -> None:
    assert parse_query_integer(str(number)) == number


@pytest.mark.parametrize(
    "value", ["1.0", "1e3", "1_0", " 1", "+1", "0x1", "", "٣", "1" * 31, "true", ["1"], 1.0, True, None]
)
def test_a_text_similar_to_an_integer_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="must be a whole number"):
        parse_query_integer(value)


@pytest.mark.parametrize("value", ['"1"', "1.0", "true", "1e0", "null", "[1]"])
def test_other_json_values_are_not_converted_to_numbers(value: str) -> None:
    with pytest.raises(ValidationError):
        Everything.model_validate_json(f'{{"id": {value}}}')


def test_every_invalid_and_every_unknown_field_is_reported_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        Everything.model_validate_json('{"id": 0, "at": "x", "night": "y", "nigth": "2020-01-01"}')
    assert {each["loc"][0] for each in caught.value.errors()} == {"id", "at", "night", "nigth"}


@pytest.mark.parametrize("value", ["0", "11", "a"])
def test_the_bounds_of_an_optional_number_of_a_query_hold(value: str) -> None:
    with pytest.raises(ValidationError):
        Query.model_validate({"number": value})
    assert Query.model_validate({"number": "10"}).number == 10


class Page(PageInput):
    """A parameter that may be absent, and one that may not."""

    number: Annotated[QueryInteger, Field(alias="no")] = 7
    token: str


def test_a_page_takes_an_empty_parameter_as_absent_if_it_may_be() -> None:
    assert Page.model_validate({"no": "", "token": "", "utm_source": ""}) == Page(token="")
    assert Page.model_validate({"no": "3", "token": "x"}).number == 3
    with pytest.raises(ValidationError, match="token"):
        Page.model_validate({"no": "3"})
