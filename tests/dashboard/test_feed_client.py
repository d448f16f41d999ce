"""Splitting the JSON array of a feed's response into values."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from common.upstream import UpstreamBody
from dashboard.feed_client import _values


class FakeStream:
    """A body that arrives in these parts."""

    def __init__(self, parts: list[bytes]) -> None:
        self.parts = parts

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part


async def read(parts: list[bytes]) -> list[bytes]:
    content = cast(UpstreamBody, FakeStream(parts))
    return [value async for batch in _values(content) for value in batch]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text('a"\\,[]{}: \u00e9\u2028', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(values, max_size=5), st.sampled_from([None, 1, "\t"]), st.lists(st.integers(0, 200), max_size=9))
def test_the_values_of_an_array_are_found_however_the_stream_is_split(
    written: list[Any], indent: int | str | None, cuts: list[int]
) -> None:
    body = f" {json.dumps(written, indent=indent, ensure_ascii=False)}\n".encode()
    bounds = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    found = asyncio.run(read([body[start:end] for start, end in itertools.pairwise(bounds)]))
    assert [json.loads(value) for value in found] == written
