"""The one reader and the one writer of instants."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.instants import (
    format_instant,
    parse_instant,
    parse_instant_with_zone,
    parse_query_text,
)

AT = datetime(2026, 10, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-01T10:00:00Z",
        "2026-10-01t10:00:00.000z",
        "2026-10-01 10:00:00+00",
        "2026-10-01 10:00:00-0000",
        "2026-10-01 10:00 UTC",
        "2026-10-01 10:00:00GMT",
        "2026-10-01 12:00:00+0200",
        "2026-10-01T12:00:00 +02:00",
        "2026-09-30T20:00:00-14:00",
        "2026-10-01 10:00:00,000000999 utc",
        "1790848800",
        "1790848800.0000009",
        "1790848800000",
    ],
)
def test_an_instant_may_be_written_as_programs_write_it(text: str) -> None:
    assert parse_instant(text) == parse_instant_with_zone(text) == AT
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-10-01 10:00:00", "2026-10-01T10:00", "2026-10-01T10:00:00.0"])
def test_an_instant_without_a_zone_is_utc_in_files_and_refused_elsewhere(text: str) -> None:
    assert parse_instant(text) == AT
    for parse in (parse_instant_with_zone, parse_query_text):
        with pytest.raises(ValueError, match="must be an instant with an offset from UTC"):
            parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-01T12:00:00 02:00",
        "2026-10-01T12:00:00.5 0200",
        "2026-10-01 12:00 02",
        "2026-10-01 12:00:00.25 +02",
        "2026-10-01 10:00:00 Z",
    ],
)
def test_a_plus_that_a_query_string_lost_is_read_as_one(text: str) -> None:
    assert parse_query_text(text).replace(microsecond=0) == AT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026",
        "20261001",
        "12345678",
        "12345678901",
        "20261001100000",
        "-1790848800",
        "1790848800000.5",
        "2026-10-01",
        "2026-02-30T10:00:00Z",
        "2026-10-01T24:00:00Z",
        "2026-10-01T10:00:60Z",
        "2026-10-01T10:00:00+24:00",
        "2026-10-01T10:00:00+00:60",
        "2026-10-01T10:00:00-0199",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-10-01T10:00:00.Z",
        "2026-10-01T10:00:00.1234567890Z",
        " 2026-10-01T10:00:00Z",
        "2026-10-01T10:00:00Z\n",
        "\u0662026-10-01T10:00:00Z",
        "x" * 1000,
    ],
)
def test_any_other_text_is_not_an_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be an instant|is not a valid instant"):
        parse_instant(text)


instants = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])).filter(
    lambda at: datetime(1, 1, 2, tzinfo=UTC) < at.replace(tzinfo=UTC) < datetime(9999, 12, 30, tzinfo=UTC)
)


@given(instants)
def test_an_instant_is_written_in_utc_with_six_decimals_and_read_again(at: datetime) -> None:
    text = format_instant(at)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    assert parse_instant(text) == at


@given(st.text(alphabet="0123456789-T:.,+ ZUTCGM", max_size=35))
def test_a_reader_ends_in_an_instant_or_a_reason(text: str) -> None:
    for parse in (parse_instant, parse_instant_with_zone, parse_query_text):
        try:
            at = parse(text)
        except ValueError:
            continue
        assert at.tzinfo is UTC
