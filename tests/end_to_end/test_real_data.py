"""The real night events: the dashboard shows the figures that SQLite counts in the file."""

import csv
import gzip
import sqlite3
from pathlib import Path

import pytest

from common.config import Secret
from provider.booking_events.cli import import_event_file
from tests.end_to_end.conftest import get, start
from tests.end_to_end.test_exactly_once import until_counted
from tests.support.applications import ROOT, ApplicationProcess

FILE = ROOT.parent / "shared" / "data" / "hotel_booking_events.csv.gz"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FILE.exists(), reason=f"{FILE.name} is not in ../shared/data"),
]


def recount(path: Path) -> dict[tuple[int, str, int], int]:
    """Count events per hotel, night and status by SQLite."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE event (hotel integer, status integer, night text)")
    with gzip.open(path, "rt", newline="") as file:
        rows = ((row["hotel_id"], row["status"], row["night_of_stay"]) for row in csv.DictReader(file))
        db.executemany("INSERT INTO event VALUES (?, ?, ?)", rows)
    counted = db.execute("SELECT hotel, night, status, count(*) FROM event GROUP BY 1, 2, 3").fetchall()
    db.close()
    return {(hotel, night, status): number for hotel, night, status, number in counted}


@pytest.mark.timeout(600)
async def test_the_dashboard_shows_the_figures_of_the_file(
    provider: ApplicationProcess, dashboard: ApplicationProcess, provider_url: Secret, dashboard_url: Secret
) -> None:
    expected = recount(FILE)
    assert await import_event_file(provider_url, FILE) == 0
    await start(provider, dashboard)
    await until_counted(dashboard_url, sum(expected.values()), seconds=300)
    for hotel in (1, 2):
        for year in (2015, 2016, 2017):
            days = await get(dashboard, f"/dashboard?hotel_id={hotel}&period=day&year={year}")
            months = await get(dashboard, f"/dashboard?hotel_id={hotel}&period=month&year={year}")
            for item in days["items"]:
                night = item["period"]
                assert item["bookings"] == expected.get((hotel, night, 1), 0)
                assert item["cancellations"] == expected.get((hotel, night, 2), 0)
            for item in months["items"]:
                of_month = [
                    (key, n) for key, n in expected.items() if key[0] == hotel and key[1].startswith(item["period"])
                ]
                assert item["bookings"] == sum(n for key, n in of_month if key[2] == 1)
                assert item["cancellations"] == sum(n for key, n in of_month if key[2] == 2)
    assert sum(hotel["events"] for hotel in (await get(dashboard, "/hotels"))["hotels"]) == 558_997
