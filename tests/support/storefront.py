"""A guest of the storefront."""

import uuid
from datetime import date, timedelta
from typing import Any

from quart import Response

from common.web.resources import Application


def start_dates(problem: Any) -> list[date]:
    """The start dates of the alternatives of a search that found nothing."""
    return [date.fromisoformat(each["start_date"]) for each in problem["alternatives"]]


class Guest:
    """A client with a bearer token. Calls return the response and its decoded JSON."""

    def __init__(self, app: Application, token: str | None = None) -> None:
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {token or uuid.uuid4()}"}

    async def call(self, method: str, path: str, *, key: str | None = None, **options: Any) -> tuple[Response, Any]:
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        if "data" in options:
            headers["Content-Type"] = "application/json"
        answer = await self.client.open(path, method=method, headers=headers, **options)
        return answer, await answer.get_json() if "json" in (answer.content_type or "") else None

    async def get(self, path: str) -> tuple[Response, Any]:
        return await self.call("GET", path)

    async def create_property(self, property_id: str | None = None, **fields: Any) -> str:
        body = {"description": "A place to sleep", **fields}
        if property_id is not None:
            body["property_id"] = property_id
        answer, created = await self.call("POST", "/properties", json=body)
        assert answer.status_code == 201, created
        return created["property_id"]

    async def reserve(
        self, property_id: str, start: date, nights: int, key: str | None = None, guests: int | None = None
    ) -> tuple[Response, Any]:
        body = {"property_id": property_id, "start_date": start.isoformat(), "nights": nights}
        if guests is not None:
            body["guests"] = guests
        return await self.call("POST", "/reservations", json=body, key=key)

    async def cancel(self, reservation_id: str) -> int:
        return (await self.call("DELETE", f"/reservations/{reservation_id}"))[0].status_code

    async def available(self, start: date, nights: int, **filters: int) -> list[str]:
        """Return the ids of the available properties; a 404 means none."""
        query = "".join(f"&{name}={value}" for name, value in filters.items())
        answer, found = await self.get(f"/properties/available?start_date={start}&nights={nights}&limit=1000{query}")
        assert answer.status_code in (200, 404), found
        return [] if answer.status_code == 404 else [each["property_id"] for each in found]

    async def calendar(self, property_id: str, first: date, nights: int) -> list[str]:
        """Return the statuses of the nights from `first` on."""
        path = f"/properties/{property_id}/calendar?from={first}&to={first + timedelta(days=nights)}"
        answer, found = await self.get(path)
        assert answer.status_code == 200, found
        return [night["status"] for night in found["nights"]]
