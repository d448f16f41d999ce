"""Cursors and the Link header."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quart import Quart

from common.web.errors import Invalid
from common.web.pagination import decode_cursor, encode_cursor, next_link

Position = tuple[datetime, int]
AT = datetime(2020, 1, 1, 12, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture(scope="module")
def app() -> Quart:
    return Quart(__name__)


@pytest.fixture
async def in_request(app: Quart) -> AsyncIterator[None]:
    async with app.test_request_context("/events?limit=2&hotel_id=1&hotel_id=2&cursor=old"):
        yield


def refused(cursor: str, shape: Any = Position) -> bool:
    try:
        decode_cursor(cursor, shape)
    except Invalid as error:
        return [each.field for each in error.errors] == ["cursor"]
    return False


@pytest.mark.usefixtures("in_request")
async def test_a_decoded_cursor_is_the_position_to_the_microsecond() -> None:
    cursor = encode_cursor(AT, 2**63 - 1)
    assert decode_cursor(cursor, tuple[datetime, int]) == (AT, 2**63 - 1)
    assert cursor.isascii()
    assert set(cursor) & set("+/=&? ") == set()


@pytest.mark.usefixtures("in_request")
async def test_a_cursor_changed_in_any_one_character_is_refused() -> None:
    cursor = encode_cursor(AT, 4711)
    for place, was in enumerate(cursor):
        for other in "A_z0":
            changed = cursor[:place] + other + cursor[place + 1 :]
            # the last character of base64 may carry bits that no byte holds
            same = base64.urlsafe_b64decode(changed + "==") == base64.urlsafe_b64decode(cursor + "==")
            assert other == was or same or refused(changed), changed


@pytest.mark.usefixtures("in_request")
async def test_a_shortened_or_lengthened_cursor_is_refused() -> None:
    cursor = encode_cursor(AT, 4711)
    assert all(refused(cursor[:length]) for length in range(len(cursor)))
    assert refused(cursor + "AAAA")
    assert refused(cursor + "\u00e4")


@pytest.mark.usefixtures("in_request")
async def test_a_cursor_of_another_shape_is_refused() -> None:
    assert refused(encode_cursor("name", 1))
    assert refused(encode_cursor(AT))
    assert refused(encode_cursor(AT, "4711"))
    assert not refused(encode_cursor("name"), tuple[str])


async def test_a_cursor_of_another_list_is_refused(app: Quart) -> None:
    async with app.test_request_context("/quarantine"):
        cursor = encode_cursor(AT, 4711)
    async with app.test_request_context("/events"):
        assert refused(cursor)


@given(st.text(max_size=60))
def test_any_other_text_than_a_cursor_is_refused(text: str) -> None:
    async def check() -> bool:
        async with Quart(__name__).test_request_context("/events"):
            return refused(text)

    assert asyncio.run(check())


@pytest.mark.usefixtures("in_request")
async def test_the_next_link_keeps_every_other_parameter() -> None:
    link = next_link("new")
    address, _, relation = link.partition("; ")
    assert relation == 'rel="next"'
    assert parse_qs(urlsplit(address.strip("<>")).query) == {"limit": ["2"], "hotel_id": ["1", "2"], "cursor": ["new"]}
    assert urlsplit(address.strip("<>")).path == "/events"


@pytest.mark.usefixtures("in_request")
async def test_the_next_link_is_relative_so_that_it_holds_behind_a_proxy() -> None:
    assert next_link("new").startswith("</events?")


async def test_a_path_with_special_characters_is_quoted_in_the_next_link(app: Quart) -> None:
    async with app.test_request_context("/offers/a%3E%22%20%C3%A9?limit=1"):
        assert next_link("new").startswith("</offers/a%3E%22%20%C3%A9?limit=1&cursor=new>")
