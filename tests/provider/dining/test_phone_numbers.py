"""Phone numbers as people type them."""

from typing import Any

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from provider.dining.contact_fields import Phone
from tests.support.restaurant import Restaurant

PHONE: TypeAdapter[str] = TypeAdapter(Phone)
EXAMPLES = [
    phonenumbers.example_number_for_type(region, kind)
    for region in ("DE", "FR", "GB", "US", "IT", "JP", "BR")
    for kind in (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE)
]


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PROVIDER_PHONE_REGION": "DE"}


async def ordered_phone(restaurant: Restaurant, phone: Any) -> str:
    response = await restaurant.post_order(await restaurant.add_table(), phone=phone)
    answer = await response.get_json()
    phone_stored: str = answer["phone"] if response.status_code == 201 else answer["errors"][0]["message"]
    return phone_stored


@pytest.mark.parametrize(
    "typed",
    ["+49 30 123456", "0049 30 123456", "00 49 (30) 123-456", "030 123456", "030/123456", " 030 123456 ",
     "+49 (0)30 123456", "030\u00a012\u202f34\u00a056", "\u202a+49 30 123456\u202c", "030–123456",
     "０３０１２３４５６", "＋49 30 123456", "٠٣٠١٢٣٤٥٦", "۰۳۰۱۲۳۴۵۶", "०३०१२३४५६", "tel:+4930123456",
     "TEL: 030 123456",
     "（０３０）１２３－４５６"],
)  # fmt: skip
async def test_all_spellings_of_a_number_are_one_number(restaurant: Restaurant, typed: str) -> None:
    assert await ordered_phone(restaurant, typed) == "+4930123456"


@pytest.mark.parametrize(
    "typed",
    [
        "12",
        "+49",
        "030 123456 ext 7",
        "call me",
        "030\n123456",
        "9" * 41,
        "+1 555",
        30123456,
        "tel:",
        "mailto:030123456",
        "tel:tel:030123456",
    ],
)
async def test_what_is_no_number_is_refused(restaurant: Restaurant, typed: Any) -> None:
    assert "phone number" in await ordered_phone(restaurant, typed)


async def test_erasure_finds_the_number_in_every_spelling(restaurant: Restaurant) -> None:
    await restaurant.book(await restaurant.add_table(), phone="030 123456")

    response = await restaurant.admin("POST", "erase_guest/", json={"phone": "0049 (30) 123456"})
    assert await response.get_json() == {"bookings": 1}


def test_without_a_region_the_country_must_be_given() -> None:
    assert PHONE.validate_python("0049 30 123456", context={"region": None}) == "+4930123456"
    with pytest.raises(ValueError, match="code of the country"):
        PHONE.validate_python("030 123456", context={"region": None})


@given(number=st.sampled_from(EXAMPLES), data=st.data())
def test_every_way_to_write_a_number_is_read_as_that_number(
    number: phonenumbers.PhoneNumber, data: st.DataObject
) -> None:
    formats = phonenumbers.PhoneNumberFormat
    region = phonenumbers.region_code_for_number(number)
    form = data.draw(st.sampled_from([formats.E164, formats.INTERNATIONAL, formats.NATIONAL]))
    written = phonenumbers.format_number(number, form)
    if form != formats.NATIONAL and data.draw(st.booleans()):
        written = "00" + written[1:]

    assert PHONE.validate_python(written, context={"region": region}) == phonenumbers.format_number(
        number, formats.E164
    )
