"""The page behind the cancel button."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.fake_smtp import FakeSmtp, cancel_path
from tests.support.restaurant import EVENING, START, Restaurant


async def book_with_email(restaurant: Restaurant, fake_smtp: FakeSmtp, **order: Any) -> tuple[int, str]:
    """Book a table; returns the id of the booking and the path of the cancel button in its email."""
    await restaurant.send_mails()
    booking = await restaurant.book(await restaurant.add_table(), **{"email": "ann@example.com", **order})
    await restaurant.send_mails()
    return booking, cancel_path(fake_smtp.mails[-1])


async def test_opening_the_page_changes_nothing_and_the_button_cancels(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    booking, path = await book_with_email(restaurant, fake_smtp)

    for method in ("GET", "HEAD", "GET"):
        response = await restaurant.open(path, method)
        assert response.status_code == 200
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "unsafe" not in response.headers["Content-Security-Policy"]
    page = await response.get_data(as_text=True)
    assert '<form method="post">' in page
    assert "<script" not in page
    assert "ann@example.com" not in page
    assert await restaurant.status(booking) == "waiting"

    response = await restaurant.client.post(path)
    assert response.status_code == 200
    assert await restaurant.status(booking) == "cancelled"


async def test_cancelling_again_changes_nothing_and_reveals_nothing(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    booking, path = await book_with_email(restaurant, fake_smtp, name="Ann")
    await restaurant.client.post(path)

    again = await restaurant.client.post(path, form={"whatever": "comes"})
    reopened = await restaurant.client.get(path)

    for response in (again, reopened):
        page = await response.get_data(as_text=True)
        assert response.status_code == 200
        assert "is cancelled" in page
        assert "<form" not in page
        assert str(booking) not in page
    await restaurant.send_mails()
    assert [str(mail["Subject"]) for mail in fake_smtp.mails].count("Your table is cancelled") == 1
    history = await (await restaurant.admin("GET", f"view_booking/?id={booking}")).get_json()
    assert [change["changed_by"] for change in history["changes"]] == ["guest", "guest"]


async def test_a_confirmed_booking_can_be_cancelled_and_a_declined_one_cannot(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    first, path = await book_with_email(restaurant, fake_smtp)
    await restaurant.admin("POST", f"accept_booking/?id={first}")
    assert (await restaurant.client.post(path)).status_code == 200
    second, path = await book_with_email(restaurant, fake_smtp)
    await restaurant.admin("POST", f"cancel_booking/?id={second}")

    page, response = await restaurant.client.get(path), await restaurant.client.post(path)

    assert "<form" not in await page.get_data(as_text=True)
    assert response.status_code == 409
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"
    assert await restaurant.status(first) == "cancelled"
    assert await restaurant.status(second) == "declined"


async def test_all_invalid_tokens_get_the_same_answer(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    booking, path = await book_with_email(restaurant, fake_smtp)
    _, expired = await book_with_email(restaurant, fake_smtp, starts_at=START)
    await restaurant.db.execute(
        "UPDATE dining_cancel_token SET expires_at = now() WHERE expires_at > now() + interval '100 days'"
    )
    altered = path[:-1] + ("A" if path[-1] != "A" else "B")
    root = path.partition("=")[0] + "="
    bodies = set()

    for bad in (altered, path + "x", path[:-1], root, root + "A" * 43, root + "%00", root + "%F0%9F%98%80", expired,
                f"{root}{booking}", root + "x" * 5000):  # fmt: skip
        for method in ("GET", "POST"):
            response = await restaurant.open(bad, method, headers={"X-Request-ID": "same"})
            assert response.status_code == 404
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.headers["Cache-Control"] == "no-store"
            bodies.add(await response.get_data())

    assert len(bodies) == 1
    assert await restaurant.status(booking) == "waiting"


async def test_a_link_without_a_token_is_invalid(restaurant: Restaurant) -> None:
    assert (await restaurant.client.get("/api/customer/cancel_booking/")).status_code == 400


async def test_the_token_is_not_stored_once_its_email_is_sent(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    _, path = await book_with_email(restaurant, fake_smtp)
    token = path.partition("=")[2]
    assert len(token) >= 43

    tables = await restaurant.db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for (table,) in tables:
        rows = await restaurant.db.fetch(f'SELECT "{table}"::text FROM "{table}"')
        assert not any(token in row[0] for row in rows), table


async def test_a_link_works_until_the_booking_starts(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    await book_with_email(restaurant, fake_smtp, starts_at=START)
    expires = await restaurant.db.fetchval("SELECT expires_at FROM dining_cancel_token")

    assert expires == EVENING


async def test_the_button_works_when_an_old_order_is_confirmed(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    booking, _ = await book_with_email(restaurant, fake_smtp)
    await restaurant.db.execute("ALTER TABLE dining_booking DISABLE TRIGGER USER")
    await restaurant.db.execute("UPDATE dining_booking SET created_at = now() - interval '40 days'")
    await restaurant.db.execute("ALTER TABLE dining_booking ENABLE TRIGGER USER")
    await restaurant.admin("POST", f"accept_booking/?id={booking}")
    await restaurant.send_mails()

    path = cancel_path(fake_smtp.mails[-1])

    assert (await restaurant.client.post(path)).status_code == 200
    assert await restaurant.status(booking) == "cancelled"


@pytest.mark.parametrize("number", [0, 1])
async def test_the_button_of_each_email_of_a_booking_works(
    restaurant: Restaurant, fake_smtp: FakeSmtp, number: int
) -> None:
    booking, first = await book_with_email(restaurant, fake_smtp)
    await restaurant.admin("POST", f"accept_booking/?id={booking}")
    await restaurant.send_mails()
    second = cancel_path(fake_smtp.mails[-1])
    assert first != second

    assert (await restaurant.client.post((first, second)[number])).status_code == 200
    assert await restaurant.status(booking) == "cancelled"


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


async def test_unknown_parameters_of_the_link_are_ignored(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    """Mail programs and social networks add theirs."""
    booking, path = await book_with_email(restaurant, fake_smtp)

    for method in ("GET", "POST"):
        response = await restaurant.open(f"{path}&utm_source=mail&fbclid=x", method)
        assert (response.status_code, response.mimetype) == (200, "text/html")
    assert await restaurant.status(booking) == "cancelled"


@pytest.mark.parametrize(("query", "status"), [("?id=unknown", 404), ("", 400), ("?id=a&id=b", 400)])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_link_that_does_not_work_is_answered_with_a_page(
    restaurant: Restaurant, method: str, query: str, status: int
) -> None:
    response = await restaurant.open(f"/api/customer/cancel_booking/{query}", method, headers=BROWSER)

    assert (response.status_code, response.mimetype) == (status, "text/html")
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"


async def test_a_button_that_comes_too_late_is_answered_with_a_page(
    restaurant: Restaurant, fake_smtp: FakeSmtp
) -> None:
    booking, path = await book_with_email(restaurant, fake_smtp)
    await restaurant.admin("POST", f"cancel_booking/?id={booking}")

    response = await restaurant.open(path, "POST", headers=BROWSER)

    assert (response.status_code, response.mimetype) == (409, "text/html")
    assert "The booking is declined." in await response.get_data(as_text=True)


async def test_the_page_of_an_expired_order_has_no_button(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    booking, path = await book_with_email(restaurant, fake_smtp, starts_at=START)
    await restaurant.expire_orders(datetime(3000, 1, 1, tzinfo=UTC))
    assert await restaurant.status(booking) == "expired"

    page = await (await restaurant.client.get(path)).get_data(as_text=True)
    assert "The time of your order has passed" in page
    assert "<form" not in page
    assert (await restaurant.client.post(path)).status_code == 409


async def test_each_email_has_a_token_of_its_own(restaurant: Restaurant, fake_smtp: FakeSmtp) -> None:
    booking, path = await book_with_email(restaurant, fake_smtp)
    await restaurant.admin("POST", f"accept_booking/?id={booking}")
    await restaurant.send_mails()

    paths = [path, cancel_path(fake_smtp.mails[-1])]
    assert paths[0] != paths[1]
    assert [(await restaurant.client.get(each)).status_code for each in paths] == [200, 200]
