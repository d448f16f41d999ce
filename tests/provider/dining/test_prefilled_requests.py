"""The requests that Swagger shows, sent as they stand."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from provider.dining import models
from tests.support.restaurant import Restaurant

NEED_MORE = {
    "/api/token/refresh/", "/api/token/revoke/",  # a token of the log-in
    "/api/customer/cancel_booking/",  # a token from an email
    "/api/admin/retry_message/",  # a dead message
    "/api/accounting/decisions",  # a signature
}  # fmt: skip


async def test_every_prefilled_request_succeeds_in_a_fresh_demo(restaurant: Restaurant) -> None:
    """One after the other, in the order of the page; ids begin at 1 there, and elsewhere here."""
    table = await restaurant.add_table(seats=2)
    token = (await restaurant.log_in())["access"]
    document = await (await restaurant.client.get("/openapi.json")).get_json()
    booking = None

    sent = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path in NEED_MORE or not operation["tags"][0].startswith("dining") or "inbox" in path:
                continue
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
            text = json.dumps(body).replace('"id": 1,', f'"id": {table},') if body is not None else None
            needs_booking = path in ("/api/admin/accept_booking/", "/api/admin/cancel_booking/",
                                     "/api/admin/view_booking/")  # fmt: skip
            required = [each["name"] for each in operation.get("parameters", []) if each.get("required")]
            query = f"?id={booking if needs_booking else table}" if required else ""
            response = await restaurant.open(
                path + query,
                method.upper(),
                data=text,
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            )
            answer = await response.get_json()
            assert response.status_code < 300, (method, path, text, answer)
            if path == "/api/customer/book_table/":
                booking = answer["id"]
            sent.append(path)

    assert {"/api/customer/book_table/", "/api/admin/set_booking/", "/api/admin/opening_hours"} <= set(sent)
    assert len(sent) > 15


@pytest.mark.parametrize("days", range(7))
def test_the_prefilled_time_is_within_the_prefilled_opening_hours(days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(days=days)

    class StandingClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "StandingClock":
            return cls.fromtimestamp(now.timestamp(), tz)

    monkeypatch.setattr(models, "datetime", StandingClock)

    day = models.example_day()
    assert 180 <= (day - now.date()).days < 187
    assert day.weekday() == models.EXAMPLE_HOURS[0]["day"]
    assert models.example_set_booking()["force"] is False
