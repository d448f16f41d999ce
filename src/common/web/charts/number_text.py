"""Numbers as the pages write them."""

from decimal import ROUND_FLOOR, Decimal

UNKNOWN = "–"


def count_text(value: float | None) -> str:
    """A number with commas between thousands, at most one decimal, and a dash where it is unknown."""
    if value is None:
        return UNKNOWN
    text = f"{abs(value):,.1f}".removesuffix(".0")
    return f"−{text}" if value < 0 and text != "0" else text


def signed_text(value: float | None) -> str:
    """A difference: `+3`, `−3`, `0`, and a dash where it is unknown."""
    text = count_text(value)
    return f"+{text}" if value is not None and value > 0 and text != "0" else text


def share_text(share: float | None) -> str:
    """A share of 0 to 1, such as `99.87%`, rounded down so that only all of it is 100; a dash where it is unknown."""
    if share is None:
        return UNKNOWN
    return f"{(Decimal(repr(share)) * 100).quantize(Decimal('0.01'), ROUND_FLOOR)}%"


def range_text(low: float | None, high: float | None) -> str:
    """`21 to 25`, one number if both are equal, and a dash where one is unknown."""
    if low is None or high is None:
        return UNKNOWN
    return count_text(low) if low == high else f"{count_text(low)} to {count_text(high)}"
