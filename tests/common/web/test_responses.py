"""JSON of responses."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from common.web.responses import encode_json

WHOLE = datetime(2020, 1, 1, tzinfo=UTC)


class Inner(msgspec.Struct, tag_field="kind", tag="inner", rename={"from_": "from"}):
    from_: datetime
    day: date
    amount: Decimal
    name: str


class Outer(msgspec.Struct, omit_defaults=True):
    at: datetime
    inner: Inner
    raw: msgspec.Raw
    absent: int = 5
    items: list[datetime] = []


def outer(at: datetime, name: str, items: list[datetime]) -> Outer:
    return Outer(at, Inner(at, date(2020, 2, 29), Decimal("1.50"), name), msgspec.Raw(b'[{"x":1}]'), items=items)


def test_instants_always_have_six_decimals_wherever_they_stand() -> None:
    text = encode_json({"now": WHOLE, "each": [outer(WHOLE.replace(microsecond=250_000), "x", [WHOLE])]}).decode()
    assert text == (
        '{"now":"2020-01-01T00:00:00.000000Z","each":[{"at":"2020-01-01T00:00:00.250000Z",'
        '"inner":{"kind":"inner","from":"2020-01-01T00:00:00.250000Z","day":"2020-02-29","amount":1.50,"name":"x"},'
        '"raw":[{"x":1}],"items":["2020-01-01T00:00:00.000000Z"]}]}'
    )


def test_a_text_that_looks_like_an_instant_stays_as_it_is() -> None:
    assert encode_json({"name": "2020-01-01T00:00:00Z", "at": WHOLE}) == (
        b'{"name":"2020-01-01T00:00:00Z","at":"2020-01-01T00:00:00.000000Z"}'
    )


@given(st.datetimes(), st.text(), st.lists(st.datetimes(), max_size=2))
def test_apart_from_their_decimals_the_json_is_that_of_msgspec(at: datetime, name: str, items: list[datetime]) -> None:
    value = outer(at.replace(tzinfo=UTC), name, [each.replace(tzinfo=UTC) for each in items])

    def decoded(data: bytes) -> Any:
        found = msgspec.json.decode(data)
        found["at"] = msgspec.convert(found["at"], datetime)
        found["inner"]["from"] = msgspec.convert(found["inner"]["from"], datetime)
        found["items"] = msgspec.convert(found.get("items", []), list[datetime])
        return found

    assert decoded(encode_json(value)) == decoded(msgspec.json.Encoder(decimal_format="number").encode(value))
