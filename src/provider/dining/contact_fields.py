"""How a guest can be reached: addresses and numbers that libraries have validated."""

import re
import unicodedata
from typing import Annotated, Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from pydantic import BeforeValidator, WithJsonSchema

_PHONE = re.compile(r"\+[0-9][0-9 ()./-]{3,30}")
_PLAIN_NAME = re.compile(r"[^\W\d_]+(?:(?:\.? |['’-])[^\W\d_]+){0,4}\.?")
_NON_PRINTABLE = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control characters, halves of pairs, unassigned ones, and line ends: nothing of a name, much of an attack."""


def _require_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("must be text")


def parse_email(value: Any) -> str:
    """A mail address, its domain in ASCII. Raises ValueError. The domain is not looked up."""
    try:
        valid = validate_email(
            _require_text(value), check_deliverability=False, allow_smtputf8=False, test_environment=True
        )
    except EmailNotValidError as error:
        raise ValueError(f"is no mail address: {error}") from None
    return valid.ascii_email or valid.normalized


def parse_phone(value: Any) -> str:
    """A phone number in international form, as E.164. Raises ValueError."""
    if not isinstance(value, str) or not _PHONE.fullmatch(value):
        raise ValueError("must be a phone number in international form, such as +49 30 123456")
    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        raise ValueError("is no phone number") from None
    if not phonenumbers.is_valid_number(number):
        raise ValueError("is no phone number that anybody can have")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def parse_short_text(value: Any) -> str:
    """Text on one line, without characters that nobody sees. Raises ValueError."""
    line = _require_text(value).strip()
    if any(unicodedata.category(character) in _NON_PRINTABLE for character in line):
        raise ValueError("must be one line of printable characters")
    if not 1 <= len(line) <= 100:
        raise ValueError("must have 1 to 100 characters")
    return line


def is_plausible_name(name: str | None) -> bool:
    """May a mail begin with this name?

    Anybody may order in anybody's name to anybody's address; only what looks like a name is repeated there, so that
    the form is no way to send strangers a text or a link.
    """
    return name is not None and len(name) <= 40 and _PLAIN_NAME.fullmatch(name) is not None


def mask_phone(phone: str) -> str:
    """A phone number as a log may have it."""
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
