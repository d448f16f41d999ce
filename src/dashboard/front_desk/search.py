"""What staff type to find an order: a name, an email address, a phone number or the number of an order."""

import re
from typing import NamedTuple

from common.web.input_types import MAX_ID

_NUMBER = re.compile(r"#?([0-9]{1,19})", re.ASCII)
_PHONE = re.compile(r"\+?[0-9 ()/.-]+", re.ASCII)
LEAST_DIGITS = 3
"""Fewer digits are part of nearly every phone number."""


class SearchTerms(NamedTuple):
    """What an order must have one of.

    text: a part of the name or of the email address. number: its id. digits: a part of the phone number.
    """

    text: str
    number: int | None
    digits: str | None


def search_terms(text: str) -> SearchTerms:
    """Read a search. Leading zeros of a phone number are left out: they stand for a prefix that is stored otherwise."""
    text = text.strip()
    number = int(match[1]) if (match := _NUMBER.fullmatch(text)) else None
    digits = re.sub(r"\D", "", text).lstrip("0") if _PHONE.fullmatch(text) else ""
    return SearchTerms(
        text,
        number if number is not None and number <= MAX_ID else None,
        digits if len(digits) >= LEAST_DIGITS else None,
    )
