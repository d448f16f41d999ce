"""What the pages of prices say, without a database."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.web.charts.price_steps import PriceStep as ChartStep
from dashboard.catalog.inputs import parse_amount
from dashboard.catalog.models import (
    Freshness,
    Mark,
    PriceExtreme,
    PriceFigures,
    PriceGap,
    PriceStep,
    Product,
    RegistrationState,
)
from dashboard.catalog.page_views.price_chart import known_steps
from dashboard.catalog.page_views.price_list import headline, problems
from dashboard.catalog.page_views.price_sentence import PriceNow, sentence, unknown_words
from dashboard.catalog.page_views.product import changes, mark_words, notices
from dashboard.catalog.page_views.words import percent_text, percent_words, price_text, whole_percent_text
from dashboard.catalog.queries.sparklines import PriceCounts

NOW = datetime(2026, 11, 29, 13, 24, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def product(
    registration: RegistrationState = "registered", freshness: Freshness | None = None, mark: Mark | None = None
) -> Product:
    return Product(uuid.UUID(int=1), "Lamp", "", registration, None, 0, None, mark, freshness or Freshness(NOW, None))


def figures(
    lowest: int, highest: int, mean: float, known: timedelta = 120 * DAY, unknown: timedelta = timedelta(0)
) -> PriceFigures:
    first = PriceExtreme(lowest, NOW - 18 * DAY)
    seconds = min(known, 90 * DAY).total_seconds()
    unknown_seconds = unknown.total_seconds()
    highest_at = PriceExtreme(highest, NOW - 30 * DAY)
    return PriceFigures(NOW - known, first, highest_at, mean, 0.97, seconds - unknown_seconds, unknown_seconds)


def said(prices: list[int | None], found: PriceFigures, shown: Product | None = None, *, is_old: bool = False) -> str:
    """The sentence. prices: the last ones, the newest first, an hour apart."""
    steps = [PriceStep(NOW - number * HOUR, price) for number, price in enumerate(prices)]
    return sentence(PriceNow(shown or product(), steps, found, is_old), NOW)


NOTHING = PriceFigures(None, None, None, None, None, 0, 0)


@pytest.mark.parametrize(
    ("prices", "found", "expected"),
    [
        (
            [1240],
            figures(1204, 1500, 1347.8),
            "12.40 now: 8% under its average of 90 days, 3% above its lowest (11 Nov).",
        ),
        ([1240], figures(1240, 1500, 1347.8), "12.40 now: its lowest in 90 days, 8% under its average."),
        ([1240], figures(1240, 1240, 1240), "12.40 now: the only price in 90 days."),
        (
            [1240],
            figures(1200, 1500, 1240.2),
            "12.40 now: level with its average of 90 days, 3% above its lowest (11 Nov).",
        ),
        (
            [100_000],
            figures(99_900, 150_000, 100_100),
            "1,000.00 now: less than 1% under its average of 90 days, less than 1% above its lowest (11 Nov).",
        ),
        (
            [1240],
            figures(1240, 1500, 1347.8, 37 * DAY),
            "12.40 now: its lowest in the 37 days that it has been watched, 8% under its average.",
        ),
        (
            [1240],
            figures(1240, 1240, 1240, 5 * HOUR),
            "12.40 now: the only price in the 5 h that it has been watched.",
        ),
        (
            [None, 1240],
            figures(1204, 1500, 1347.8),
            "Nothing is in stock now. The last price was 12.40, until 13:24 UTC; the average of 90 days is 13.48.",
        ),
        ([None], PriceFigures(NOW, None, None, None, 0.0, 60, 0), "Nothing is in stock now."),
    ],
)
def test_the_sentence_answers_whether_now_is_a_good_moment(
    prices: list[int | None], found: PriceFigures, expected: str
) -> None:
    assert said(prices, found) == expected


@pytest.mark.parametrize(
    ("known", "unknown", "expected"),
    [
        (120 * DAY, 21 * HOUR, ""),
        (120 * DAY, 26 * HOUR, "No price is known for 26 h of 90 days."),
        (120 * DAY, 70 * DAY, "No price is known for 70 days of 90 days."),
        (10 * HOUR, timedelta(minutes=5), ""),
        (10 * HOUR, timedelta(minutes=6), "No price is known for 6 min of the 10 h that it has been watched."),
    ],
)
def test_the_page_says_for_how_much_of_the_compared_time_no_price_is_known(
    known: timedelta, unknown: timedelta, expected: str
) -> None:
    found = PriceNow(product(), [PriceStep(NOW, 1240)], figures(1204, 1500, 1347.8, known, unknown), is_old=False)

    assert unknown_words(found, NOW) == expected


def test_the_sentence_does_not_take_an_old_price_for_that_of_now() -> None:
    old = product(freshness=Freshness(NOW - 3 * HOUR, "timed out"))

    assert said([1240], figures(1204, 1500, 1347.8), old, is_old=True) == (
        "12.40 at 10:24 UTC, the time of the last answer: 8% under its average of 90 days, "
        "3% above its lowest (11 Nov)."
    )
    assert said([None], NOTHING, old, is_old=True) == (
        "Nothing was in stock at 10:24 UTC, the time of the last answer."
    )


def test_the_sentence_says_why_there_is_no_price() -> None:
    never = Freshness(None, None)

    assert "not registered" in said([], NOTHING, product("pending", never))
    assert "has not told one yet" in said([], NOTHING, product(freshness=never))


def test_notices_name_the_error_and_the_next_attempt() -> None:
    failed = Freshness(NOW - HOUR, "HTTP 503: out of order", NOW - timedelta(minutes=2), NOW + timedelta(seconds=40))

    def texts(shown: Product, *, has_service: bool = True) -> list[str]:
        return [each.text for each in notices(shown, NOW, is_old=False, has_service=has_service)]

    assert texts(product(freshness=failed)) == [
        "The refresh failed at 13:22 UTC, tried again in 40 s. The reason: HTTP 503: out of order"
    ]
    assert texts(product("pending", failed)) == [
        "Not registered yet, tried again in 40 s. The reason: HTTP 503: out of order"
    ]
    assert texts(product("pending", Freshness(None, None))) == [
        "Not registered yet, tried again with the next refresh."
    ]
    assert "DASHBOARD_OFFERS_URL" in texts(product("pending"), has_service=False)[0]
    assert texts(product()) == []


def test_the_headline_counts_the_whole_catalogue() -> None:
    assert headline(PriceCounts(0, 0, 0, 0, 0, 0, 0, 0)) == "No product is watched yet."
    assert headline(PriceCounts(12, 1, 10, 4, 6, 0, 0, 0)) == (
        "Of 12 products 4 are cheaper and 6 are dearer than 7 days ago; 1 has nothing in stock; 1 cannot be compared."
    )
    assert headline(PriceCounts(1, 0, 1, 1, 0, 0, 0, 0)) == "Of 1 product 1 is cheaper than 7 days ago."
    assert headline(PriceCounts(2, 0, 2, 0, 0, 0, 0, 0)) == "Of 2 products 2 cost the same as 7 days ago."
    assert headline(PriceCounts(9, 0, 1, 0, 0, 0, 0, 0)) == (
        "Of 9 products 1 costs the same as 7 days ago; 8 cannot be compared."
    )
    assert headline(PriceCounts(2, 2, 0, 0, 0, 0, 0, 0)) == "Of 2 products 2 have nothing in stock."
    assert headline(PriceCounts(2, 0, 0, 0, 0, 0, 0, 2)) == "Of 2 products 2 cannot be compared with 7 days ago."


def test_problems_say_which_prices_are_not_those_of_now() -> None:
    assert problems(PriceCounts(9, 0, 0, 0, 0, 2, 3, 1), has_service=True) == [
        "The last refresh of 2 products failed: the prices shown are those of the last answer.",
        "The offers service has not been asked about 3 products for a while: the prices shown are those of its last "
        "answer.",
        "1 product is not registered with the offers service yet.",
    ]
    assert "DASHBOARD_OFFERS_URL" in problems(PriceCounts(1, 0, 0, 0, 0, 0, 0, 1), has_service=False)[0]
    assert problems(PriceCounts(9, 0, 9, 0, 0, 0, 0, 0), has_service=True) == []


def test_gaps_cut_the_steps() -> None:
    steps = [PriceStep(NOW, 10), PriceStep(NOW + 4 * HOUR, None), PriceStep(NOW + 6 * HOUR, 12)]
    gaps = [PriceGap(NOW + HOUR, NOW + 2 * HOUR), PriceGap(NOW + 7 * HOUR, None)]

    assert known_steps(steps, gaps, NOW + 9 * HOUR) == [
        ChartStep(NOW, 10),
        ChartStep(NOW + HOUR, None, is_unknown=True),
        ChartStep(NOW + 2 * HOUR, 10),
        ChartStep(NOW + 4 * HOUR, None),
        ChartStep(NOW + 6 * HOUR, 12),
        ChartStep(NOW + 7 * HOUR, None, is_unknown=True),
    ]


def test_a_price_that_was_seen_for_a_moment_before_a_gap_is_a_step() -> None:
    steps = [PriceStep(NOW, 10), PriceStep(NOW + HOUR, 7), PriceStep(NOW + 2 * HOUR, 12)]

    assert known_steps(steps, [PriceGap(NOW + HOUR, NOW + 2 * HOUR)], NOW + 3 * HOUR) == [
        ChartStep(NOW, 10),
        ChartStep(NOW + HOUR, 7),
        ChartStep(NOW + HOUR, None, is_unknown=True),
        ChartStep(NOW + 2 * HOUR, 12),
    ]


@given(
    st.lists(st.tuples(st.integers(0, 99), st.none() | st.integers(1, 3)), min_size=1, unique_by=lambda step: step[0]),
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 20)), max_size=5),
)
def test_every_moment_has_its_price_unless_it_is_in_a_gap(
    changes: list[tuple[int, int | None]], pauses: list[tuple[int, int]]
) -> None:
    steps = [PriceStep(NOW + hour * HOUR, price) for hour, price in sorted(changes)]
    gaps, free = [], 0
    for start, length in sorted(pauses):
        if start >= free:
            gaps.append(PriceGap(NOW + start * HOUR, NOW + (start + length) * HOUR))
            free = start + length + 1

    found = known_steps(steps, gaps, NOW + 100 * HOUR)

    assert [step.since for step in found] == sorted(step.since for step in found)
    for half in range(1, 200, 2):
        moment = NOW + half * HOUR / 2
        price = next((step.price for step in reversed(steps) if step.at <= moment), "before")
        is_unknown = any(gap.from_ <= moment < (gap.to or NOW) for gap in gaps)
        shown = next((step for step in reversed(found) if step.since <= moment), None)
        if price == "before":
            assert shown is None
        else:
            assert shown is not None
            assert (shown.price, shown.is_unknown) == ((None, True) if is_unknown else (price, False))


def test_changes_are_beside_the_price_before_them() -> None:
    steps = [
        PriceStep(NOW, 90),
        PriceStep(NOW - DAY, 100),
        PriceStep(NOW - 2 * DAY, None),
        PriceStep(NOW - 3 * DAY, 80),
    ]

    found = changes(steps, 3, NOW)
    assert [(each.before, each.price, each.percent) for each in found] == [
        ("1.00", "0.90", -10.0),
        ("nothing in stock", "1.00", None),
        ("0.80", "nothing in stock", None),
    ]
    assert changes(steps, 4, NOW)[-1].before == "first answer"


def test_the_words_of_an_alert() -> None:
    assert mark_words(None, NOW) == "No alert is set for this product."
    assert mark_words(Mark(900, back_in_stock=False, watched_since=None), NOW) == (
        "An alert is raised when the best price is below 9.00."
    )
    assert mark_words(Mark(None, back_in_stock=True, watched_since=NOW - 18 * DAY), NOW) == (
        "An alert is raised when the product is in stock again; watched since Wed 11 Nov, 13:24 UTC."
    )


@pytest.mark.parametrize(
    ("text", "amount"),
    [("", None), (" ", None), ("9", 900), ("9.5", 950), ("9.05", 905), ("1,012.40", 101_240), ("1012.4", 101_240)],
)
def test_an_amount_is_read_as_the_pages_write_it(text: str, amount: int | None) -> None:
    assert parse_amount(text) == amount


@pytest.mark.parametrize("text", ["0", "0.00", "-1", "9,5", "9.999", "1e3", "nine", "٩", "9" * 30, "10000000000.01"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_amount(text)


@given(st.integers(1, 10**12))
def test_amounts_and_prices_are_written_alike(price: int) -> None:
    assert parse_amount(price_text(price)) == price


def test_shares_and_changes_are_never_rounded_up_to_all() -> None:
    assert [whole_percent_text(share) for share in (None, 0, 0.001, 0.979, 0.9999, 1)] == [
        "–", "0%", "less than 1%", "97%", "99%", "100%",
    ]  # fmt: skip
    pairs = [(1, 300), (0, 300), (299, 300), (300, 300.4), (900, 300), (5, 0)]
    assert [percent_words(*prices) for prices in pairs] == [
        "99% under", "100% under", "less than 1% under", "level with", "200% above", "above",
    ]  # fmt: skip
    assert [percent_text(percent) for percent in (-2, 0.04, 12.345)] == ["−2.0%", "0.0%", "+12.3%"]
