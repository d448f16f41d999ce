"""The free stretches: what stays, blocks and the feed leave of a property's nights, and how a search finds them."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.config import Secret
from common.db.pool import transaction
from common.jobs.lease import Job, JobResult, Lease
from common.jobs.scheduler import run_now
from provider.stays.audit import find_differences
from provider.stays.cli.audit import run_audit
from provider.stays.jobs import split_segments
from provider.stays.models.properties import Alternative
from provider.stays.queries import storefront
from provider.stays.queries.properties import note_room_link

DAY = timedelta(days=1)
START = date(2026, 6, 1)
SHOWN_NIGHTS = 80

Nights = set[int]
"""Nights of a property, in days from START."""


async def free_nights(db: asyncpg.Pool, property_id: str) -> list[range]:
    """The free stretches that begin or end among the shown nights, in days from START and cut off at both ends."""
    rows = await db.fetch(
        "SELECT first_night AS first, end_date AS until FROM free_stretch WHERE property_id = $1 ORDER BY first_night",
        property_id,
    )
    ranges = (
        range(max((row["first"] - START).days, -SHOWN_NIGHTS), min((row["until"] - START).days, SHOWN_NIGHTS))
        for row in rows
    )
    return [each for each in ranges if each]


class House:
    """A property, changed by SQL as any client may, and a simple model of what is free in it."""

    def __init__(self, db: asyncpg.Pool, property_id: str) -> None:
        self.db = db
        self.property_id = property_id
        self.turnover = 0
        self.linked = False
        self.on_sale = True
        self.stays: list[tuple[int, int]] = []
        self.blocks: list[tuple[int, int]] = []
        self.in_feed: Nights = set()
        self.sent = 0

    def free(self) -> Nights:
        """The nights that a new stay can take."""
        if not self.on_sale:
            return set()
        blocked: Nights = set()
        arrivals = sorted(first for first, _ in self.stays)
        for first, until in self.stays:
            following = min((each for each in arrivals if each > first), default=10_000)
            blocked |= set(range(first - self.turnover, min(until + self.turnover, following)))
        for first, until in self.blocks:
            blocked |= set(range(first, until))
        if self.linked:
            blocked |= self.in_feed
        return set(range(-SHOWN_NIGHTS, SHOWN_NIGHTS)) - blocked

    async def step(self, action: str, day: int, size: int) -> None:
        first, until = day, day + size
        dates = (START + first * DAY, START + until * DAY)
        match action:
            case "book" if size and set(range(first, until)) <= self.free():
                await self.db.execute(
                    "INSERT INTO reservation (property_id, arrival, departure, hotel_id, room_id)"
                    " SELECT property_id, $2, $3, hotel_id, room_id FROM property WHERE property_id = $1",
                    self.property_id, *dates,
                )  # fmt: skip
                self.stays.append((first, until))
            case "cancel" if stay := self.stay_of(day):
                await self.of_stay("UPDATE reservation SET cancelled_at = now()", stay)
                self.stays.remove(stay)
            case "delete" if stay := self.stay_of(day):
                await self.of_stay("DELETE FROM reservation", stay)
                self.stays.remove(stay)
            case "move" if (stay := self.stay_of(day)) and size:
                await self.move(stay, (stay[0] + size - 3, stay[1] + size - 2))
            case "sale":
                self.on_sale = not self.on_sale
                await self.db.execute(
                    "UPDATE property SET on_sale = $2, min_nights = $3 WHERE property_id = $1",
                    self.property_id, self.on_sale, size + 1,
                )  # fmt: skip
            case "turnover":
                await self.db.execute(
                    "UPDATE property SET turnover_days = $2 WHERE property_id = $1", self.property_id, size
                )
                self.turnover = size
            case "block" if size and not any(a < until and first < b for a, b in self.stays):
                await self.db.execute(
                    "INSERT INTO property_block (property_id, first_night, end_date) VALUES ($1, $2, $3)",
                    self.property_id, *dates,
                )  # fmt: skip
                self.blocks.append((first, until))
            case "unblock" if self.blocks:
                first, until = self.blocks.pop(day % len(self.blocks))
                await self.db.execute(
                    "DELETE FROM property_block WHERE block_id = (SELECT block_id FROM property_block"
                    " WHERE property_id = $1 AND first_night = $2 AND end_date = $3 LIMIT 1)",
                    self.property_id, START + first * DAY, START + until * DAY,
                )  # fmt: skip
            case "feed":
                booked = day not in self.in_feed
                self.in_feed ^= {day}
                self.sent += 1
                await self.db.execute(
                    "SELECT * FROM store_events(ARRAY[nextval('booking_event_id')], ARRAY[$1::bigint],"
                    " ARRAY[$2::timestamptz], ARRAY[$3::smallint], ARRAY['17'], ARRAY[$4::date], ARRAY[false])",
                    self.hotel_id, datetime(2026, 1, 1, tzinfo=UTC) + self.sent * timedelta(seconds=1),
                    1 if booked else 2, dates[0],
                )  # fmt: skip
            case "link":
                self.linked = not self.linked
                async with transaction(self.db) as connection:
                    await connection.execute(
                        "UPDATE property SET hotel_id = $2, room_id = $3 WHERE property_id = $1",
                        self.property_id, *((self.hotel_id, "17") if self.linked else (None, None)),
                    )  # fmt: skip
                    await note_room_link(connection, self.property_id)

    @property
    def hotel_id(self) -> int:
        """A hotel of its own."""
        return UUID(self.property_id).int % 2**62 + 1

    def stay_of(self, day: int) -> tuple[int, int] | None:
        return sorted(self.stays)[day % len(self.stays)] if self.stays else None

    async def of_stay(self, statement: str, stay: tuple[int, int], *arguments: Any) -> None:
        await self.db.execute(
            f"{statement} WHERE property_id = $1 AND arrival = $2 AND cancelled_at IS NULL",
            self.property_id, START + stay[0] * DAY, *arguments,
        )  # fmt: skip

    async def move(self, stay: tuple[int, int], to: tuple[int, int]) -> None:
        try:
            await self.of_stay(
                "UPDATE reservation SET arrival = $3, departure = $4",
                stay, START + to[0] * DAY, START + to[1] * DAY,
            )  # fmt: skip
        except asyncpg.ExclusionViolationError:
            return
        except asyncpg.CheckViolationError:
            assert not self.on_sale
            return
        self.stays[self.stays.index(stay)] = to


ACTIONS = ["book", "book", "book", "cancel", "delete", "move", "turnover", "block", "unblock", "feed", "link", "sale"]
STEPS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 30), st.integers(0, 6)), min_size=1, max_size=25)


@settings(max_examples=120)
@given(steps=STEPS)
async def test_the_free_stretches_follow_every_change(
    provider_db: asyncpg.Pool, steps: Sequence[tuple[str, int, int]]
) -> None:
    house = House(
        provider_db,
        await provider_db.fetchval(
            "INSERT INTO property (property_id, description) VALUES (gen_random_uuid()::text, 'x')"
            " RETURNING property_id"
        ),
    )
    for step in steps:
        await house.step(*step)

        found = await free_nights(provider_db, house.property_id)
        assert {night for stretch in found for night in stretch} == house.free(), step
        assert all(before.stop < after.start for before, after in pairwise(found)), step
    assert (await find_differences(provider_db))[1] == []


async def test_what_was_stored_behind_the_triggers_is_found_and_repaired(
    provider_url: Secret, provider_db: asyncpg.Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    await provider_db.execute(
        "INSERT INTO property (property_id, description)"
        " SELECT name, 'x' FROM unnest('{right,shorter,split,none,elsewhere}'::text[]) AS name"
    )
    assert await run_audit(provider_url, repair=False) == 0
    assert capsys.readouterr().out == "properties: 5\nfree stretches: equal to the recount\n"
    for statement in (
        "UPDATE free_stretch SET end_date = '2100-01-01' WHERE property_id = 'shorter'",
        "UPDATE free_stretch SET end_date = '2000-01-01' WHERE property_id = 'split'",
        "INSERT INTO free_stretch VALUES ('split', '2000-01-01', '2200-01-01', DEFAULT, 0)",
        "DELETE FROM free_stretch WHERE property_id = 'none'",
        "UPDATE free_stretch SET segment = 7 WHERE property_id = 'elsewhere'",
        "INSERT INTO free_stretch VALUES ('no property', '2000-01-01', '2200-01-01', DEFAULT, 0)",
    ):
        await provider_db.execute(statement)

    assert await run_audit(provider_url, repair=False) == 1
    wrong = ["no property", "elsewhere", "none", "shorter", "split"]
    named = [f"property {name}: its free stretches differ from the recount" for name in wrong]
    assert capsys.readouterr().out.splitlines() == [*named, "properties: 5", "free stretches: 5 differ"]
    assert await run_audit(provider_url, repair=True) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "free stretches: 5 differ, now repaired"
    assert await run_audit(provider_url, repair=True) == 0


async def split(db: asyncpg.Pool, size: int, at_once: int = 100) -> JobResult:
    async def run(lease: Lease) -> JobResult:
        return await split_segments(db, lease, size=size, at_once=at_once)

    return await run_now(db, Job("split_segments", 300, run))


async def sizes(db: asyncpg.Pool) -> list[int]:
    """How many properties each segment has, in the order of ids."""
    rows = await db.fetch(
        "SELECT segment, count(DISTINCT property_id) AS properties, min(property_id) FROM free_stretch"
        " GROUP BY 1 ORDER BY 3"
    )
    return [row["properties"] for row in rows]


@pytest.mark.parametrize(
    ("properties", "sizes_after"), [(8, [8]), (9, [5, 4]), (12, [8, 4]), (13, [5, 4, 4]), (20, [8, 4, 4, 4])]
)
async def test_a_segment_of_more_than_twice_the_size_is_split(
    provider_db: asyncpg.Pool, properties: int, sizes_after: list[int]
) -> None:
    await create_properties(provider_db, properties)

    result = await split(provider_db, 4, at_once=3)

    assert result == {"moved": properties - sizes_after[0]}
    assert await sizes(provider_db) == sizes_after
    assert (await find_differences(provider_db)) == (properties, [])
    await provider_db.execute("INSERT INTO property (property_id, description) VALUES ('p000000', 'x'), ('q', 'x')")
    sizes_after[0] += 1
    sizes_after[-1] += 1
    assert await sizes(provider_db) == sizes_after
    assert (await find_differences(provider_db)) == (properties + 2, [])


async def test_no_property_moves_while_one_is_created(provider_db: asyncpg.Pool) -> None:
    await create_properties(provider_db, 20)
    async with provider_db.acquire() as other, other.transaction():
        await other.execute("SELECT create_property('p000010-b', 'x', 0::smallint, NULL, NULL, NULL)")

        assert await split(provider_db, 4) == {"moved": 0}

    assert await split(provider_db, 4) == {"moved": 16}
    assert (await find_differences(provider_db)) == (21, [])


async def create_properties(db: asyncpg.Pool, count: int) -> None:
    await db.execute(
        "INSERT INTO property (property_id, description)"
        " SELECT 'p' || lpad(number::text, 6, '0'), 'x' FROM generate_series(1, $1::integer) AS number",
        count,
    )


async def pages(db: asyncpg.Pool, arrival: date, nights: int, limit: int) -> list[list[str]]:
    """All pages of a search."""
    found: list[list[str]] = []
    after = ""
    while page := await storefront.select_available(db, arrival, nights, after, limit):
        found.append([each.property_id for each in page])
        after = found[-1][-1]
    return found


SHARES: dict[str, Callable[[int], bool]] = {
    "all are free": lambda _: True,
    "none is free": lambda _: False,
    "a tenth is free": lambda number: number % 10 == 3,
    "the last ones are free": lambda number: number > 500,
    "three are free": lambda number: number in (7, 1_700, 2_995),
    "the first and the last are free": lambda number: number in (1, 3_000),
}
"""Which of 3,000 properties are free; segments have 50 to 100 of them. A page of one property looks at three,
then 4 segments, then all free ones if they are at most 2,000, then one segment after the other."""


@pytest.mark.parametrize("share", list(SHARES))
@pytest.mark.parametrize("in_segments", [True, False])
async def test_a_search_finds_each_free_property_once_in_the_order_of_ids(
    provider_db: asyncpg.Pool, share: str, in_segments: bool
) -> None:
    await create_properties(provider_db, 3_000)
    if in_segments:
        await split(provider_db, 50)
    free = {f"p{number:06}" for number in range(1, 3_001) if SHARES[share](number)}
    await provider_db.execute(
        "INSERT INTO reservation (property_id, arrival, departure) SELECT property_id, $1, $1::date + 3 FROM property"
        " WHERE property_id <> ALL($2)",
        START, list(free),
    )  # fmt: skip

    # A stay of two nights would begin with the last night of the reservations, and one before them ends with the first.
    for arrival, nights, expected in (
        (START + 2 * DAY, 2, sorted(free)),
        (START - DAY, 2, sorted(free)),
        (START + 3 * DAY, 2, [f"p{number:06}" for number in range(1, 3_001)]),
    ):
        limit = 1 if len(expected) <= 10 else 700
        found = await pages(provider_db, arrival, nights, limit)
        assert [name for page in found for name in page] == expected
        assert all(len(page) == limit for page in found[:-1])
    if free:
        first = await storefront.select_available(provider_db, START, 1, "", 1)
        assert [each.property_id for each in first] == [min(free)]
    days = [START + n * DAY for n in (-3, -1, 0, 3)]
    possible = [day for day in days if free or day in (days[0], days[3])]
    counted = min(len(free), 100)
    assert await storefront.select_available_start_dates(provider_db, days, 2) == [
        Alternative(day, 100, or_more=True)
        if day in (days[0], days[3])
        else Alternative(day, counted, or_more=len(free) > 100)
        for day in possible
    ]


async def test_a_page_that_begins_in_one_unsplit_segment_and_ends_in_the_next_has_each_property_once(
    provider_db: asyncpg.Pool,
) -> None:
    """Each segment has too many free properties to sort; the first ones of the second segment are taken."""
    await create_properties(provider_db, 6_000)
    await provider_db.execute("INSERT INTO property_segment VALUES (1, 'p003001', '-infinity')")
    await provider_db.execute("UPDATE free_stretch SET segment = 1 WHERE property_id >= 'p003001'")
    await provider_db.execute(
        "INSERT INTO reservation (property_id, arrival, departure)"
        " SELECT property_id, $1, $1::date + 3 FROM property WHERE property_id BETWEEN 'p003001' AND 'p003210'",
        START,
    )

    page = await storefront.select_available(provider_db, START, 2, "p002950", 101)

    names = [f"p{number:06}" for number in (*range(2_951, 3_001), *range(3_211, 3_262))]
    assert [each.property_id for each in page] == names


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), limit=st.integers(1, 40), nights=st.integers(1, 5))
async def test_a_search_equals_a_plain_reading_of_the_reservations(
    provider_db: asyncpg.Pool, seed: int, limit: int, nights: int
) -> None:
    rng = random.Random(seed)
    if not await provider_db.fetchval("SELECT count(*) FROM property"):
        await create_properties(provider_db, 150)
    await split(provider_db, rng.randint(3, 60))
    stays = [(f"p{rng.randint(1, 150):06}", START + rng.randrange(40) * DAY, rng.randint(1, 9)) for _ in range(60)]
    await provider_db.executemany(
        "INSERT INTO reservation (property_id, arrival, departure) VALUES ($1, $2, $2::date + $3::integer)"
        " ON CONFLICT DO NOTHING",
        stays,
    )
    arrival = START + rng.randrange(45) * DAY

    found = await pages(provider_db, arrival, nights, limit)

    expected = await provider_db.fetch(
        "SELECT property_id FROM property WHERE NOT EXISTS (SELECT FROM reservation AS stay"
        " WHERE stay.property_id = property.property_id AND arrival < $1::date + $2::integer AND departure > $1)"
        " ORDER BY property_id",
        arrival, nights,
    )  # fmt: skip
    assert [name for page in found for name in page] == [row["property_id"] for row in expected]
