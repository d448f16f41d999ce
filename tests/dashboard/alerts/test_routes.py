"""GET /alerts, its pages and forms; the announcements that wait; the metric; the page and the frame."""

from io import BytesIO
from typing import Any

import asyncpg
import openpyxl
import pytest

from common.web.resources import Application
from dashboard.alert_rules import RULES
from dashboard.alerts.queries.platform import select_dead_messages
from tests.support.alerts import Alarm, FakeReceiver, Rule
from tests.support.pages import browse, browse_page

TOKEN = "the-token-of-operators"
TOWELS = "0197a3b0-0000-7000-8000-000000000001"


async def get(app: Application, path: str, **headers: str) -> Any:
    return await app.test_client().get(path, headers=headers)


async def listed(app: Application, query: str = "") -> list[dict[str, Any]]:
    response = await get(app, f"/alerts{query}")
    assert response.status_code == 200, await response.get_data()
    found: list[dict[str, Any]] = await response.get_json()
    return found


@pytest.fixture
async def some_alerts(alarm: Alarm) -> None:
    """Two stores that are down, one that was, a feed that is behind, a job that failed and a price below its mark."""
    stores = Rule("store_down", {"7": "Store 7 is down.", "8": "Store 8 is down.", "=9": "Store 9 is down."})
    others = [Rule("feed_behind", {"main": "behind"}), Rule("job_failing", {"pull_stores": "failed with a secret"})]
    prices = Rule("price_below_mark", {TOWELS: "Towels cost 9.99."})
    await alarm.db.execute(
        "INSERT INTO product (product_id, name, description) VALUES ($1, 'Towels & soap', '')", TOWELS
    )
    await alarm.evaluate(stores, *others, prices)
    del stores.firing["8"]
    await alarm.evaluate(stores, *others, prices)


@pytest.mark.usefixtures("some_alerts")
class TestList:
    async def test_it_has_the_latest_change_first(self, dashboard_app: Application) -> None:
        first, *others = await listed(dashboard_app)
        assert first | {"id": 0} == {
            "id": 0, "rule": "store_down", "subject": "8", "state": "resolved", "at": "2026-03-01T12:00:20.000000Z",
            "detail": "No longer: 8.", "since": "2026-03-01T12:00:10.000000Z",
        }  # fmt: skip
        assert [each["id"] for each in others] == sorted((each["id"] for each in others), reverse=True)
        assert {each["state"] for each in others} == {"firing"}

    async def test_it_can_be_filtered_by_state_and_rule(self, dashboard_app: Application) -> None:
        assert {each["subject"] for each in await listed(dashboard_app, "?state=firing&rule=store_down")} == {"7", "=9"}
        assert [each["subject"] for each in await listed(dashboard_app, "?state=resolved")] == ["8"]
        assert await listed(dashboard_app, "?rule=dead_message") == []

    async def test_its_pages_are_the_whole(self, dashboard_app: Application) -> None:
        whole = [each["id"] for each in await listed(dashboard_app)]
        found, path = [], "/alerts?limit=2"
        while path:
            response = await get(dashboard_app, path)
            page = await response.get_json()
            assert len(page) <= 2
            found += [each["id"] for each in page]
            path = response.headers.get("Link", "").partition(">")[0].removeprefix("<")
        assert found == whole

    @pytest.mark.parametrize(
        "query", ["?state=broken", "?rule=storedown", "?limit=0", "?cursor=x", "?stat=firing", "?format=pdf"]
    )
    async def test_a_wrong_parameter_is_refused(self, dashboard_app: Application, query: str) -> None:
        response = await get(dashboard_app, f"/alerts{query}")
        assert (response.status_code, response.content_type) == (400, "application/problem+json")

    async def test_it_is_a_table_in_every_form(self, dashboard_app: Application) -> None:
        text = await (await get(dashboard_app, "/alerts?format=csv")).get_data(as_text=True)
        lines = text.splitlines()
        assert lines[0] == "id,rule,subject,state,at,detail,since"
        assert len(lines) == 7
        assert ",'=9," in text
        workbook = await (await get(dashboard_app, "/alerts?format=xlsx")).get_data(as_text=False)
        assert openpyxl.load_workbook(BytesIO(workbook)).active.max_row == 7
        assert (await get(dashboard_app, "/alerts", Accept="image/png")).status_code == 406
        assert (await dashboard_app.test_client().head("/alerts")).status_code == 200

    async def test_the_metric_counts_what_fires_by_rule(self, dashboard_app: Application) -> None:
        text = await (await get(dashboard_app, "/metrics")).get_data(as_text=True)
        for rule in RULES:
            expected = {"store_down": 2.0, "feed_behind": 1.0, "job_failing": 1.0, "price_below_mark": 1.0}.get(
                rule, 0.0
            )
            assert f'alerts_firing{{rule="{rule}"}} {expected}' in text


@pytest.mark.usefixtures("some_alerts")
class TestPage:
    async def test_every_page_counts_what_fires_and_leads_to_it(self, dashboard_app: Application) -> None:
        for address in ("/", "/board/hotels", "/board/alerts"):
            page = await browse_page(dashboard_app, address)
            [link] = [each for each in page.below if each.attributes.get("href") == "/board/alerts"]
            assert " ".join(link.text.split()) == "Alerts 5 firing"

    async def test_it_shows_since_when_and_why(self, dashboard_app: Application) -> None:
        page = await browse_page(dashboard_app, "/board/alerts")
        firing, over = (
            [" ".join(each.text.split()) for each in page.below if each.attributes.get("class") == "card"][start:end]
            for start, end in ((0, 5), (5, None))
        )
        assert any(text.startswith("Feed behind: main behind Since") and "12:00 UTC" in text for text in firing)
        assert len(over) == 1
        assert over[0].startswith("Store down: 8 No longer: 8. Since")
        assert over[0].endswith("resolved after 10 s")

    async def test_the_subjects_lead_to_more_and_products_have_their_names(
        self, dashboard_app: Application, dashboard_db: asyncpg.Pool
    ) -> None:
        async def links() -> dict[str, str | None]:
            page = await browse_page(dashboard_app, "/board/alerts")
            leads = [each for each in page.below if each.attributes.get("class") == "lead"]
            found = {}
            for lead in leads:
                addresses = [each.attributes["href"] for each in lead.below if "href" in each.attributes]
                found[" ".join(lead.text.split())] = addresses[0] if addresses else None
            return found

        assert await links() == {
            "Store down: 7": "/board/stores/7",
            "Store down: 8": "/board/stores/8",
            "Store down: =9": "/board/stores/%3D9",
            "Feed behind: main": "/board/system#feeds",
            "Job failing: pull_stores": "/board/system#jobs",
            "Price below mark: Towels & soap": f"/board/prices/{TOWELS}",
        }
        await dashboard_db.execute("DELETE FROM product")
        assert (await links())[f"Price below mark: {TOWELS}"] is None

    async def test_it_is_asked_for_again_by_its_tag(self, dashboard_app: Application, alarm: Alarm) -> None:
        tag = (await browse(dashboard_app, "/board/alerts")).headers["ETag"]
        assert (await browse(dashboard_app, "/board/alerts", **{"If-None-Match": tag})).status_code == 304
        await alarm.evaluate(Rule("feed_behind", {"main": "behind for longer"}))
        assert (await browse(dashboard_app, "/board/alerts", **{"If-None-Match": tag})).status_code == 200

    async def test_without_alerts_it_says_so(self, dashboard_app: Application, dashboard_db: asyncpg.Pool) -> None:
        await dashboard_db.execute("DELETE FROM alert")
        page = await browse_page(dashboard_app, "/board/alerts")
        assert "Nothing fires." in page.text
        [link] = [each for each in page.below if each.attributes.get("href") == "/board/alerts"]
        assert link.text == "Alerts"


@pytest.mark.usefixtures("some_alerts")
class TestRights:
    @pytest.fixture
    def environment(self, environment: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
        return environment | request.param

    @pytest.mark.parametrize("environment", [{"DASHBOARD_API_TOKEN": "the-token-of-the-api"}], indirect=True)
    async def test_while_the_catalogue_needs_its_token_prices_are_left_out(self, dashboard_app: Application) -> None:
        assert "price_below_mark" not in {each["rule"] for each in await listed(dashboard_app)}
        page = await browse_page(dashboard_app, "/board/alerts")
        assert "Towels" not in page.text
        assert "4 firing" in page.text

    @pytest.mark.parametrize(
        "environment",
        [{"DASHBOARD_API_TOKEN": "the-token-of-the-api", "DASHBOARD_OPERATIONS_TOKEN": TOKEN}],
        indirect=True,
    )
    async def test_operators_see_all_and_the_page_shows_no_errors(self, dashboard_app: Application) -> None:
        assert (await get(dashboard_app, "/alerts")).status_code == 401
        response = await get(dashboard_app, "/alerts", Authorization=f"Bearer {TOKEN}")
        assert "price_below_mark" in {each["rule"] for each in await response.get_json()}
        page = await browse_page(dashboard_app, "/board/alerts")
        assert "pull_stores" in page.text
        assert "secret" not in page.text
        assert "The reason needs the operators' token." in page.text

    @pytest.mark.parametrize("environment", [{"DASHBOARD_OPERATIONS_TOKEN": TOKEN}], indirect=True)
    async def test_how_an_alert_ended_needs_no_token(self, dashboard_app: Application, alarm: Alarm) -> None:
        job = Rule("job_failing", ends={"pull_stores": "The job has succeeded."})
        await alarm.evaluate(job)
        page = await browse_page(dashboard_app, "/board/alerts")
        assert "The job has succeeded." in page.text
        assert "The reason needs" not in page.text


class TestOutbox:
    async def test_what_the_receiver_did_not_take_is_listed_and_can_be_sent_again(
        self, dashboard_app: Application, alarm: Alarm, rule: Rule, receiver: FakeReceiver
    ) -> None:
        receiver.status, rule.firing = 400, {"7": "down"}
        await alarm.evaluate(rule)
        for _ in range(8):
            await alarm.send()
        [message] = await (await get(dashboard_app, "/alerts/outbox")).get_json()
        assert (message["state"], message["subject"], message["attempts"]) == ("dead", "store_down 7", 8)
        assert message["last_error"] == "UndeliverableError: the receiver answered 400"

        client = dashboard_app.test_client()
        assert (await client.post(f"/alerts/outbox/{message['id']}/retry")).status_code == 204
        assert (await client.post(f"/alerts/outbox/{message['id']}/retry")).status_code == 404
        receiver.status = 200
        assert (await alarm.send())["sent"] == 1
        assert await (await get(dashboard_app, "/alerts/outbox")).get_json() == []

    async def test_an_old_state_is_not_sent_after_a_later_one(
        self, dashboard_app: Application, alarm: Alarm, rule: Rule, receiver: FakeReceiver
    ) -> None:
        receiver.status, rule.firing = 400, {"7": "down", "8": "down"}
        await alarm.evaluate(rule)
        for _ in range(8):
            await alarm.send()
        dead = {each["subject"]: each["id"] for each in await (await get(dashboard_app, "/alerts/outbox")).get_json()}
        assert [each.subject for each in await select_dead_messages(alarm.db)] == ["alert"]
        rule.firing = {"8": "down"}
        await alarm.evaluate(rule)
        client, path = dashboard_app.test_client(), f"/alerts/outbox/{dead['store_down 7']}/retry"

        refused = await client.post(path)

        assert (refused.status_code, (await refused.get_json())["code"]) == (409, "replaced_by_later_message")
        receiver.status = 204
        assert (await alarm.send())["sent"] == 1
        assert (await client.post(path)).status_code == 404, "the later message replaced it"
        [left] = await (await get(dashboard_app, "/alerts/outbox")).get_json()
        assert left["id"] == dead["store_down 8"], "messages of other subjects are kept"
        assert (await client.post(f"/alerts/outbox/{left['id']}/retry")).status_code == 204
        assert (await alarm.send())["sent"] == 1
        assert receiver.told == [("7", "resolved"), ("8", "firing")]
        assert await select_dead_messages(alarm.db) == []

    async def test_of_two_dead_messages_of_a_subject_the_last_can_be_retried(
        self, dashboard_app: Application, alarm: Alarm, rule: Rule, receiver: FakeReceiver
    ) -> None:
        receiver.status = 400
        for rule.firing in ({"7": "down"}, {}):
            await alarm.evaluate(rule)
            for _ in range(8):
                await alarm.send()
        last, first = [each["id"] for each in await (await get(dashboard_app, "/alerts/outbox")).get_json()]
        client = dashboard_app.test_client()
        assert (await client.post(f"/alerts/outbox/{first}/retry")).status_code == 409
        assert (await client.post(f"/alerts/outbox/{last}/retry")).status_code == 204
        receiver.status = 204
        assert (await alarm.send())["sent"] == 1
        assert receiver.told == [("7", "resolved")]
        assert await (await get(dashboard_app, "/alerts/outbox")).get_json() == []

    async def test_the_front_desk_does_not_see_it(self, dashboard_app: Application, alarm: Alarm, rule: Rule) -> None:
        rule.firing = {"7": "down"}
        await alarm.evaluate(rule)
        headers = {"Authorization": "Bearer staff"}
        assert await (await get(dashboard_app, "/front-desk/outbox", **headers)).get_json() == []
        await alarm.db.execute("UPDATE outbox SET state = 'dead', settled_at = now()")
        [message] = await (await get(dashboard_app, "/alerts/outbox")).get_json()
        response = await dashboard_app.test_client().post(f"/front-desk/outbox/{message['id']}/retry", headers=headers)
        assert response.status_code == 404
