"""An operator with a browser, and what makes the system's page say that something is wrong."""

from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
from quart import Response
from quart.typing import TestClientProtocol as Client

from common.outbox.queries import enqueue
from common.web.resources import Application
from dashboard.alerts.models import TOPIC as ALERT_TOPIC
from dashboard.bookings.decoding import BookingEvent, RejectedEvent
from dashboard.bookings.queries import differences
from dashboard.bookings.queries.quarantine import upsert_quarantine
from dashboard.front_desk.service import TOPIC as DECISION_TOPIC
from tests.support.pages import BROWSER, Element, by_id, read_page, styled

TOKEN = "the-token-of-operators"
PATH = "/board/system"
HOUR_JOB = "recount_hotels"


class Operator:
    """An operator with a browser."""

    def __init__(self, app: Application) -> None:
        self.client: Client = app.test_client()

    async def get(self, path: str = PATH, status: int = 200) -> Response:
        answer = await self.client.get(path, headers=BROWSER)
        assert answer.status_code == status, await answer.get_data(as_text=True)
        return answer

    async def page(self, path: str = PATH) -> Element:
        return read_page(await (await self.get(path)).get_data(as_text=True))

    async def json(self, path: str) -> Any:
        answer = await self.client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        return await answer.get_json()

    async def post(self, path: str, headers: dict[str, str] | None = None, /, **fields: str) -> Response:
        return await self.client.post(f"{PATH}/{path}", form=fields, headers={**BROWSER, **(headers or {})})

    async def notice(self, path: str, /, **fields: str) -> str:
        """The notice after a form."""
        answer = await self.post(path, **fields)
        assert answer.status_code == 303, await answer.get_data(as_text=True)
        page = await self.page(answer.headers["Location"])
        (notice,) = styled(page, "notice")
        return notice.text


async def has_run(db: asyncpg.Pool, name: str) -> bool:
    return await db.fetchval(
        "SELECT EXISTS (SELECT FROM job WHERE name = $1 AND last_outcome IS NOT NULL AND expires_at IS NULL)", name
    )


def text_of(element: Element) -> str:
    return " ".join(element.text.split())


def headline(page: Element) -> str:
    return text_of(by_id(page, "state"))


async def break_everything(db: asyncpg.Pool) -> None:
    """A job that failed three times, a late and cut-off feed, differences, a correction, quarantine, dead messages."""
    await fail_three_times(db)
    await db.execute(
        "UPDATE feed_progress SET data_through = now() - interval '20 minutes', first_read_at = now(), past_events = 7"
    )
    await db.execute(
        "INSERT INTO feed_cut_off VALUES ('main', '2026-01-02T03:04:05Z', 'at most 1,000 are sent', now(), now())"
    )
    await store_differences(db)
    await upsert_quarantine(db, "main", [RejectedEvent("{}", "status must be 1 or 2")])
    await insert_dead(db, DECISION_TOPIC, "table:3", "order 7 decision 1")
    await insert_dead(db, ALERT_TOPIC, "feed_behind main", "17")


async def fail_three_times(db: asyncpg.Pool, name: str = HOUR_JOB) -> None:
    error = (
        "UpstreamError: GET /events: ClientConnectorError Cannot connect to host feed.example:443 ssl:default [None]"
    )
    await db.execute(
        "UPDATE job SET last_outcome = 'failed', last_error = $2, failures = 3, last_result = '{}' WHERE name = $1",
        name,
        error,
    )


async def store_differences(db: asyncpg.Pool) -> None:
    """An event that the feed has changed, one that it no longer has, and a correction."""
    counted = [event(number, "101") for number in (1, 2, 3)]
    await differences.upsert_changed_events(db, "main", counted[:1], [event(1, "<b>102")], datetime.now(UTC))
    await differences.upsert_missing_events(db, "main", counted[2:], datetime.now(UTC))
    await differences.update_applied_differences(db, "main", [3], datetime.now(UTC), "The vendor deleted tests")
    await differences.upsert_missing_events(db, "main", counted[1:2], datetime.now(UTC))


def event(number: int, room: str) -> BookingEvent:
    value = {
        "id": number,
        "hotel_id": 70 + number,
        "event_timestamp": "2026-11-01T10:00:00Z",
        "status": 1,
        "room_id": room,
        "night_of_stay": "2026-12-12",
    }
    return msgspec.convert(value, BookingEvent)


async def insert_dead(db: asyncpg.Pool, topic: str, subject: str, event_name: str) -> int:
    """A message that was given up; returns its id."""
    await enqueue(db, topic, subject, event_name, {})
    return await db.fetchval(
        """
        UPDATE outbox
           SET state = 'dead', settled_at = now(), attempts = 8, last_error = 'UpstreamError: POST /x answered 503'
         WHERE subject = $1 AND event = $2
        RETURNING id
        """,
        subject,
        event_name,
    )
