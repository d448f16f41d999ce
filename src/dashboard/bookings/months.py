"""Months of nights: their first and last."""

from datetime import date, timedelta


def month_after(day: date, count: int) -> date:
    """The first day of the month `count` months after that of a day; a negative count goes back."""
    number = day.year * 12 + day.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)


def last_of_months(first: date, count: int = 1) -> date:
    """The last day of some months, the first of which is that of `first`."""
    return month_after(first, count) - timedelta(days=1)
