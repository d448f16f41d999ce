"""Numbers as the pages write them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.web.charts.number_text import count_text, range_text, share_text, signed_text


@pytest.mark.parametrize(
    ("value", "text", "signed"),
    [
        (0, "0", "0"), (1234, "1,234", "+1,234"), (-20, "−20", "−20"), (12.5, "12.5", "+12.5"), (12.04, "12", "+12"),
        (-0.01, "0", "0"), (0.01, "0", "0"), (None, "–", "–"),
    ],
)  # fmt: skip
def test_a_difference_has_a_sign_and_thousands_have_commas(value: float | None, text: str, signed: str) -> None:
    assert (count_text(value), signed_text(value)) == (text, signed)


def test_a_range_is_two_numbers_or_one_or_unknown() -> None:
    assert [range_text(21, 25), range_text(3, 3), range_text(None, 3)] == ["21 to 25", "3", "–"]


@given(st.floats(0, 1))
def test_a_share_is_rounded_down_and_only_all_of_it_is_100(share: float) -> None:
    shown = Decimal(share_text(share).removesuffix("%"))
    assert shown <= Decimal(repr(share)) * 100 < shown + Decimal("0.01")
    assert (share == 1) == (shown == 100)


def test_a_share_that_is_not_known_is_a_dash() -> None:
    assert [share_text(share) for share in (None, 0.0, 0.99999, 1.0)] == ["–", "0.00%", "99.99%", "100.00%"]
