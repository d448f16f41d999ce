"""Email addresses, phone numbers and names of guests, validated by libraries."""

import re
import unicodedata
from typing import Annotated, Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from pydantic import BeforeValidator, WithJsonSchema

_PHONE = re.compile(r"\+[0-9][0-9 ()./-]{3,30}")
_PLAIN_NAME = re.compile(r"[^\W\d_]+(?:(?:\.? |['’-])[^\W\d_]+){0,4}\.?")
_NON_PRINTABLE_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control characters, lone surrogates, private and unassigned characters, line breaks: never part of a name."""


def _require_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("must be text")


def parse_email(value: Any) -> str:
    """Return an email address with its domain in ASCII. Raises ValueError. Does not look the domain up."""
    try:
        valid = validate_email(
            _require_text(value), check_deliverability=False, allow_smtputf8=False, test_environment=True
        )
    except EmailNotValidError as error:
        raise ValueError(f"is not a valid email address: {error}") from None
    return valid.ascii_email or valid.normalized


def parse_phone(value: Any) -> str:
    """Return a phone number in international form as E.164. Raises ValueError."""
    if not isinstance(value, str) or not _PHONE.fullmatch(value):
        raise ValueError("must be a phone number in international form, such as +49 30 123456")
    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        raise ValueError("is not a valid phone number") from None
    if not phonenumbers.is_valid_number(number):
        raise ValueError("is not a valid phone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def parse_short_text(value: Any) -> str:
    """Return one line of 1 to 100 printable characters, stripped. Raises ValueError."""
    line = _require_text(value).strip()
    if any(unicodedata.category(character) in _NON_PRINTABLE_CATEGORIES for character in line):
        raise ValueError("must be one line of printable characters")
    if not 1 <= len(line) <= 100:
        raise ValueError("must have 1 to 100 characters")
    return line


def is_plausible_name(name: str | None) -> bool:
    """Return whether an email may greet the guest by this name.

    Orders need no account, so the form could otherwise be used to send text or links to other people's addresses.
    """
    return name is not None and len(name) <= 40 and _PLAIN_NAME.fullmatch(name) is not None


def mask_phone(phone: str) -> str:
    """Return a phone number in a form that may be logged."""
    return f"{phone[:3]}…{phone[-2:]}"


Email = Annotated[
    str, BeforeValidator(parse_email), WithJsonSchema({"type": "string", "format": "email", "maxLength": 254})
]
Phone = Annotated[
    str, BeforeValidator(parse_phone), WithJsonSchema({"type": "string", "examples": ["+4930123456"], "maxLength": 32})
]
ShortText = Annotated[
    str, BeforeValidator(parse_short_text), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 100})
]
