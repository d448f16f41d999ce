"""What emails may repeat of the names and notes that guests type.

Orders need no account, so the form could otherwise be used to send links and telephone numbers to other people's
addresses, or to greet them with sentences.
"""

import re
import unicodedata
from functools import cache
from itertools import takewhile

from publicsuffixlist import PublicSuffixList

MAX_GREETED_LENGTH = 80
MAX_GREETED_WORDS = 8

_APOSTROPHES = "'’‘ʼ‛′´`"
_IN_WORDS = frozenset(f"{_APOSTROPHES}-‐‑‒–־·•‧・･゠׳״፡་\u200c\u200d")
"""The characters of words beside letters and the marks on them, in the scripts that use them: O’Neill, Smith-Jones,
ジョン・スミス, Gal·la, ז׳בוטינסקי."""
_ORDINAL = re.compile(r"[1-9]?(?:1st|2nd|3rd|[0-9]th),?")

_LINK = re.compile(r"://|@|\bwww\.|\w[.。]xn--", re.IGNORECASE)
_DOT = re.compile(r"(?<=\w)[.。]")
"""What stands before the last label of the name of a domain."""

_DATE = re.compile(
    r"(?<![\d./-])(?:"
    r"(?:0?[1-9]|[12]\d|3[01])([./-])(?:0?[1-9]|1[0-2])(?:\1(?:20)?\d\d|\.)?"  # 24.12.2026, 24.12., 24/12
    r"|(?:0?[1-9]|1[0-2])([/-])(?:0?[1-9]|[12]\d|3[01])(?:\2(?:20)?\d\d)?"  # 12/24/2026
    r"|20\d\d([./-])(?:0?[1-9]|1[0-2])\3(?:0?[1-9]|[12]\d|3[01])"  # 2026-12-24
    r")(?!\d|[./-]\d)"
)
_TIME = re.compile(r"(?<![\d.])(?:[01]?\d|2[0-4])[.:][0-5]\d(?!\d|\.\d)")
_PHONE = re.compile(r"\d(?:[\s().\-/‐-―−]{0,2}\d){6,}")
"""What mail programs turn into a number to call."""


def is_plausible_name(name: str | None) -> bool:
    """Return whether an email may greet the guest by a name, such as Zoë O’Neill, Smith & Sons, Jean (Bob) Doe Jr."""
    if name is None or len(name) > MAX_GREETED_LENGTH or name.count("(") != name.count(")"):
        return False
    words = name.split()
    return (
        1 <= len(words) <= MAX_GREETED_WORDS
        and is_word(words[0])
        and all(word == "&" or _ORDINAL.fullmatch(word) or is_word(word) for word in words)
    )


def is_word(word: str) -> bool:
    """Whether a word of a name consists of letters, or is a row of initials. Dots stand only behind initials and words.

    Brackets around it and a comma behind it are left out. It may be two words with a slash between them.
    """
    word = word.removesuffix(",").removeprefix("(").removesuffix(")")
    parts = word.removesuffix(".").split(".")
    letters = [character for character in word if is_letter(character)]
    if len(parts) > 1 and not (word.endswith(".") and len(letters) == len(parts)):
        return False
    return all(is_part_of_word(each) for part in parts for each in part.split("/"))


def is_part_of_word(part: str) -> bool:
    """Whether a text begins with a letter, which apostrophes may precede, and consists of letters, marks, _IN_WORDS."""
    return is_letter(part.lstrip(_APOSTROPHES)[:1]) and all(
        is_letter(character) or unicodedata.category(character)[0] == "M" or character in _IN_WORDS
        for character in part
    )


def is_letter(character: str) -> bool:
    return character != "" and unicodedata.category(character)[0] == "L"


def is_quotable(text: str) -> bool:
    """Return whether an email may quote a guest's text: it holds nothing to click, neither a link nor a number to call.

    Dates and times are not numbers to call.
    """
    text = unicodedata.normalize("NFKC", text)
    return not has_link(text) and not _PHONE.search(_TIME.sub(":", _DATE.sub(":", text)))


def has_link(text: str) -> bool:
    """Return whether a mail program would make a link of a part of the text: of an address, or a name of a domain."""
    if _LINK.search(text):
        return True
    labels = ("".join(takewhile(is_in_label, text[dot.end() :])) for dot in _DOT.finditer(text))
    return any(
        public_suffixes().publicsuffix(f"x.{label.strip('-').lower()}", accept_unknown=False) is not None
        for label in labels
    )


def is_in_label(character: str) -> bool:
    """Return whether a label of the name of a domain may have this character; a mail program ends it at any other."""
    return character == "-" or unicodedata.category(character)[0] in "LMN"


@cache
def public_suffixes() -> PublicSuffixList:
    """The list of publicsuffix.org, which has every top-level domain."""
    return PublicSuffixList(accept_unknown=False)
