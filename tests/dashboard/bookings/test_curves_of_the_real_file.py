"""The curves and cancellations of the real booking events are those of a recount of the file."""

from datetime import date
from typing import Any

import asyncpg
import msgspec
import pytest

from common.web.resources import Application
from tests.dashboard.bookings.event_sources import insert_in_pages, plain, real_events
from tests.dashboard.bookings.expected_curves import HOTEL, expected_build_up, expected_cancellations, expected_curve
from tests.end_to_end.test_real_data import FILE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FILE.exists(), reason=f"{FILE.name} is not in ../shared/data"),
]


async def get(app: Application, path: str) -> Any:
    return await (await app.test_client().get(f"/hotels/{HOTEL}/{path}")).get_json()


async def test_curves_and_cancellations_are_those_of_a_recount_of_the_file(
    dashboard_app: Application, dashboard_db: asyncpg.Pool
) -> None:
    events = [msgspec.structs.replace(event, hotel_id=HOTEL) for event in real_events() if event.hotel_id == 1]
    await insert_in_pages(dashboard_db, events)
    books = plain(events)

    for match in ("weekday", "date"):
        for month, as_of in (
            (date(2016, 2, 1), date(2016, 1, 10)),
            (date(2017, 2, 1), date(2017, 2, 28)),
            (date(2016, 8, 1), date(2017, 8, 31)),
            (date(2018, 7, 1), date(2017, 7, 15)),
        ):
            body = await get(dashboard_app, f"build-up?month={month:%Y-%m}&as_of={as_of}&match={match}")
            assert body == expected_build_up(books, month, as_of, match)
        for night, as_of in (
            (date(2016, 2, 29), date(2016, 2, 1)),
            (date(2017, 9, 2), date(2017, 8, 31)),
            (date(2016, 8, 13), date(2015, 7, 31)),
        ):
            curve = await get(dashboard_app, f"booking-curve/usual?night={night}&as_of={as_of}&match={match}")
            assert curve["items"] == expected_curve(books, night, as_of, match)
    for year, as_of in ((2015, date(2015, 11, 30)), (2016, date(2017, 8, 31)), (2017, date(2017, 2, 28))):
        body = await get(dashboard_app, f"cancellations?year={year}&as_of={as_of}")
        assert body == expected_cancellations(events, year, as_of)
