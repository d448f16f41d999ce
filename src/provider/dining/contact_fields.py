"""Email addresses and phone numbers of guests, validated by libraries, and the names by which emails greet them."""

import re
import unicodedata
from typing import Annotated, Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema

_PHONE = re.compile(r"\+?[0-9 \u00a0\u2007\u2009\u202f()./\u2010-\u2015\u2212-]{4,40}")
_DIRECTION_MARKS = "\u200e\u200f\u202a-\u202e\u2066-\u2069"
_AROUND_PHONE = re.compile(rf"^[\s{_DIRECTION_MARKS}]+|[\s{_DIRECTION_MARKS}]+$")
"""What surrounds numbers that were copied from a list of contacts."""
_LINK = re.compile(r"://|@|www\.|\w\.[^\W\d_]{2,}|(?:\d\W{0,2}){7,}", re.IGNORECASE)
"""What mail programs turn into something to click: addresses, and numbers to call."""
MAX_GREETED_LENGTH = 40
MAX_GREETED_WORDS = 6
_IN_WORDS = frozenset("'’ʼ-‐\u200c\u200d")
"""The characters of words beside letters and the marks on them: O’Neill, Smith-Jones."""


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

    It may have spaces, brackets and dashes, and begin with + or 00 and the code of its country; without either it is a
    number of the `region` in the context, if that is set.
    """
    region = (info.context or {}).get("region")
    text = _AROUND_PHONE.sub("", value) if isinstance(value, str) else ""
    if not _PHONE.fullmatch(text):
        raise ValueError("must be a phone number, such as +49 30 123456")
    text = re.sub(r"\s", " ", text)
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


def is_plausible_name(name: str | None) -> bool:
    """Return whether an email may greet the guest by this name, such as Zoë O’Neill, Smith & Sons, Jean (Bob) Doe Jr.

    Orders need no account, so the form could otherwise be used to send text or links to other people's addresses.
    """
    if name is None or len(name) > MAX_GREETED_LENGTH or name.count("(") != name.count(")"):
        return False
    words = name.split(" ")
    return len(words) <= MAX_GREETED_WORDS and is_word(words[0]) and all(word == "&" or is_word(word) for word in words)


def is_word(word: str) -> bool:
    """Whether a word of a name consists of letters, or is a row of initials. Dots stand only behind initials and words.

    Brackets around it and a comma behind it are left out.
    """
    word = word.removesuffix(",").removeprefix("(").removesuffix(")")
    parts = word.removesuffix(".").split(".")
    letters = [character for character in word if unicodedata.category(character)[0] == "L"]
    if len(parts) > 1 and not (word.endswith(".") and len(letters) == len(parts)):
        return False
    return all(
        unicodedata.category(part.lstrip("'’ʼ")[:1] or " ")[0] == "L"
        and all(unicodedata.category(character)[0] in "LM" or character in _IN_WORDS for character in part)
        for part in parts
    )


def is_quotable(notes: str) -> bool:
    """Return whether an email may quote a guest's notes: they hold nothing to click, for the reason given above."""
    return not _LINK.search(notes)


def mask_phone(phone: str) -> str:
    """Return a phone number in a form that may be logged."""
    return f"{phone[:3]}…{phone[-2:]}"


Email = Annotated[
    str, BeforeValidator(parse_email), WithJsonSchema({"type": "string", "format": "email", "maxLength": 254})
]
Phone = Annotated[
    str, BeforeValidator(parse_phone), WithJsonSchema({"type": "string", "examples": ["+4930123456"], "maxLength": 32})
]
