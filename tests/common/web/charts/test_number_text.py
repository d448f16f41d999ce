"""Numbers as the pages write them."""

import pytest

from common.web.charts.number_text import count_text, range_text, signed_text


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
