"""Names of people and things: every script as it is, and nothing that cannot be seen or turns the text around it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.web.input_types import parse_name

VISIBLE = [
    "Ann", "Zoë O’Neill", "Smith & Sons", "李小龍", "محمد علی", "Владимир", "Παπαδόπουλος", "ვახტანგ", "김민수",
    "José Ñ", "Anna-Lena d'Arc", "X Æ A-12", "7", "Tab & Co. (2nd floor)", "Noe\u0301mie", "Nguyễn Văn A",
    "می\u200cخواهم",  # Persian: "I want", spelled with a joiner that separates two letters
    "ක්\u200dරි", "শ্\u200dযাম", "ক\u200d্ষ", "ಕ್\u200cಷ",  # Sinhala, Bengali, Kannada
]  # fmt: skip

INVISIBLE = {
    "right-to-left override": "Ann\u202e3 guests",
    "left-to-right mark": "Ann\u200e",
    "isolate": "\u2067Ann\u2069",
    "zero width space": "An\u200bn",
    "byte order mark": "\ufeffAnn",
    "soft hyphen": "An\u00adn",
    "joiner between Latin letters": "An\u200dn",
    "joiner between two scripts": "م\u200cक",
    "joiner at the start": "\u200cمحمد",
    "joiner at the end": "محمد\u200c",
    "joiner before a space": "محمد\u200c علی",
    "two joiners": "م\u200c\u200cم",
    "joiner between emoji": "A\U0001f468\u200d\U0001f469",
    "tag characters": "Ann\U000e0041",
    "newline": "Ann\nBen",
    "tab": "Ann\tBen",
    "escape": "Ann\x1b[31m",
    "C1 control": "Ann\x85Ben",
    "line separator": "Ann\u2028Ben",
    "NUL": "Ann\0",
    "half a pair": "Ann\ud800",
    "private use": "Ann\ue000",
    "unassigned": "Ann\u0378",
    "Hangul filler": "\u3164",
    "half-width filler": "Ann\uffa0",
}

NOTHING = ["...", "- -", "&", "\u0301", "🙂", "«»", "_", "\u2800"]


@pytest.mark.parametrize("name", VISIBLE)
def test_a_visible_name_stays_as_it_is(name: str) -> None:
    assert parse_name(f"  {name} ") == name


@pytest.mark.parametrize("name", INVISIBLE.values(), ids=INVISIBLE)
def test_invisible_and_control_characters_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must not contain control characters"):
        parse_name(name)


@pytest.mark.parametrize("name", NOTHING)
def test_a_name_needs_a_letter_or_a_digit(name: str) -> None:
    with pytest.raises(ValueError, match="must contain a letter or a digit"):
        parse_name(name)


@pytest.mark.parametrize("name", ["", "   ", "a" * 101, "\u3000"])
def test_a_name_has_1_to_100_characters(name: str) -> None:
    with pytest.raises(ValueError, match="must have 1 to 100 characters"):
        parse_name(name)
    assert parse_name("a" * 100) == "a" * 100
    assert parse_name("a" * 300, max_length=300) == "a" * 300


@pytest.mark.parametrize("value", [None, 1, b"Ann", ["Ann"], True])
def test_a_name_is_text(value: object) -> None:
    with pytest.raises(ValueError, match="must be text"):
        parse_name(value)


@given(st.text(max_size=120))
def test_an_accepted_name_has_no_character_that_cannot_be_seen(text: str) -> None:
    try:
        name = parse_name(text)
    except ValueError:
        return
    joiners = {"\u200c", "\u200d"}
    assert not any(unicodedata.category(each) in ("Cc", "Cf", "Cs") for each in name if each not in joiners)
    assert not joiners & {name[0], name[-1]}
    assert any(each.isalnum() for each in name)
    assert parse_name(name) == name, "it is read again as itself"
