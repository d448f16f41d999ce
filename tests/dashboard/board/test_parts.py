"""Parts of a page that are read independently."""

import asyncio
import gc
import warnings

import pytest

from dashboard.board.parts import read_part


async def test_a_part_that_nobody_waits_for_any_more_is_not_read_and_leaves_no_warning() -> None:
    read = []

    async def reading() -> None:
        read.append(1)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        part = asyncio.ensure_future(read_part("stores", reading()))
        part.cancel()
        with pytest.raises(asyncio.CancelledError):
            await part
        del part
        gc.collect()
    assert read == []
    assert warned == []
