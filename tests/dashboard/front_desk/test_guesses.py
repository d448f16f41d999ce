"""Guesses of the staff token, at the page's login and as bearer tokens."""

import asyncio

import pytest

from common.web import login_throttle
from tests.support.callers import sent_from
from tests.support.desk import STAFF_TOKEN, Desk


@pytest.fixture(autouse=True)
def long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_throttle, "FIRST_WAIT_SECONDS", 3600)
    monkeypatch.setattr(login_throttle, "MAX_WAIT_SECONDS", 3600)


async def log_in(desk: Desk, token: str, address: str = "192.0.2.1") -> str:
    """Log in at the page; returns where it leads."""
    answer = await desk.client.post("/front-desk/login", form={"token": token}, scope_base=sent_from(address))
    assert answer.status_code == 303
    location: str = answer.headers["Location"]
    return location


async def status_of(desk: Desk, token: str, address: str = "192.0.2.1") -> int:
    headers = {"Authorization": f"Bearer {token}"}
    answer = await desk.client.get("/front-desk/orders", headers=headers, scope_base=sent_from(address))
    return answer.status_code


async def test_of_three_hundred_parallel_logins_five_are_evaluated(desk: Desk) -> None:
    answers = await asyncio.gather(*(log_in(desk, f"guess {number}") for number in range(299)), log_in(desk, "x"))

    assert answers.count("/front-desk?notice=invalid_token") == 5
    assert answers.count("/front-desk?notice=throttled") == 295
    assert await log_in(desk, STAFF_TOKEN) == "/front-desk?notice=throttled"
    assert await log_in(desk, STAFF_TOKEN, address="192.0.2.2") == "/front-desk"


async def test_guesses_as_bearer_tokens_slow_the_login_down_and_the_right_bearer_token_is_accepted(
    desk: Desk,
) -> None:
    statuses = await asyncio.gather(*(status_of(desk, f"guess {number}") for number in range(50)))

    assert (statuses.count(401), statuses.count(429)) == (5, 45)
    assert await log_in(desk, "guess") == "/front-desk?notice=throttled"
    assert await status_of(desk, STAFF_TOKEN) == 200


async def test_a_login_forgives_the_failures_before_it(desk: Desk) -> None:
    for _ in range(3):
        for _ in range(4):
            assert await log_in(desk, "guess") == "/front-desk?notice=invalid_token"
        assert await log_in(desk, STAFF_TOKEN) == "/front-desk"
    assert await desk.db.fetchval("SELECT count(*) FROM failed_login") == 0


PROXY = "10.0.0.1"


async def log_in_through_proxy(desk: Desk, token: str, client: str, proxy: str = PROXY) -> str:
    answer = await desk.client.post(
        "/front-desk/login",
        form={"token": token},
        headers={"X-Forwarded-For": client},
        scope_base=sent_from(proxy),
    )
    location: str = answer.headers["Location"]
    return location


class TestBehindATrustedProxy:
    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"DASHBOARD_TRUSTED_PROXIES": PROXY}

    async def test_an_attacker_locks_out_nobody_else_behind_the_proxy(self, desk: Desk) -> None:
        answers = [await log_in_through_proxy(desk, "guess", "192.0.2.1") for _ in range(6)]

        assert answers[-1] == "/front-desk?notice=throttled"
        assert await log_in_through_proxy(desk, STAFF_TOKEN, "192.0.2.1") == "/front-desk?notice=throttled"
        assert await log_in_through_proxy(desk, STAFF_TOKEN, "192.0.2.2") == "/front-desk"

    async def test_an_attacker_elsewhere_cannot_invent_addresses(self, desk: Desk) -> None:
        answers = [
            await log_in_through_proxy(desk, "guess", f"192.0.2.{number}", proxy="10.0.0.2") for number in range(7)
        ]

        assert answers == ["/front-desk?notice=invalid_token"] * 5 + ["/front-desk?notice=throttled"] * 2

    async def test_an_attacker_behind_the_proxy_cannot_invent_addresses(self, desk: Desk) -> None:
        answers = [await log_in_through_proxy(desk, "guess", f"192.0.2.{number}, 198.51.100.1") for number in range(7)]

        assert answers == ["/front-desk?notice=invalid_token"] * 5 + ["/front-desk?notice=throttled"] * 2
