"""Products over HTTP: create, find, change and delete them, with and without the catalogue token."""

import asyncio
import uuid
from itertools import pairwise
from typing import Any

import pytest
from quart import Response

from common.web import login_throttle
from common.web.resources import Application
from dashboard.catalog.service import new_product_id
from tests.support.fake_offers import Catalogue, FakeOffers, offer
from tests.support.pages import next_address

UNKNOWN_ID = "00000000-0000-7000-8000-000000000000"


async def test_a_product_is_created_registered_and_read(catalogue: Catalogue, fake: FakeOffers) -> None:
    response = await catalogue.app.test_client().post("/products", json={"name": "Mower", "description": "Petrol"})

    product = await response.get_json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/products/{product['id']}"
    assert product == {
        "id": product["id"],
        "name": "Mower",
        "description": "Petrol",
        "registration": "registered",
        "best_offer": None,
        "offers_in_stock": 0,
        "change_7d": None,
        "mark": None,
        "freshness": {"last_success": None, "last_error": None, "last_attempt": None, "next_attempt": None},
    }
    assert uuid.UUID(product["id"]).version == 7
    assert await catalogue.get(f"/products/{product['id']}") == product
    assert await catalogue.get("/products") == [{**product, "lowest_30d": None}]
    assert fake.registrations == [{"id": product["id"], "name": "Mower", "description": "Petrol"}]


def test_ids_grow_with_time() -> None:
    ids = [new_product_id() for _ in range(1000)]

    assert all(before.int >> 64 <= after.int >> 64 for before, after in pairwise(ids))
    assert len(set(ids)) == 1000
    assert {(each.version, each.variant) for each in ids} == {(7, uuid.RFC_4122)}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["name", "description"]),
        ({"name": "", "description": ""}, ["name"]),
        ({"name": "x" * 201, "description": "x" * 5001}, ["name", "description"]),
        ({"name": 1, "description": None}, ["name", "description"]),
        ({"name": "nul\0", "description": ""}, ["name"]),
        ({"name": " ", "description": ""}, ["name"]),
        ({"name": "\t\n", "description": ""}, ["name"]),
        ({"name": "bell \x07", "description": ""}, ["name"]),
        ({"name": "turned \u202e around", "description": ""}, ["name"]),
        ({"name": "zero\u200bwidth", "description": ""}, ["name"]),
        ({"name": "a\u200db", "description": ""}, ["name"]),
        ({"name": "…", "description": ""}, ["name"]),
        ({"name": "x", "description": "", "price": 1}, ["price"]),
        ([], ["body"]),
    ],
)
async def test_every_invalid_field_is_named_and_nothing_is_registered(
    catalogue: Catalogue, fake: FakeOffers, body: Any, fields: list[str]
) -> None:
    response = await catalogue.app.test_client().post("/products", json=body)

    assert response.status_code == 400
    assert [fault["field"] for fault in (await response.get_json())["errors"]] == fields
    assert fake.calls == {}


async def test_the_longest_allowed_name_and_description_are_accepted(catalogue: Catalogue) -> None:
    product = await catalogue.create("ž" * 200, "ž" * 5000)

    assert (len(product["name"]), len(product["description"])) == (200, 5000)


@pytest.mark.parametrize("name", ["7", "ملاح\u200cها", "क\u094d\u200dष", "Crème brûlée", "O'Neill & Sons (2)"])
async def test_a_name_may_have_letters_of_any_script_and_the_joiners_between_them(
    catalogue: Catalogue, fake: FakeOffers, name: str
) -> None:
    product = await catalogue.create(name)

    assert (await catalogue.get(f"/products/{product['id']}"))["name"] == name
    assert [each["name"] for each in fake.registrations] == [name]


async def test_products_are_found_by_a_part_of_their_name_in_any_case(catalogue: Catalogue) -> None:
    for name in ("Benzinová sekačka Dosquarna", "SEKAČKA", "100 %_pure", "Mower"):
        await catalogue.create(name)

    assert [p["name"] for p in await catalogue.get("/products?search=Seka%C4%8Dka")] == [
        "Benzinová sekačka Dosquarna",
        "SEKAČKA",
    ]
    assert [p["name"] for p in await catalogue.get("/products?search=%25_")] == ["100 %_pure"]
    assert await catalogue.get("/products?search=nothing") == []
    assert len(await catalogue.get("/products?search=")) == 4


async def test_pages_list_every_product_once(catalogue: Catalogue) -> None:
    await catalogue.create_many(23)
    await catalogue.db.execute("UPDATE product SET name = 'same'")
    client = catalogue.app.test_client()
    found: list[str] = []
    path = "/products?limit=5&search=SAME"
    for _ in range(5):
        response = await client.get(path)
        found += [product["id"] for product in await response.get_json()]
        path = next_address(response)
        assert ("search=SAME" in path) == bool(path)

    assert not path
    assert len(set(found)) == len(found) == 23


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=gaE", "surprise=1", "search=%00"]
)
async def test_an_invalid_query_is_rejected(catalogue: Catalogue, query: str) -> None:
    await catalogue.get(f"/products?{query}", 400)


async def test_put_replaces_a_product_and_patch_changes_the_given_fields(catalogue: Catalogue) -> None:
    other = await catalogue.create("Scythe", "Steel")
    product = await catalogue.create("Mower", "Petrol")
    client = catalogue.app.test_client()
    path = f"/products/{product['id']}"

    replaced = await client.put(path, json={"name": "Robot", "description": "Electric"})
    renamed = await client.patch(path, json={"name": "Android"})
    described = await client.patch(path, json={"description": ""})
    untouched = await client.patch(path, json={})

    assert await replaced.get_json() == product | {"name": "Robot", "description": "Electric"}
    assert await renamed.get_json() == product | {"name": "Android", "description": "Electric"}
    assert await described.get_json() == product | {"name": "Android", "description": ""}
    assert await untouched.get_json() == await described.get_json()
    assert (await client.put(path, json={"name": "Robot"})).status_code == 400
    assert (await client.patch(path, json={"name": None})).status_code == 400
    assert (await client.patch(path, json={"name": ""})).status_code == 400
    assert (await client.patch(path, json={"name": "\u2066"})).status_code == 400
    assert (await client.put(path, json={"name": " ", "description": ""})).status_code == 400
    assert await catalogue.get(path) == await untouched.get_json()
    assert await catalogue.get(f"/products/{other['id']}") == other


async def test_deleting_a_product_deletes_its_offers_and_price_changes(catalogue: Catalogue, fake: FakeOffers) -> None:
    product = await catalogue.create()
    kept = await catalogue.create()
    fake.default_offers = [offer("a", 100)]
    await catalogue.refresh()
    client = catalogue.app.test_client()
    path = f"/products/{product['id']}"

    response = await client.delete(path)

    assert (response.status_code, await response.get_data()) == (204, b"")
    assert (await client.delete(path)).status_code == 404
    for gone in (path, f"{path}/offers", f"{path}/trend", f"{path}/offers/a/trend"):
        await catalogue.get(gone, 404)
    for table in ("product_refresh", "offer", "offer_price_change", "product_price_change"):
        assert await catalogue.db.fetchval(f"SELECT count(*) FROM {table}") == 1
    assert (await catalogue.get(f"/products/{kept['id']}"))["best_offer"]["price"] == 100


async def test_an_unknown_product_is_not_found(catalogue: Catalogue) -> None:
    client = catalogue.app.test_client()
    body = {"name": "x", "description": ""}

    for path in ("", "/offers", "/trend", "/offers/a/trend", "/offers/%00/trend"):
        await catalogue.get(f"/products/{UNKNOWN_ID}{path}", 404)
    await catalogue.get("/products/no-uuid", 404)
    assert (await client.put(f"/products/{UNKNOWN_ID}", json=body)).status_code == 404
    assert (await client.patch(f"/products/{UNKNOWN_ID}", json=body)).status_code == 404
    assert (await client.delete(f"/products/{UNKNOWN_ID}")).status_code == 404
    assert (await client.put("/products", json=body)).status_code == 405


async def test_requests_with_the_same_key_create_and_register_one_product(
    catalogue: Catalogue, fake: FakeOffers
) -> None:
    client = catalogue.app.test_client()
    body = {"name": "Mower", "description": ""}

    async def send(**changes: str) -> Response:
        return await client.post("/products", json=body | changes, headers={"Idempotency-Key": "k"})

    first = await send()
    again = await send()

    assert await first.get_data() == await again.get_data()
    assert again.headers["Location"] == first.headers["Location"]
    assert (await send(name="Robot")).status_code == 422
    assert len(fake.registrations) == 1
    assert len(await catalogue.get("/products")) == 1


async def test_concurrent_requests_with_the_same_key_get_the_same_response(catalogue: Catalogue) -> None:
    client = catalogue.app.test_client()
    body = {"name": "Mower", "description": ""}

    responses = await asyncio.gather(
        *(client.post("/products", json=body, headers={"Idempotency-Key": "k"}) for _ in range(20))
    )

    assert {response.status_code for response in responses} == {201}
    assert len({await response.get_data() for response in responses}) == 1
    assert len(await catalogue.get("/products")) == 1


class TestWithToken:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"DASHBOARD_API_TOKEN": "open sesame"}

    @pytest.mark.parametrize(
        "headers",
        [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic b3Blbg=="}, {"Bearer": "open sesame"}],
    )
    async def test_every_call_without_the_token_is_unauthorized(
        self,
        catalogue: Catalogue,
        fake: FakeOffers,
        headers: dict[str, str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(login_throttle, "FAILURES_WITHOUT_WAIT", 100)
        client = catalogue.app.test_client()
        body = {"name": "Mower", "description": ""}
        path = f"/products/{UNKNOWN_ID}"
        responses = [
            await client.post("/products", json=body, headers=headers),
            *[
                await client.get(each, headers=headers)
                for each in ("/products", path, f"{path}/offers", f"{path}/trend", f"{path}/offers/a/trend")
            ],
            await client.put(path, json=body, headers=headers),
            await client.patch(path, json=body, headers=headers),
            await client.delete(path, headers=headers),
        ]

        for response in responses:
            assert response.status_code == 401
            assert response.headers["WWW-Authenticate"].startswith('Bearer realm="API"')
            assert response.mimetype == "application/problem+json"
        assert fake.calls == {}

    async def test_calls_with_the_token_are_served(self, catalogue: Catalogue) -> None:
        headers = {"Authorization": "Bearer open sesame"}
        client = catalogue.app.test_client()

        assert (await client.get("/products", headers=headers)).status_code == 200
        assert (await client.get(f"/products/{UNKNOWN_ID}", headers=headers)).status_code == 404
        assert (await client.get("/livez")).status_code == 200


async def test_the_openapi_document_describes_every_operation(dashboard_app: Application) -> None:
    document = await (await dashboard_app.test_client().get("/openapi.json")).get_json()

    operations = {
        (path, method): operation
        for path, methods in document["paths"].items()
        if path.startswith("/products")
        for method, operation in methods.items()
    }
    assert len(operations) == 13
    for operation in operations.values():
        assert operation["tags"] == ["catalog"]
        assert operation["summary"]
        assert {} in operation["security"]
        assert {"401", "429"} <= set(operation["responses"])
    scheme = document["components"]["securitySchemes"]["apiToken"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert "DASHBOARD_API_TOKEN" in scheme["description"]


class TestWithoutService:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"DASHBOARD_OFFERS_URL": "none"}

    async def test_a_product_stays_pending_and_says_why(self, catalogue: Catalogue, fake: FakeOffers) -> None:
        product = await catalogue.create()

        assert product["registration"] == "pending"
        assert product["freshness"]["last_error"] == (
            "not called: there is no offers service (DASHBOARD_OFFERS_URL is none)"
        )
        assert fake.calls == {}
        assert catalogue.intervals["register_products"] == catalogue.intervals["refresh_offers"] == 0
