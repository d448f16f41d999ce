"""The comparison of the time zones of Python with those of the database."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncpg
import pytest

from common.db import time_zones

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def other_zone(name: str) -> ZoneInfo:
    """What an older copy of the tz database has: another rule for one zone, and one zone less."""
    if name == "Europe/Kyiv":
        raise ZoneInfoNotFoundError(name)
    return ZoneInfo("Europe/Berlin" if name == "Africa/Abidjan" else name)


async def test_the_zones_on_which_python_and_the_database_disagree_are_named_with_the_day(
    dashboard_db: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {each.name for each in await time_zones.select_differing_zones(dashboard_db, NOW)}
    assert not before & {"Africa/Abidjan", "Europe/Berlin", "Europe/Kyiv"}
    monkeypatch.setattr(time_zones, "ZoneInfo", other_zone)
    found = {each.name: each for each in await time_zones.select_differing_zones(dashboard_db, NOW)}
    assert set(found) - before == {"Africa/Abidjan", "Europe/Kyiv"}
    assert str(found["Africa/Abidjan"]) == ("Africa/Abidjan: from 2026-11-01 on +01:00 in Python, +00:00 in PostgreSQL")
    assert (found["Europe/Kyiv"].python, found["Europe/Kyiv"].database) == (None, timedelta(hours=2))
