"""The erasure of guests, on request and by age: no copy of their data is left, and the bookings stay."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aioresponses import aioresponses
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from common.db.pool import transaction
from common.jobs.scheduler import run_now
from provider.dining import service
from provider.dining.erasure import erase_old_guests
from provider.dining.inputs import ErasureInput
from provider.dining.models import Actor
from provider.resources import resources_of
from provider.schedule import jobs
from tests.support.fake_smtp import FakeSmtp, cancel_path
from tests.support.restaurant import ACCOUNTING_URL, START, Restaurant

ORDERS = f"{ACCOUNTING_URL}/orders"
EMAIL, PHONE, NAME = "Ann.Archer@example.com", "+4930123456", "Ann Archer"


async def erase(restaurant: Restaurant, **guest: Any) -> int:
    response = await restaurant.admin("POST", "erase_guest/", json=guest)
    assert response.status_code == 200, await response.get_data(as_text=True)
    erased: int = (await response.get_json())["bookings"]
    return erased


async def rows_with(restaurant: Restaurant, *texts: str) -> list[str]:
    """Return the names of the tables in which one of the texts stands, in any case."""
    tables = await restaurant.db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = []
    for (table,) in tables:
        rows = await restaurant.db.fetch(f'SELECT to_jsonb("{table}")::text AS row, "{table}"::text FROM "{table}"')
        binary = [text.encode().hex() for text in texts]
        if any(text.lower() in row.lower() for each in rows for row in each for text in (*texts, *binary)):
            found.append(table)
    return sorted(found)


async def book_everywhere(restaurant: Restaurant) -> int:
    """Order with a key, so that the guest stands in bookings, messages, stored responses and the inbox of the demo."""
    table = await restaurant.add_table()
    order = {"email": EMAIL, "phone": PHONE, "name": NAME, "starts_at": START}
    headers = {"Idempotency-Key": "k"}
    answer = await restaurant.client.post(f"/api/customer/book_table/?id={table}", json=order, headers=headers)
    booking: int = (await answer.get_json())["id"]
    await restaurant.send_mails()
    await restaurant.admin("POST", f"accept_booking/?id={booking}")
    await restaurant.db.execute(
        "INSERT INTO demo_mail (sender, recipients, source) VALUES ('a@b.example', $1, $2)",
        [EMAIL.upper()],
        f"To: {EMAIL}\r\n\r\nDear {NAME}".encode(),
    )
    return booking


@pytest.mark.parametrize(
    "guest", [{"email": EMAIL.lower()}, {"phone": "+49 30 123456"}, {"email": EMAIL, "phone": PHONE}]
)
async def test_an_erased_guest_stands_nowhere_any_more_and_the_booking_stays(
    restaurant: Restaurant, fake_smtp: FakeSmtp, guest: dict[str, str]
) -> None:
    booking = await book_everywhere(restaurant)
    assert await rows_with(restaurant, EMAIL) == ["demo_mail", "dining_booking", "idempotency_key", "outbox"]

    assert await erase(restaurant, **guest) == 1

    assert await rows_with(restaurant, EMAIL, PHONE, NAME, "Archer") == []
    shown = (await (await restaurant.admin("GET", f"view_booking/?id={booking}")).get_json())["booking"]
    assert (shown["status"], shown["starts_at"], shown["price"]) == ("confirmed", START, 0)
    assert (shown["email"], shown["phone"], shown["name"]) == (None, None, None)
    assert shown["erased_at"] is not None
    assert [each["status"] for each in await restaurant.history(booking)] == ["waiting", "confirmed"]
    assert await erase(restaurant, **guest) == 0


async def test_other_guests_and_their_messages_stay(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    await book_everywhere(restaurant)
    table = await restaurant.add_table()
    other = await restaurant.book(table, email="ann.archer@example.org", phone="+4930123457", name="Ben")
    before = await restaurant.db.fetch("SELECT * FROM outbox WHERE subject = $1 ORDER BY id", f"booking:{other}")

    assert await erase(restaurant, email=EMAIL, phone=PHONE) == 1

    assert (
        await restaurant.db.fetch("SELECT * FROM outbox WHERE subject = $1 ORDER BY id", f"booking:{other}") == before
    )
    assert await rows_with(restaurant, "ann.archer@example.org", "+4930123457") == ["dining_booking", "outbox"]


async def test_all_bookings_with_the_email_or_the_phone_are_meant(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    bookings = [
        await restaurant.book(table, email="ann@example.com"),
        await restaurant.book(table, phone=PHONE),
        await restaurant.book(table, email="ANN@example.com", phone="+4930123457"),
        await restaurant.book(table, email="ben@example.com"),
    ]

    assert await erase(restaurant, email="ann@EXAMPLE.com", phone=PHONE) == 3

    erased = await restaurant.db.fetch("SELECT id FROM dining_booking WHERE erased_at IS NOT NULL ORDER BY id")
    assert [row["id"] for row in erased] == bookings[:3]


@pytest.mark.parametrize(
    ("guest", "field"),
    [({}, "phone"), ({"email": None, "phone": None}, "phone"), ({"email": "ann"}, "email"), ({"phone": "1"}, "phone"),
     ({"email": "ann@example.com", "name": "Ann"}, "name")],
)  # fmt: skip
async def test_a_request_without_a_valid_address_is_refused(
    restaurant: Restaurant, guest: dict[str, Any], field: str
) -> None:
    response = await restaurant.admin("POST", "erase_guest/", json=guest)

    assert response.status_code == 400
    assert [error["field"] for error in (await response.get_json())["errors"]] == [field]


async def test_the_accounting_program_hears_of_the_erasure_after_what_it_heard_before(restaurant: Restaurant) -> None:
    await book_everywhere(restaurant)
    await erase(restaurant, email=EMAIL)

    with aioresponses() as accounting:
        accounting.post(ORDERS, status=200, repeat=True)
        await restaurant.forward_orders()
        calls = accounting.requests["POST", URL(ORDERS)]

    orders = [json.loads(call.kwargs["data"]) for call in calls]
    assert [(order["status"], order["erased"]) for order in orders] == [
        ("waiting", False), ("confirmed", False), ("confirmed", True)
    ]  # fmt: skip
    assert {order[name] for order in orders for name in ("email", "phone", "name")} == {None}


async def test_an_erased_guest_gets_no_messages_and_the_booking_can_still_be_cancelled(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    booking = await book_everywhere(restaurant)
    path = cancel_path(fake_smtp.mails[0])
    await erase(restaurant, phone=PHONE)
    sent = len(fake_smtp.mails)

    assert (await restaurant.client.post(path)).status_code == 200
    assert await restaurant.status(booking) == "cancelled"
    assert (await restaurant.send_guest_messages())["sent"] == 0
    assert len(fake_smtp.mails) == sent


async def test_a_waiting_order_of_an_erased_guest_expires_in_silence(restaurant: Restaurant) -> None:
    await restaurant.book(await restaurant.add_table(), phone=PHONE, starts_at=START)
    await erase(restaurant, phone=PHONE)

    assert await restaurant.expire_orders(datetime(3000, 1, 1, tzinfo=UTC)) == {"expired": 1}
    assert await restaurant.db.fetchval("SELECT count(*) FROM outbox WHERE topic <> 'accounting'") == 0


async def test_a_confirmation_and_an_erasure_at_the_same_time_leave_nothing(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    for number in range(10):
        booking = await restaurant.book(table, email=f"Archer{number}@example.com")

        async def confirm(booking: int = booking) -> None:
            async with transaction(restaurant.db) as connection:
                settings, actor, now = restaurant.settings, Actor("admin", "admin"), datetime.now(UTC)
                await service.confirm_booking(connection, settings, booking, actor, now)

        await asyncio.gather(confirm(), erase(restaurant, email=f"archer{number}@example.com"))
    assert await rows_with(restaurant, "archer") == []
    assert await restaurant.db.fetchval("SELECT count(*) FROM dining_booking WHERE status = 'confirmed'") == 10


async def age(restaurant: Restaurant, days: float, *, ended: float | None = None) -> int:
    """Book, and let the booking be that many days old and its end that many ago; returns its id."""
    booking = await restaurant.book(await restaurant.add_table(), email="ann@example.com", starts_at=START)
    async with restaurant.db.acquire() as connection, connection.transaction():
        await connection.execute("ALTER TABLE dining_booking DISABLE TRIGGER USER")
        await connection.execute(
            """
            UPDATE dining_booking
               SET changed_at = now() - $2::interval, starts_at = now() - $3::interval - minutes * interval '1 minute'
             WHERE id = $1
            """,
            booking, timedelta(days=days), timedelta(days=days if ended is None else ended),
        )  # fmt: skip
        await connection.execute("ALTER TABLE dining_booking ENABLE TRIGGER USER")
    return booking


async def test_guests_are_erased_by_age_of_the_end_and_of_the_last_change(restaurant: Restaurant) -> None:
    old = [await age(restaurant, 731), await age(restaurant, 800, ended=730.1)]
    for young in ({"days": 729.9}, {"days": 800, "ended": 729.9}, {"days": 729.9, "ended": 800}, {"days": 0}):
        await age(restaurant, **young)
    arguments = restaurant.db, restaurant.settings, datetime.now(UTC), timedelta(days=730)

    assert [await erase_old_guests(*arguments, 1) for _ in range(3)] == [1, 1, 0]

    erased = await restaurant.db.fetch("SELECT id FROM dining_booking WHERE erased_at IS NOT NULL ORDER BY id")
    assert [row["id"] for row in erased] == old
    events = await restaurant.db.fetch("SELECT subject FROM outbox WHERE event = 'erased' ORDER BY id")
    assert sorted(row["subject"] for row in events) == [f"booking:{each}" for each in old]


@pytest.mark.parametrize(("keep", "erased"), [(730, 1), (0, 0)])
async def test_the_nightly_job_erases_old_guests(restaurant: Restaurant, keep: int, erased: int) -> None:
    await age(restaurant, 1000)
    resources = resources_of(restaurant.app)
    object.__setattr__(resources.config, "keep_guests_days", keep)
    [forget_old] = [job for job in jobs(resources) if job.name == "forget_old"]

    assert (await run_now(restaurant.db, forget_old))["guests"] == erased


texts = st.text(st.characters(codec="utf-8"), max_size=20)


@settings(max_examples=200)
@given(email=st.none() | texts, phone=st.none() | texts)
def test_any_input_is_read_or_refused(email: str | None, phone: str | None) -> None:
    try:
        guest = ErasureInput(email=email, phone=phone)
    except ValueError:
        return
    assert guest.email or guest.phone
