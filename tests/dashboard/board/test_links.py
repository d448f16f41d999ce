"""No page has a link that leads nowhere."""

import re
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from common.web.resources import Application
from tests.dashboard.board.conftest import GetPage
from tests.dashboard.board.unusual import fail_job, lower_price, poll_store_down, quarantine_value, receive_order


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/board/hotels",
        "/board/hotels/1",
        "/board/alerts",
        "/board/system",
        "/board/stores",
        "/board/prices",
        f"/board/prices/{UUID(int=5)}",
    ],
)
async def test_each_link_of_a_page_is_answered(
    get_page: GetPage, dashboard_app: Application, dashboard_db: asyncpg.Pool, houses: None, path: str
) -> None:
    for change in (poll_store_down, lower_price, quarantine_value, fail_job):
        await change(dashboard_db)
    await receive_order(dashboard_db, timedelta(hours=1))
    response, page = await get_page(path)
    linked = set(re.findall(r'(?:href|<form(?![^>]*method="post")[^>]* action)="(/[^"#]*)', page))
    linked |= set(re.findall(r"<(/[^>]*)>", response.headers.get("Link", "")))
    assert linked >= {"/", "/board/hotels", "/board/stores", "/front-desk"}

    client = dashboard_app.test_client()
    statuses = {address: (await client.get(address, headers={"Accept": "*/*"})).status_code for address in linked}
    assert {address: status for address, status in statuses.items() if status not in (200, 303)} == {}


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/", ("as_of", "match", "sort")),
        ("/board/hotels", ("as_of", "match", "sort", "search", "cursor")),
        ("/board/hotels/1", ("as_of", "match", "show", "nights", "from")),
        ("/board/stores", ("period", "target", "state", "band", "search", "cursor")),
        ("/board/prices", ("search", "sort", "cursor")),
        (f"/board/prices/{UUID(int=5)}", ("range", "offers", "notice")),
        ("/front-desk", ("day", "search", "notice")),
        ("/wall", ("theme", "period")),
    ],
)
async def test_an_empty_parameter_is_as_if_it_were_absent(
    get_page: GetPage, dashboard_db: asyncpg.Pool, houses: None, path: str, parameters: tuple[str, ...]
) -> None:
    await lower_price(dashboard_db)
    response, _ = await get_page(f"{path}?{'=&'.join(parameters)}=")

    assert response.status_code == 200


async def test_the_short_address_of_the_first_page_leads_there_also_from_a_mail(get_page: GetPage) -> None:
    response, _ = await get_page("/board?utm_source=mail")

    assert (response.status_code, response.headers["Location"]) == (308, "/")
