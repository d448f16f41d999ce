"""The page behind the cancel button."""

from typing import Any

import pytest

from tests.support.post_office import cancel_path


async def link(restaurant: Any, office: Any, **order: Any) -> tuple[int, str]:
    """A booking, and where the button of its mail leads."""
    await restaurant.send_mails()
    booking = await restaurant.booked(await restaurant.add_table(), **{"email": "ann@example.com", **order})
    await restaurant.send_mails()
    return booking, cancel_path(office.mails[-1].get_body(("plain",)).get_content())


async def test_looking_changes_nothing_and_the_button_cancels(restaurant: Any, office: Any) -> None:
    booking, path = await link(restaurant, office)

    for method in ("GET", "HEAD", "GET"):
        answer = await restaurant.client.open(path, method=method)
        assert answer.status_code == 200
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
    page = await answer.get_data(as_text=True)
    assert '<form method="post">' in page
    assert "<script" not in page
    assert "ann@example.com" not in page
    assert await restaurant.status(booking) == "waiting"

    answer = await restaurant.client.post(path)
    assert answer.status_code == 200
    assert await restaurant.status(booking) == "cancelled"


async def test_cancelling_again_is_harmless_and_says_no_more(restaurant: Any, office: Any) -> None:
    booking, path = await link(restaurant, office, name="Ann")
    await restaurant.client.post(path)

    again = await restaurant.client.post(path, form={"whatever": "comes"})
    look = await restaurant.client.get(path)

    for answer in (again, look):
        page = await answer.get_data(as_text=True)
        assert answer.status_code == 200
        assert "is cancelled" in page
        assert "<form" not in page
        assert str(booking) not in page
    await restaurant.send_mails()
    assert [str(mail["Subject"]) for mail in office.mails].count("Your table is cancelled") == 1
    history = await (await restaurant.admin("GET", f"view_booking/?id={booking}")).get_json()
    assert [change["changed_by"] for change in history["changes"]] == ["guest", "guest"]


async def test_a_confirmed_booking_can_be_cancelled_too_and_a_declined_one_cannot(restaurant: Any, office: Any) -> None:
    first, path = await link(restaurant, office)
    await restaurant.admin("POST", f"accept_booking/?id={first}")
    assert (await restaurant.client.post(path)).status_code == 200
    second, path = await link(restaurant, office)
    await restaurant.admin("POST", f"cancel_booking/?id={second}")

    look, answer = await restaurant.client.get(path), await restaurant.client.post(path)

    assert "<form" not in await look.get_data(as_text=True)
    assert answer.status_code == 409
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert await restaurant.status(first) == "cancelled"
    assert await restaurant.status(second) == "declined"


async def test_tokens_that_are_not_good_are_all_alike(restaurant: Any, office: Any) -> None:
    booking, path = await link(restaurant, office)
    _, expired = await link(restaurant, office, starts_at="2999-01-01T19:00:00Z")
    await restaurant.db.execute(
        "UPDATE dining_cancel_token SET expires_at = now() WHERE expires_at > '2998-01-01T00:00:00Z'"
    )
    altered = path[:-1] + ("A" if path[-1] != "A" else "B")
    root = path.partition("=")[0] + "="
    bodies = set()

    for bad in (altered, path + "x", path[:-1], root, root + "A" * 43, root + "%00", root + "%F0%9F%98%80", expired,
                f"{root}{booking}", root + "x" * 5000):  # fmt: skip
        for method in ("GET", "POST"):
            answer = await restaurant.client.open(bad, method=method, headers={"X-Request-ID": "same"})
            assert answer.status_code == 404
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
            bodies.add(await answer.get_data())

    assert len(bodies) == 1
    assert await restaurant.status(booking) == "waiting"


async def test_a_link_without_a_token_is_invalid(restaurant: Any) -> None:
    assert (await restaurant.client.get("/api/customer/cancel_booking/")).status_code == 400


async def test_the_token_is_written_nowhere(restaurant: Any, office: Any) -> None:
    _, path = await link(restaurant, office)
    token = path.partition("=")[2]
    assert len(token) >= 43

    tables = await restaurant.db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for (table,) in tables:
        rows = await restaurant.db.fetch(f'SELECT "{table}"::text FROM "{table}"')
        assert not any(token in row[0] for row in rows), table


async def test_a_link_lasts_until_the_table_is_used(restaurant: Any, office: Any) -> None:
    await link(restaurant, office, starts_at="2999-01-01T19:00:00Z")
    expires = await restaurant.db.fetchval("SELECT expires_at FROM dining_cancel_token")

    assert expires.isoformat() == "2999-01-01T19:00:00+00:00"


async def test_what_is_confirmed_long_after_the_order_has_a_button_that_works(restaurant: Any, office: Any) -> None:
    booking, _ = await link(restaurant, office)
    await restaurant.db.execute("ALTER TABLE dining_booking DISABLE TRIGGER USER")
    await restaurant.db.execute("UPDATE dining_booking SET created_at = now() - interval '40 days'")
    await restaurant.db.execute("ALTER TABLE dining_booking ENABLE TRIGGER USER")
    await restaurant.admin("POST", f"accept_booking/?id={booking}")
    await restaurant.send_mails()

    path = cancel_path(office.mails[-1].get_body(("plain",)).get_content())

    assert (await restaurant.client.post(path)).status_code == 200
    assert await restaurant.status(booking) == "cancelled"


@pytest.mark.parametrize("how", ["mail", "mail again"])
async def test_each_mail_of_a_booking_has_a_button_that_works(restaurant: Any, office: Any, how: str) -> None:
    booking, first = await link(restaurant, office)
    await restaurant.admin("POST", f"accept_booking/?id={booking}")
    await restaurant.send_mails()
    second = cancel_path(office.mails[-1].get_body(("plain",)).get_content())
    assert first != second

    chosen = {"mail": first, "mail again": second}[how]
    assert (await restaurant.client.post(chosen)).status_code == 200
    assert await restaurant.status(booking) == "cancelled"
