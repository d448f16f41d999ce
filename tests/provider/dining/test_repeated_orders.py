"""Whose Idempotency-Key it is: a guest's by the address, staff's by the user's name."""

from typing import Any

from tests.support.callers import sent_from
from tests.support.restaurant import Restaurant

KEY = {"Idempotency-Key": "1"}
ORDER = {"email": "ann@example.com"}


async def order(restaurant: Restaurant, table: int, address: str = "192.0.2.1") -> Any:
    path = f"/api/customer/book_table/?id={table}"
    return await restaurant.client.post(path, json=ORDER, headers=KEY, scope_base=sent_from(address))


async def test_guests_at_two_addresses_may_use_the_same_key(restaurant: Restaurant) -> None:
    table = await restaurant.add_table()

    first, again = await order(restaurant, table), await order(restaurant, table)
    other = await order(restaurant, table, address="192.0.2.2")

    assert [answer.status_code for answer in (first, again, other)] == [201, 201, 201]
    assert await first.get_data() == await again.get_data() != await other.get_data()
    assert await restaurant.db.fetchval("SELECT count(*) FROM dining_booking") == 2


async def test_the_key_of_an_order_for_one_table_does_not_order_another(restaurant: Restaurant) -> None:
    first, second = await restaurant.add_table(), await restaurant.add_table()
    await order(restaurant, first)

    answer = await order(restaurant, second)

    assert answer.status_code == 422
    assert await restaurant.db.fetchval("SELECT count(*) FROM dining_booking") == 1


async def test_staff_may_repeat_a_request_after_a_new_login(restaurant: Restaurant) -> None:
    answers = []
    for _ in range(2):
        headers = {"Authorization": f"Bearer {(await restaurant.log_in())['access']}", **KEY}
        answers.append(await restaurant.client.post("/api/admin/add_table/", json={}, headers=headers))

    assert await answers[0].get_data() == await answers[1].get_data()
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert await restaurant.db.fetchval("SELECT count(*) FROM dining_table") == 1
