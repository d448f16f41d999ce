"""The forms of the system's page: each does what its notice says, also twice, and nothing for another site."""

from collections.abc import Awaitable

import asyncpg
import pytest
import structlog
from quart import Response
from structlog.testing import capture_logs

from dashboard.alerts.models import TOPIC as ALERT_TOPIC
from dashboard.board.routes_page import system
from dashboard.bookings.decoding import RejectedEvent
from dashboard.bookings.queries.quarantine import upsert_quarantine
from dashboard.front_desk.service import TOPIC as DECISION_TOPIC
from tests.dashboard.board.system_operator import HOUR_JOB, PATH, TOKEN, Operator, insert_dead, text_of
from tests.support.pages import addresses, by_id, named, styled, table


async def test_a_job_is_made_due_by_its_button_also_twice(operator: Operator, settled_db: asyncpg.Pool) -> None:
    label = "Recount of hotels in another time zone"
    assert await operator.notice("jobs/run", job=HOUR_JOB) == (
        f"“{label}” was made due: a process begins it within a few seconds."
    )
    await settled_db.execute(
        "UPDATE job SET expires_at = now() + interval '1 hour', due_at = now() + interval '1 hour' WHERE name = $1",
        HOUR_JOB,
    )
    assert await operator.notice("jobs/run", job=HOUR_JOB) == (
        f"“{label}” was running. It was made due again, and runs once more after that run."
    )
    assert await settled_db.fetchval("SELECT due_at <= clock_timestamp() FROM job WHERE name = $1", HOUR_JOB)


async def test_the_notice_of_a_job_that_cannot_run_says_so(operator: Operator, settled_db: asyncpg.Pool) -> None:
    assert await operator.notice("jobs/run", job="night_audit") == (
        "“Night audit” is switched off, so it cannot run. Nothing was changed."
    )
    assert (await operator.post("jobs/run", job="nothing")).status_code == 404
    assert (await operator.post("jobs/run")).status_code == 404
    await settled_db.execute("DELETE FROM job WHERE name = 'forget_old'")
    assert await operator.notice("jobs/run", job="forget_old") in (
        "“Deleting old rows” has never run, and was due anyway. Nothing was changed.",
        "“Deleting old rows” was made due: a process begins it within a few seconds.",
        "“Deleting old rows” was running. It was made due again, and runs once more after that run.",
    )


@pytest.mark.parametrize(
    "query",
    [
        "notice=job_due&job=<b>all+is+lost",
        "notice=message_due&message=x",
        "notice=nothing",
        "notice=nothing&job=forget_old",
        "notice=message_due&job=forget_old",
        "notice=hotel_hidden&message=7",
        "notice=job_due&hotel=7",
    ],
)
async def test_an_address_that_no_form_leads_to_shows_no_notice(operator: Operator, query: str) -> None:
    page = await operator.page(f"{PATH}?{query}&utm_source=mail")

    assert styled(page, "notice") == []
    assert "all is lost" not in page.text


async def test_a_dead_alert_is_retried_once_and_a_replaced_one_never(
    operator: Operator, settled_db: asyncpg.Pool
) -> None:
    first = await insert_dead(settled_db, ALERT_TOPIC, "feed_behind main", "17")
    last = await insert_dead(settled_db, ALERT_TOPIC, "feed_behind main", "18")

    def retry(number: int) -> Awaitable[str]:
        return operator.notice("messages/retry", message=str(number), topic=ALERT_TOPIC)

    assert await retry(first) == (
        f"Message {first} was not made due: a later message about the same subject exists, and the receiver would get "
        "the old state last. Nothing was changed."
    )
    assert await retry(last) == f"Message {last} was made due: it is sent within a few seconds."
    for again in (last, 4711):
        assert await retry(again) == (
            f"Message {again} was not given up, or no longer exists: it may wait again already. Nothing was changed."
        )
    assert await settled_db.fetchval("SELECT array_agg(state ORDER BY id) FROM outbox") == ["dead", "waiting"]


async def test_decisions_of_staff_are_retried_only_where_operators_have_a_token(
    operator: Operator, settled_db: asyncpg.Pool
) -> None:
    number = await insert_dead(settled_db, DECISION_TOPIC, "table:3", "order 7 decision 1")
    outbox = by_id(await operator.page(), "outbox")

    assert named(outbox, "button") == []
    assert "Decisions of staff are retried with the staff token" in text_of(outbox)
    assert (await operator.post("messages/retry", message=str(number), topic=DECISION_TOPIC)).status_code == 400
    assert await settled_db.fetchval("SELECT state FROM outbox") == "dead"


async def test_a_hotel_is_hidden_and_shown_and_keeps_its_profile(
    operator: Operator, settled_db: asyncpg.Pool, houses: None
) -> None:
    """As `PUT /hotels/{id}/profile` does, but for the rest of the profile."""

    def hide(hotel: str, wanted: str = "hidden") -> Awaitable[str]:
        return operator.notice("hotels/hide", hotel=hotel, wanted=wanted)

    async def names() -> list[str]:
        return [hotel["name"] for hotel in (await operator.json("/hotels"))["hotels"]]

    hidden = "Hotel 2 was hidden: lists and sums leave it out, and its events stay counted."
    assert await hide("2") == hidden
    assert await hide("2") == "Hotel 2 was in that state already. Nothing was changed."
    assert await names() == ["Harbour House", None]
    assert await operator.json("/hotels/2/profile") == {
        "hotel_id": 2, "name": "Mill & Garden <Inn>", "rooms": 12, "timezone": None, "hidden": True,
    }  # fmt: skip
    assert "Mill & Garden <Inn>, number 2" in text_of(by_id(await operator.page(), "hotels"))
    assert await hide("3") == hidden.replace("2", "3", 1)

    assert await hide("2", "shown") == "Hotel 2 was put back into lists and sums."
    assert await hide("2", "shown") == "Hotel 2 was in that state already. Nothing was changed."
    assert await hide("99") == "Hotel 99 is not in the feeds, and has no profile. Nothing was changed."
    assert await names() == ["Harbour House", "Mill & Garden <Inn>"]
    for wrong in ({"hotel": "x"}, {"hotel": "0"}, {"hotel": "1", "wanted": "x"}, {"wanted": "hidden"}):
        assert (await operator.post("hotels/hide", **{"wanted": "hidden", **wrong})).status_code == 400


class TestWithTheTokenOfTheApiAlone:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"DASHBOARD_API_TOKEN": "the-token-of-the-api"}

    async def test_the_open_page_hides_no_hotel(
        self, operator: Operator, settled_db: asyncpg.Pool, houses: None
    ) -> None:
        assert "with the API token" in text_of(by_id(await operator.page(), "hotels"))
        assert (await operator.post("hotels/hide", hotel="1", wanted="hidden")).status_code == 400
        assert not (await operator.json("/hotels/1/profile"))["hidden"]


@pytest.mark.parametrize("path", ["jobs/run", "messages/retry", "hotels/hide"])
async def test_a_form_of_another_site_changes_nothing(operator: Operator, settled_db: asyncpg.Pool, path: str) -> None:
    number = await insert_dead(settled_db, ALERT_TOPIC, "feed_behind main", "17")
    before = await settled_db.fetchval("SELECT due_at FROM job WHERE name = $1", HOUR_JOB)
    fields = {"job": HOUR_JOB, "message": str(number), "topic": ALERT_TOPIC, "hotel": "1", "wanted": "hidden"}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://other.example"}):
        assert (await operator.post(path, headers, **fields)).status_code == 403

    assert await settled_db.fetchval("SELECT due_at FROM job WHERE name = $1", HOUR_JOB) == before
    assert await settled_db.fetchval("SELECT state FROM outbox") == "dead"
    assert await settled_db.fetchval("SELECT count(*) FROM hotel_profile") == 0


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"message": "x", "topic": ALERT_TOPIC},
        {"message": "0", "topic": ALERT_TOPIC},
        {"message": "9" * 30, "topic": ALERT_TOPIC},
        {"message": "1", "topic": "other"},
    ],
)
async def test_a_form_that_no_page_has_is_refused(operator: Operator, fields: dict[str, str]) -> None:
    assert (await operator.post("messages/retry", **fields)).status_code == 400


class TestWithAToken:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"DASHBOARD_OPERATIONS_TOKEN": TOKEN}

    async def log_in(self, operator: Operator, target: str = PATH) -> Response:
        return await operator.post("login", token=TOKEN, target=target)

    async def csrf(self, operator: Operator) -> str:
        (field, *_) = [each for each in named(await operator.page(), "input") if each.attributes.get("name") == "csrf"]
        return field.attributes["value"]

    async def test_the_page_asks_for_it_and_leads_back(self, operator: Operator, settled_db: asyncpg.Pool) -> None:
        await upsert_quarantine(settled_db, "main", [RejectedEvent('"a secret of a guest"', "no")])
        asked = await (await operator.get(f"{PATH}?notice=job_due&job=x")).get_data(as_text=True)
        assert 'name="token"' in asked
        assert "a secret of a guest" not in asked
        fingerprint = await settled_db.fetchval("SELECT encode(fingerprint, 'hex') FROM quarantined_event")
        whole = f"{PATH}/quarantine/main/{fingerprint}"
        assert 'name="token"' in await (await operator.get(whole)).get_data(as_text=True)

        answer = await self.log_in(operator, whole)
        assert (answer.status_code, answer.headers["Location"]) == (303, whole)
        assert "Path=/board/system" in answer.headers["Set-Cookie"]
        assert await (await operator.get(whole)).get_data(as_text=True) == '"a secret of a guest"'
        page = await (await operator.get()).get_data(as_text=True)
        assert "a secret of a guest" in page
        assert TOKEN not in page
        assert "with the operations token" in page
        await operator.post("logout", csrf=await self.csrf(operator))
        assert 'name="token"' in await (await operator.get()).get_data(as_text=True)

    async def test_operators_see_why_a_job_fails_also_among_the_alerts(
        self, operator: Operator, settled_db: asyncpg.Pool
    ) -> None:
        await settled_db.execute(
            """
            INSERT INTO alert (rule, subject, detail, since, is_silent)
            VALUES ('job_failing', 'pull_stores', 'It is full.', now(), false)
            """
        )
        await self.log_in(operator)

        alerts = by_id(await operator.page(), "alerts")
        assert "Job failing: pull_stores It is full." in text_of(alerts)
        assert addresses(alerts) == ["/alerts?state=firing", "/alerts?state=firing&format=csv", f"{PATH}#jobs"]
        assert "It is full." not in await (await operator.get("/board/alerts")).get_data(as_text=True)

    async def test_a_form_needs_a_session_and_its_csrf_token(
        self, operator: Operator, settled_db: asyncpg.Pool
    ) -> None:
        number = await insert_dead(settled_db, DECISION_TOPIC, "table:3", "order 7 decision 1")
        fields = {"message": str(number), "topic": DECISION_TOPIC}
        answer = await operator.post("messages/retry", **fields)
        assert answer.headers["Location"] == f"{PATH}?notice=session_expired"
        await self.log_in(operator)
        for wrong in ({}, {"csrf": "0" * 64}):
            assert (await operator.post("messages/retry", **fields, **wrong)).status_code == 403
            assert (await operator.post("jobs/run", job=HOUR_JOB, **wrong)).status_code == 403
            assert (await operator.post("hotels/hide", hotel="1", wanted="hidden", **wrong)).status_code == 403
        assert await settled_db.fetchval("SELECT state FROM outbox") == "dead"

        csrf = await self.csrf(operator)
        assert "was made due" in await operator.notice("messages/retry", csrf=csrf, **fields)
        assert "Nothing was changed" in await operator.notice("messages/retry", csrf=csrf, **fields)
        assert "was made due" in await operator.notice("jobs/run", csrf=csrf, job=HOUR_JOB)
        assert await settled_db.fetchval("SELECT state FROM outbox") == "waiting"


async def test_what_operators_do_is_in_the_log(
    operator: Operator, settled_db: asyncpg.Pool, houses: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "log", structlog.get_logger())  # a logger keeps its first configuration
    number = await insert_dead(settled_db, ALERT_TOPIC, "feed_behind main", "17")
    with capture_logs() as written:
        await operator.post("jobs/run", job=HOUR_JOB)
        await operator.post("messages/retry", message=str(number), topic=ALERT_TOPIC)
        await operator.post("hotels/hide", hotel="2", wanted="hidden")
        await operator.post("hotels/hide", hotel="99", wanted="hidden")

    done = [line for line in written if line["event"].startswith("operator_")]
    assert [{name: line[name] for name in line if name not in ("log_level", "request_id")} for line in done] == [
        {"event": "operator_made_job_due", "job": HOUR_JOB},
        {"event": "operator_retried_message", "message_id": number, "topic": ALERT_TOPIC, "result": "message_due"},
        {"event": "operator_hid_or_showed_hotel", "hotel_id": 2, "result": "hotel_hidden"},
    ]


async def test_of_many_messages_that_were_given_up_the_newest_50_are_shown_and_all_are_counted(
    operator: Operator, settled_db: asyncpg.Pool
) -> None:
    await settled_db.execute(
        """
        INSERT INTO outbox (topic, subject, event, payload, state, settled_at, last_error)
        SELECT $1, 'store_down ' || n, '1', '{}', 'dead', now(), 'x' FROM generate_series(1, 1060) AS n
        """,
        ALERT_TOPIC,
    )
    outbox = by_id(await operator.page(), "outbox")

    assert [len(table(outbox, position)) for position in (1, 2)] == [5, 45]
    assert "The 45 before these" in text_of(outbox)
    assert "The newest 50 of 1,060." in text_of(outbox)
