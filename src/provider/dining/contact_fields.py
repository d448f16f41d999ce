"""Email addresses and phone numbers of guests, validated by libraries."""

import re
import unicodedata
from typing import Annotated, Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema

_PHONE = re.compile(r"\+?[0-9 ()./\u2010-\u2015\u2212-]{4,40}")
_DIRECTION_MARKS = "\u200e\u200f\u202a-\u202e\u2066-\u2069"
_AROUND_PHONE = re.compile(rf"^[\s{_DIRECTION_MARKS}]+|[\s{_DIRECTION_MARKS}]+$")
"""What surrounds numbers that were copied from a list of contacts."""
_LINK_PREFIX = re.compile(r"^tel: *", re.IGNORECASE)


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


def parse_phone(value: Any, info: ValidationInfo) -> str:
    """Return a phone number as E.164. Raises ValueError.

    It may have spaces, brackets and dashes, digits of any script, the `tel:` of a link, and begin with + or 00 and the
    code of its country; without either it is a number of the `region` in the context, if that is set.
    """
    region = (info.context or {}).get("region")
    text = plain_digits(value) if isinstance(value, str) else ""
    if not _PHONE.fullmatch(text):
        raise ValueError("must be a phone number, such as +49 30 123456")
    if text.startswith("00"):
        text = "+" + text[2:]
    if region is None and not text.startswith("+"):
        raise ValueError("must begin with the code of the country, such as +49 30 123456")
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise ValueError("is not a valid phone number") from None
    if not phonenumbers.is_valid_number(number):
        raise ValueError("is not a valid phone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def plain_digits(text: str) -> str:
    """Return a phone number with the digits 0 to 9, a plain plus and plain spaces, without what surrounds it."""
    text = _AROUND_PHONE.sub("", unicodedata.normalize("NFKC", text))
    return "".join(str(unicodedata.decimal(character, character)) for character in _LINK_PREFIX.sub("", text))


def mask_phone(phone: str) -> str:
    """Return a phone number in a form that may be logged."""
    return f"{phone[:3]}…{phone[-2:]}"


Email = Annotated[
    str, BeforeValidator(parse_email), WithJsonSchema({"type": "string", "format": "email", "maxLength": 254})
]
Phone = Annotated[
    str, BeforeValidator(parse_phone), WithJsonSchema({"type": "string", "examples": ["+4930123456"], "maxLength": 32})
]
