"""Signatures of requests: valid for ten minutes around our clock, once, and by the old secret as well as the new."""

import hashlib
from datetime import timedelta

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.config import Secret, Secrets
from common.web.errors import Unauthorized
from common.web.signature import (
    SIGNATURE_RETENTION,
    VALID_SECONDS,
    delete_old_signatures,
    insert_used_signature,
    sign,
    verify,
)

OLD, NEW = Secret("the-old-secret-of-both"), Secret("the-new-secret-of-both")
BODY = b'{"order_id": 1}'
NOW = 1_700_000_000.0


@pytest.fixture
async def db(ground_pool: asyncpg.Pool) -> asyncpg.Pool:
    await ground_pool.execute("TRUNCATE used_signature")
    return ground_pool


@pytest.mark.parametrize(("seconds", "valid"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_a_signature_is_valid_up_to_five_minutes_before_and_after_its_time(seconds: int, valid: bool) -> None:
    header = sign(OLD, BODY, NOW)
    if valid:
        verify(Secrets(OLD), header, BODY, NOW + seconds)
    else:
        with pytest.raises(Unauthorized, match="differs from ours"):
            verify(Secrets(OLD), header, BODY, NOW + seconds)


@pytest.mark.parametrize("accepted", [Secrets(OLD, NEW), Secrets(NEW, OLD), Secrets(OLD)])
def test_a_signature_by_any_of_the_secrets_is_valid(accepted: Secrets) -> None:
    assert verify(accepted, sign(OLD, BODY, NOW), BODY, NOW)


def test_a_signature_by_a_secret_that_was_removed_is_refused() -> None:
    with pytest.raises(Unauthorized, match="does not match"):
        verify(Secrets(NEW), sign(OLD, BODY, NOW), BODY, NOW)


def test_the_signature_is_the_documented_hmac() -> None:
    header = sign(OLD, BODY, NOW + 0.9)
    time, digest = header.split(",")
    assert time == "t=1700000000"
    key = OLD.reveal().encode().ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + b"1700000000." + BODY).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).hexdigest()
    assert digest == f"v1={outer}"


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_a_signature_is_valid_for_its_own_body_alone(body: bytes, other: bytes) -> None:
    header = sign(OLD, body, NOW)
    verify(Secrets(OLD), header, body, NOW)
    if other != body:
        with pytest.raises(Unauthorized):
            verify(Secrets(OLD), header, other, NOW)


async def use(db: asyncpg.Pool, header: str, now: float) -> bool:
    """Use a signature as a request would; returns whether it was accepted."""
    digest = verify(Secrets(OLD), header, BODY, now)
    return await insert_used_signature(db, hashlib.sha256(digest).digest())


async def test_a_signature_dated_ahead_is_still_a_replay_after_old_ones_were_deleted(db: asyncpg.Pool) -> None:
    header = sign(OLD, BODY, NOW + 290)
    assert await use(db, header, NOW)
    await db.execute("UPDATE used_signature SET used_at = now() - interval '310 seconds'")

    assert await delete_old_signatures(db, timedelta(0), 100) == 0

    assert not await use(db, header, NOW + 310)


async def test_signatures_are_deleted_a_batch_at_a_time_only_when_none_can_be_valid_any_more(
    db: asyncpg.Pool,
) -> None:
    assert timedelta(seconds=2 * VALID_SECONDS) < SIGNATURE_RETENTION
    await db.execute(
        """
        INSERT INTO used_signature (signature_hash, used_at)
        SELECT age::text::bytea, now() - make_interval(secs => age)
          FROM unnest(ARRAY[0, 599, 890, 910, 3000, 100000]) AS age
        """
    )

    assert [await delete_old_signatures(db, timedelta(0), 2) for _ in range(3)] == [2, 1, 0]
    assert await db.fetchval("SELECT count(*) FROM used_signature") == 3
    await db.execute("UPDATE used_signature SET used_at = now() - interval '2 days'")
    assert await delete_old_signatures(db, timedelta(days=3), 100) == 0
    assert await delete_old_signatures(db, timedelta(days=1), 100) == 3
