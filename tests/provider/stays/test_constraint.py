"""The rules that the database itself enforces, without the application."""

import asyncio
from contextlib import nullcontext
from datetime import date, timedelta

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.databases import waits_for_lock
from tests.support.waiting import eventually

DAY = timedelta(days=1)
START = date(2026, 6, 1)

INSERT = "INSERT INTO reservation (property_id, arrival, departure) VALUES ($1, $2, $3)"
IN_THE_WAY = (asyncpg.ExclusionViolationError, asyncpg.CheckViolationError)

DISTRIBUTION = {"property": "property_id", "reservation": "property_id"}


@pytest.fixture
async def hut(provider_db: asyncpg.Pool) -> str:
    await provider_db.execute("INSERT INTO property (property_id, description) VALUES ('hut', 'A hut')")
    return "hut"


async def book(db: asyncpg.Pool, name: str, arrival: int, departure: int) -> None:
    await db.execute(INSERT, name, START + arrival * DAY, START + departure * DAY)


@pytest.mark.parametrize(("arrival", "departure"), [(0, 1), (1, 2), (2, 3), (-1, 1), (-5, 9), (0, 3)])
async def test_plain_sql_cannot_sell_a_night_twice(
    provider_db: asyncpg.Pool, hut: str, arrival: int, departure: int
) -> None:
    await book(provider_db, hut, 0, 3)

    with pytest.raises(asyncpg.ExclusionViolationError, match="reservation_no_night_twice"):
        await book(provider_db, hut, arrival, departure)


async def test_plain_sql_cannot_move_a_stay_onto_another(provider_db: asyncpg.Pool, hut: str) -> None:
    await book(provider_db, hut, 0, 3)
    await book(provider_db, hut, 3, 5)

    with pytest.raises(asyncpg.ExclusionViolationError):
        await provider_db.execute("UPDATE reservation SET arrival = $1 WHERE arrival = $2", START, START + 3 * DAY)


async def test_plain_sql_cannot_move_a_stay_to_another_property(provider_db: asyncpg.Pool, hut: str) -> None:
    await provider_db.execute("INSERT INTO property (property_id, description) VALUES ('barn', 'A barn')")
    await book(provider_db, hut, 0, 3)

    with pytest.raises((asyncpg.RestrictViolationError, asyncpg.FeatureNotSupportedError)):  # the second by Citus
        await provider_db.execute("UPDATE reservation SET property_id = 'barn'")


async def test_plain_sql_cannot_restore_a_cancelled_stay_onto_another(provider_db: asyncpg.Pool, hut: str) -> None:
    await book(provider_db, hut, 0, 3)
    await provider_db.execute("UPDATE reservation SET cancelled_at = now()")
    await book(provider_db, hut, 1, 2)

    with pytest.raises(asyncpg.ExclusionViolationError):
        await provider_db.execute("UPDATE reservation SET cancelled_at = NULL")


async def test_plain_sql_cannot_ignore_the_turnover(provider_db: asyncpg.Pool, hut: str) -> None:
    await provider_db.execute("UPDATE property SET turnover_days = 2")
    await book(provider_db, hut, 0, 3)

    for arrival, departure in ((3, 4), (4, 5), (-2, -1), (-1, 0)):
        with pytest.raises(asyncpg.ExclusionViolationError):
            await provider_db.execute(
                "INSERT INTO reservation (property_id, arrival, departure, free_from) VALUES ($1, $2, $3, $3)",
                hut, START + arrival * DAY, START + departure * DAY,
            )  # fmt: skip
    await book(provider_db, hut, 5, 6)
    await book(provider_db, hut, -3, -2)


@pytest.mark.parametrize(
    ("property_id", "hotel_id", "is_stored"),
    [
        ("x" * 64, None, True),
        ("x" * 65, None, False),
        ("", None, False),
        (".x", None, False),
        ("available", None, False),
        ("x", 1, True),
        ("x", 0, False),
    ],
)
async def test_plain_sql_cannot_store_a_property_that_no_request_could_name(
    provider_db: asyncpg.Pool, property_id: str, hotel_id: int | None, is_stored: bool
) -> None:
    with nullcontext() if is_stored else pytest.raises(asyncpg.CheckViolationError):
        await provider_db.execute(
            "INSERT INTO property (property_id, description, hotel_id, room_id) VALUES ($1, 'x', $2, $3)",
            property_id, hotel_id, None if hotel_id is None else "1",
        )  # fmt: skip


@pytest.mark.parametrize(("arrival", "departure"), [(0, 0), (0, -1), (0, 366)])
async def test_plain_sql_cannot_store_a_stay_without_nights_or_beyond_a_year(
    provider_db: asyncpg.Pool, hut: str, arrival: int, departure: int
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await book(provider_db, hut, arrival, departure)


async def test_a_stay_needs_a_property(provider_db: asyncpg.Pool) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await book(provider_db, "nowhere", 0, 1)


async def test_an_insert_waits_for_the_lock_and_not_in_the_constraint(provider_db: asyncpg.Pool, hut: str) -> None:
    """In the constraint it would already have a row that the first transaction meets: each would wait for the other."""
    async with provider_db.acquire() as first:
        transaction = first.transaction()
        await transaction.start()
        await first.execute(INSERT, hut, START, START + 3 * DAY)
        second = asyncio.create_task(book(provider_db, hut, 2, 5))
        await eventually(lambda: waits_for_lock(provider_db))
        await first.execute(INSERT, hut, START + 4 * DAY, START + 6 * DAY)
        await transaction.commit()

    with pytest.raises(asyncpg.ExclusionViolationError):
        await second
    assert await provider_db.fetchval("SELECT count(*) FROM reservation") == 2


@pytest.mark.parametrize(
    "change",
    ["UPDATE reservation SET arrival = arrival + 1 WHERE arrival = $1", "UPDATE reservation SET cancelled_at = NULL"],
)
async def test_a_change_of_nights_waits_for_the_lock_too(provider_db: asyncpg.Pool, hut: str, change: str) -> None:
    await book(provider_db, hut, 10, 12)
    await provider_db.execute("UPDATE reservation SET cancelled_at = now() WHERE $1", "cancelled_at" in change)
    arguments = [START + 10 * DAY] if "$1" in change else []
    async with provider_db.acquire() as first, first.transaction():
        await first.execute("SELECT lock_property(property_id) FROM property WHERE property_id = $1", hut)
        changing = asyncio.create_task(provider_db.execute(change, *arguments))
        await eventually(lambda: changing.done() or waits_for_lock(provider_db))
        assert not changing.done()
    await changing


async def test_a_turnover_applies_to_a_stay_that_is_stored_at_the_same_moment(
    provider_db: asyncpg.Pool, hut: str
) -> None:
    """The change of the turnover waits for the lock of the property, which the new stay holds."""
    async with provider_db.acquire() as first, first.transaction():
        await first.execute(INSERT, hut, START, START + 3 * DAY)
        changing = asyncio.create_task(provider_db.execute("UPDATE property SET turnover_days = 5"))
        await eventually(lambda: changing.done() or waits_for_lock(provider_db))
    await changing

    assert await provider_db.fetchval("SELECT free_from FROM reservation") == START + 8 * DAY


async def test_a_long_turnover_returns_after_the_next_stay_is_cancelled(provider_db: asyncpg.Pool, hut: str) -> None:
    """A stay and its turnover together may be longer than a year."""
    await book(provider_db, hut, 0, 100)
    await book(provider_db, hut, 390, 391)
    await provider_db.execute("UPDATE property SET turnover_days = 300")
    assert await provider_db.fetchval("SELECT min(free_from) FROM reservation") == START + 390 * DAY

    await provider_db.execute("UPDATE reservation SET cancelled_at = now() WHERE arrival > $1", START)

    assert await provider_db.fetchval("SELECT min(free_from) FROM reservation") == START + 400 * DAY
    with pytest.raises(asyncpg.ExclusionViolationError):
        await book(provider_db, hut, 390, 391)


async def test_the_longest_stay_and_turnover_return_in_full(provider_db: asyncpg.Pool, hut: str) -> None:
    await book(provider_db, hut, 0, 365)
    await book(provider_db, hut, 729, 730)
    await provider_db.execute("UPDATE property SET turnover_days = 365")
    assert await provider_db.fetchval("SELECT min(free_from) FROM reservation") == START + 729 * DAY

    await provider_db.execute("UPDATE reservation SET cancelled_at = now() WHERE arrival > $1", START)

    assert await provider_db.fetchval("SELECT min(free_from) FROM reservation") == START + 730 * DAY


async def test_the_turnover_of_one_property_leaves_the_stays_of_another(provider_db: asyncpg.Pool, hut: str) -> None:
    await provider_db.execute("INSERT INTO property (property_id, description) VALUES ('barn', 'A barn')")
    for name in (hut, "barn"):
        await book(provider_db, name, 0, 3)

    await provider_db.execute("UPDATE property SET turnover_days = 2 WHERE property_id = $1", hut)
    await provider_db.execute("UPDATE reservation SET cancelled_at = now() WHERE property_id = 'barn'")

    rows = await provider_db.fetch("SELECT property_id, free_from FROM reservation")
    assert {row["property_id"]: row["free_from"] for row in rows} == {hut: START + 5 * DAY, "barn": START + 3 * DAY}


@pytest.mark.parametrize(
    ("arrival", "departure"), [(date(1899, 12, 31), date(1900, 1, 1)), (date(2199, 12, 31), date(2200, 1, 2))]
)
async def test_plain_sql_cannot_store_nights_outside_the_range(
    provider_db: asyncpg.Pool, hut: str, arrival: date, departure: date
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await provider_db.execute(INSERT, hut, arrival, departure)
    await provider_db.execute(INSERT, hut, date(1900, 1, 1), date(1900, 1, 2))
    await provider_db.execute(INSERT, hut, date(2199, 12, 31), date(2200, 1, 1))


async def test_many_connections_that_insert_with_plain_sql_never_deadlock(provider_db: asyncpg.Pool, hut: str) -> None:

    async def attempt(number: int) -> int:
        try:
            await book(provider_db, hut, number % 7, number % 7 + 3)
        except asyncpg.ExclusionViolationError:
            return 0
        return 1

    stored = sum(await asyncio.gather(*(attempt(number) for number in range(400))))

    assert stored == await provider_db.fetchval("SELECT count(*) FROM reservation")
    assert await overlaps(provider_db) == 0


async def overlaps(db: asyncpg.Pool) -> int:
    """Pairs of live stays that share a night."""
    return await db.fetchval(
        """
        SELECT count(*)
          FROM reservation AS one
          JOIN reservation AS other USING (property_id)
         WHERE one.reservation_id < other.reservation_id
           AND one.cancelled_at IS NULL AND other.cancelled_at IS NULL
           AND daterange(one.arrival, one.departure) && daterange(other.arrival, other.departure)
        """
    )


STEPS = st.lists(
    st.tuples(st.sampled_from(["book", "book", "book", "cancel", "turnover"]), st.integers(0, 30), st.integers(0, 6)),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_nights_never_overlap_after_any_sequence_of_writes(
    provider_db: asyncpg.Pool, steps: list[tuple[str, int, int]]
) -> None:
    name = await provider_db.fetchval(
        "INSERT INTO property (property_id, description) VALUES (uuidv7()::text, 'x') RETURNING property_id"
    )
    for action, day, size in steps:
        arrival = START + day * DAY
        try:
            if action == "book":
                await provider_db.execute(INSERT, name, arrival, arrival + size * DAY)
            elif action == "cancel":
                await provider_db.execute(
                    "UPDATE reservation SET cancelled_at = now() WHERE property_id = $1 AND arrival <= $2"
                    "   AND departure > $2 AND cancelled_at IS NULL",
                    name, arrival,
                )  # fmt: skip
            else:
                await provider_db.execute("UPDATE property SET turnover_days = $2 WHERE property_id = $1", name, size)
        except IN_THE_WAY:
            pass
        stays = await provider_db.fetch(
            "SELECT arrival, departure, free_from FROM reservation"
            " WHERE property_id = $1 AND cancelled_at IS NULL ORDER BY arrival",
            name,
        )
        turnover = await provider_db.fetchval("SELECT turnover_days FROM property WHERE property_id = $1", name)
        arrivals = [*(stay["arrival"] for stay in stays), date.max]
        for stay, next_arrival in zip(stays, arrivals[1:], strict=True):
            assert stay["departure"] <= next_arrival
            assert stay["free_from"] == min(stay["departure"] + turnover * DAY, next_arrival)


async def test_every_key_includes_the_distribution_column(provider_db: asyncpg.Pool) -> None:
    """A sharded table can enforce a key only within a shard."""
    keys = await provider_db.fetch(
        """
        SELECT relation.relname AS name, index.indexrelid::regclass::text AS key,
               array_agg(attribute.attname::text) AS columns
          FROM pg_index AS index
          JOIN pg_class AS relation ON relation.oid = index.indrelid
          LEFT JOIN pg_attribute AS attribute
            ON attribute.attrelid = index.indrelid AND attribute.attnum = ANY(index.indkey)
         WHERE relation.relname = ANY($1::text[])
           AND (index.indisprimary OR index.indisunique OR index.indisexclusion)
         GROUP BY relation.relname, index.indexrelid
        """,
        list(DISTRIBUTION),
    )

    assert {key["name"] for key in keys} == set(DISTRIBUTION)
    assert {key["key"] for key in keys} >= {"property_pkey", "reservation_pkey", "reservation_no_night_twice"}
    for key in keys:
        assert DISTRIBUTION[key["name"]] in key["columns"], key["key"]
