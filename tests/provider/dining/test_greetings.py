"""The names by which emails greet guests."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.dining.quotable_text import is_plausible_name
from tests.support.fake_smtp import FakeSmtp, body
from tests.support.restaurant import Restaurant

GREETED = [
    "Ann", "Zoë O’Neill", "Smith & Sons", "Jean (Bob) Doe", "Jean (Bob Lee) Doe", "Noe\u0301mie", "Nguye\u0302\u0303n",
    "J.R.R. Tolkien", "J. R. R. Tolkien", "Dr. Anna Schmidt-Müller", "Martin Luther King, Jr.", "Gerard 't Hooft",
    "Anna-Lena d'Arc", "محمد علی", "می\u200cخواهم", "ক্ষুদিরাম", "李小龍", "Владимир", "María de la Cruz y Ríos",
    "ジョン・スミス", "ｼﾞｮﾝ･ｽﾐｽ", "阿凡提·买买提", "Gal·la Placídia", "ז׳בוטינסקי", "בן־גוריון", "አበበ፡ቢቂላ",
    "Ka‘ahumanu Smith", "Kaʻahumanu", "José María de la Santísima Trinidad García López",
    "John Smith 3rd", "Henry Ford 2nd, Jr.",
    "Müller/Schulz", "Anna-Lena  Schmidt", "Anna\u00a0Schmidt", "山田\u3000太郎", "Ann  Ben", "བསྟན་འཛིན་", "D´Angelo",
    "one two three four five six seven", "a" * 80, "Thandi van der Merwe–Nkosi",
]  # fmt: skip

NOT_GREETED = [
    "<b>Ann</b>", "Win at www.evil.example", "Call +1 234", "http://evil.example", "evil.example", "evil.example.",
    "Win now!", "Ann (", ") Ann (", "&", "& Sons", "Ann @ evil", "a" * 81,
    "one two three four five six seven eight nine",
    "Ann 2", "3rd", "Ann 33th 1234th", "Ann 3rd.example", "//evil", "Ann //evil", "Ann/", "t.me/evil", "evil。example",
    "Ann_", "-Ann", "(&) Ann", "click.here", "$$$", "",
]  # fmt: skip


@pytest.mark.parametrize("name", GREETED)
def test_guests_are_greeted_by_their_names(name: str) -> None:
    assert is_plausible_name(name)


@pytest.mark.parametrize("name", NOT_GREETED)
def test_a_name_that_could_be_a_text_or_a_link_is_no_greeting(name: str) -> None:
    assert not is_plausible_name(name)


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_a_greeting_has_no_link_no_digit_and_no_markup(name: str) -> None:
    if is_plausible_name(name):
        assert not re.search(r"[<>@:\\\"]|//|\w{2,}\.\w", name)
        assert not re.search(r"[0-9]", re.sub(r"\s[0-9]{1,2}(st|nd|rd|th)\b", "", name))
        assert len(name) <= 80


async def test_the_name_stands_in_an_element_of_its_own_direction(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    await restaurant.book(await restaurant.add_table(), email="ann@example.com", name="Smith & Sons")
    await restaurant.send_mails()

    [mail] = fake_smtp.mails
    assert body(mail).startswith("Dear Smith & Sons,")
    assert "Dear <bdi>Smith &amp; Sons</bdi>," in body(mail, "html")


@pytest.mark.parametrize("name", ["Ann\u202e3 guests", "\u200b", "..."])
async def test_an_invisible_name_is_refused(restaurant: Restaurant, name: str) -> None:
    response = await restaurant.post_order(await restaurant.add_table(), email="ann@example.com", name=name)

    assert response.status_code == 400
    assert [error["field"] for error in (await response.get_json())["errors"]] == ["name"]
