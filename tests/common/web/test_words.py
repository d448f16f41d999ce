"""Numbers of things, lists and days in sentences."""

from datetime import UTC, date, datetime

import pytest

from common.web.words import counted, listed, long_day, moment_text, short_day


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 days"), (1, "1 day"), (2, "2 days"), (1500, "1,500 days"), (-1, "−1 days")]
)
def test_only_one_thing_is_in_the_singular(number: int, words: str) -> None:
    assert counted(number, "day") == words


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_the_last_word_of_a_list_follows_an_and(words: list[str], text: str) -> None:
    assert listed(words) == text
    assert listed(iter(words)) == text
    assert listed(words, 3) == text


def test_of_a_long_list_the_first_words_are_named_and_the_others_counted() -> None:
    assert listed("abcd", 3) == "a, b, c and 1 more"
    assert listed("abcd", 1) == "a and 3 more"
    assert listed(map(str, range(2003)), 3) == "0, 1, 2 and 2,000 more"


def test_a_day_has_its_weekday() -> None:
    assert long_day(date(2026, 8, 2)) == "Sunday 2 August 2026"
    assert short_day(datetime(2026, 8, 22, 12, tzinfo=UTC)) == "Sat 22 Aug"


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 8, 22, 0, 0, 5, tzinfo=UTC), "00:00"),
        (datetime(2026, 8, 21, 23, 59, 59, tzinfo=UTC), "Fri 21 Aug, 23:59"),
        (datetime(2025, 8, 22, 12, 30, tzinfo=UTC), "Fri 22 Aug 2025, 12:30"),
    ],
)
def test_a_moment_has_its_day_unless_it_is_of_today(at: datetime, text: str) -> None:
    assert moment_text(at, datetime(2026, 8, 22, 18, tzinfo=UTC)) == text


def test_only_a_moment_of_today_has_seconds() -> None:
    now = datetime(2026, 8, 22, 18, 0, 7, tzinfo=UTC)
    assert moment_text(now, now, seconds=True) == "18:00:07"
    assert moment_text(now.replace(day=1), now, seconds=True) == "Sat 1 Aug, 18:00"
