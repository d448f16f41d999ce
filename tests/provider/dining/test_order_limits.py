"""How many orders guests may send: per address, and per recipient of the messages about them."""

import asyncio
from typing import Any

import pytest

from tests.support.callers import sent_from
from tests.support.restaurant import Restaurant


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PROVIDER_ORDERS_PER_HOUR": "6"}


async def order(restaurant: Restaurant, table: int, address: str = "192.0.2.1", **body: Any) -> Any:
    return await restaurant.client.post(
        f"/api/customer/book_table/?id={table}", json=body, scope_base=sent_from(address)
    )


async def test_an_address_may_order_so_often_an_hour_and_another_still_may(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()

    answers = [await order(restaurant, table, email=f"guest{number}@example.com") for number in range(7)]

    assert [answer.status_code for answer in answers] == [201] * 6 + [429]
    assert int(answers[-1].headers["Retry-After"]) <= 600
    assert '"orders";q=6;w=3600' in answers[-1].headers["RateLimit-Policy"]
    assert (await order(restaurant, table, "192.0.2.2", email="guest9@example.com")).status_code == 201
    assert await restaurant.db.fetchval("SELECT count(*) FROM dining_booking") == 7


async def test_a_mailbox_gets_messages_about_five_orders_an_hour_however_it_is_spelt(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    spellings = ["ann@example.com", "Ann@Example.com", "ann+1@example.com", "ann+2@example.com", "ann@example.com"]

    for number, email in enumerate(spellings):
        assert (await order(restaurant, table, f"192.0.2.{number}", email=email)).status_code == 201

    assert (await order(restaurant, table, "192.0.2.9", email="ann+3@example.com")).status_code == 429
    assert (await order(restaurant, table, "192.0.2.9", email="ben@example.com")).status_code == 201
    assert await restaurant.db.fetchval("SELECT count(*) FROM outbox WHERE topic = 'mail'") == 6


async def test_a_phone_gets_messages_about_five_orders_an_hour(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()

    answers = [await order(restaurant, table, f"192.0.2.{n}", phone="+4930123456") for n in range(6)]

    assert [answer.status_code for answer in answers] == [201] * 5 + [429]


async def test_an_order_that_is_not_valid_does_not_count(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    for _ in range(8):
        assert (await order(restaurant, table, email="nonsense")).status_code == 400

    assert (await order(restaurant, table, email="ann@example.com")).status_code == 201


@pytest.mark.parametrize(
    ("table_offset", "refused", "status"),
    [(0, {"guests": 9}, 400), (0, {"starts_at": "2998-01-01T19:00:00Z"}, 400), (1000, {}, 404)],
)
async def test_an_order_that_is_refused_does_not_count(
    restaurant: Restaurant, table_offset: int, refused: dict[str, Any], status: int
) -> None:
    table = await restaurant.add_table(seats=4)
    for _ in range(8):
        answer = await order(restaurant, table + table_offset, email="ann@example.com", **refused)
        assert answer.status_code == status

    answers = [await order(restaurant, table, email="ann@example.com", guests=4) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [201] * 5 + [429]


async def test_an_order_for_a_closed_table_does_not_count(restaurant: Restaurant) -> None:
    closed, table = await restaurant.add_table(can_be_booked=False), await restaurant.add_table()
    for _ in range(8):
        assert (await order(restaurant, closed, email="ann@example.com")).status_code == 409

    assert (await order(restaurant, table, email="ann@example.com")).status_code == 201


async def test_a_repetition_with_the_same_key_does_not_count(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()
    call: dict[str, Any] = {"json": {"email": "ann@example.com"}, "headers": {"Idempotency-Key": "a-key"}}

    path = f"/api/customer/book_table/?id={table}"
    answers = [await restaurant.client.post(path, **call, scope_base=sent_from("192.0.2.1")) for _ in range(9)]

    assert {answer.status_code for answer in answers} == {201}
    assert '"orders";r=5' in answers[0].headers["RateLimit"]
    assert await restaurant.db.fetchval("SELECT count(*) FROM dining_booking") == 1
    assert (await order(restaurant, table, email="ann@example.com")).status_code == 201


async def test_an_order_beyond_a_limit_leaves_nothing_behind_and_its_key_can_be_used_again(
    restaurant: Restaurant,
) -> None:
    table = await restaurant.add_table()
    for _ in range(5):
        await order(restaurant, table, email="ann@example.com")
    call: dict[str, Any] = {"json": {"email": "ann@example.com"}, "headers": {"Idempotency-Key": "a-key"}}
    path = f"/api/customer/book_table/?id={table}"

    for _ in range(3):
        refused = await restaurant.client.post(path, **call, scope_base=sent_from("192.0.2.1"))
        assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
    await restaurant.db.execute("DELETE FROM rate_limit")
    assert (await restaurant.client.post(path, **call, scope_base=sent_from("192.0.2.1"))).status_code == 201
    assert await restaurant.db.fetchval("SELECT count(*) FROM dining_booking") == 6


async def test_parallel_orders_do_not_exceed_a_limit(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()

    answers = await asyncio.gather(*(order(restaurant, table, email="ann@example.com") for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [429] * 5


async def test_the_demos_own_diners_are_not_limited(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()

    answers = [await order(restaurant, table, email="josh@diners.example") for _ in range(8)]

    assert {answer.status_code for answer in answers} == {201}
    assert await restaurant.db.fetchval("SELECT count(*) FROM rate_limit") == 0


async def test_a_guest_of_a_domain_that_only_ends_like_that_of_the_diners_is_limited(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()

    answers = [await order(restaurant, table, email="josh@evildiners.example") for _ in range(6)]

    assert [answer.status_code for answer in answers] == [201] * 5 + [429]


async def test_staff_may_set_any_number_of_bookings(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()

    for _ in range(8):
        answer = await restaurant.admin("POST", f"set_booking/?id={table}", json={"email": "ann@example.com"})
        assert answer.status_code == 201


class TestOutsideTheDemo:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in environment.items() if name != "NIGHTAUDIT_DEMO"} | {
            "PROVIDER_ADMIN_PASSWORD": "a-password-of-the-admin",
            "PROVIDER_JWT_SECRET": "a-secret-that-signs-the-tokens-of-staff",
        }

    async def test_nobody_is_exempt(self, restaurant: Restaurant) -> None:
        await restaurant.db.execute(
            "INSERT INTO dining_table (table_type, seats, price, can_be_booked) VALUES ('regular', 2, 1, true)"
        )
        table = await restaurant.db.fetchval("SELECT table_id FROM dining_table")

        answers = [await order(restaurant, table, email="josh@diners.example") for _ in range(6)]

        assert [answer.status_code for answer in answers] == [201] * 5 + [429]


class TestSwitchedOff:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"PROVIDER_ORDERS_PER_HOUR": "0"}

    async def test_zero_switches_both_limits_off(self, restaurant: Restaurant) -> None:
        table = await restaurant.add_table()

        answers = [await order(restaurant, table, email="ann@example.com") for _ in range(12)]

        assert {answer.status_code for answer in answers} == {201}
        assert not any("RateLimit" in answer.headers for answer in answers)


class TestBehindATrustedProxy:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"PROVIDER_TRUSTED_PROXIES": "10.0.0.0/24"}

    async def test_two_guests_do_not_share_a_limit(self, restaurant: Restaurant) -> None:
        table = await restaurant.add_table()
        path = f"/api/customer/book_table/?id={table}"

        statuses = []
        for client, number in [("192.0.2.1", n) for n in range(7)] + [("192.0.2.2", 7)]:
            answer = await restaurant.client.post(
                path,
                json={"email": f"guest{number}@example.com"},
                headers={"X-Forwarded-For": client},
                scope_base=sent_from("10.0.0.1"),
            )
            statuses.append(answer.status_code)

        assert statuses == [201] * 6 + [429, 201]
