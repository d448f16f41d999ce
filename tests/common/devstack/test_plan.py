"""The plan of the supervisor: its applications, ports and settings."""

import errno
import os
import re

import pytest

from common.devstack.plan import StackError, check_ports, read_plan


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "８０"])
def test_the_variable_of_an_invalid_port_is_named(port: str) -> None:
    with pytest.raises(StackError, match=r"^KITCHEN_PORT must be a whole number from 1 to 65535$"):
        read_plan(["kitchen:1"], {"KITCHEN_PORT": port})


def test_two_applications_on_one_port_are_refused() -> None:
    with pytest.raises(StackError, match=r"^port 7000 is used twice; change KITCHEN_PORT$"):
        read_plan(["kitchen:7000", "cellar:8000"], {"CELLAR_PORT": "7000"})


def test_a_wildcard_host_becomes_an_address_that_clients_can_reach() -> None:
    plan = read_plan(
        ["kitchen:1", "cellar:2", "--set", "A={kitchen}/{cellar}"],
        {"KITCHEN_HOST": "0.0.0.0", "CELLAR_HOST": "::"},
    )
    assert plan.environment["A"] == "127.0.0.1:1/[::1]:2"


def test_a_host_of_another_machine_is_reported_with_its_variable() -> None:
    plan = read_plan(["kitchen:7000"], {"KITCHEN_HOST": "192.0.2.1"})

    reason = re.escape(os.strerror(errno.EADDRNOTAVAIL))
    with pytest.raises(StackError, match=rf"^kitchen cannot listen on 192\.0\.2\.1 \({reason}\); set KITCHEN_HOST"):
        check_ports(plan)


def test_the_addresses_are_the_urls_that_were_derived() -> None:
    plan = read_plan(
        ["kitchen:1", "cellar:2", "--set", "KITCHEN_WINE_URL=http://{cellar}", "--set", "KITCHEN_LOG_LEVEL=error"],
        {"KITCHEN_PORT": "7000"},
    )

    assert plan.addresses == {"KITCHEN_WINE_URL": "http://127.0.0.1:2"}


def test_secrets_are_named_in_groups_and_the_demo_is_the_default() -> None:
    demo = read_plan(["kitchen:1"], {})
    own = read_plan(["kitchen:1", "--set", "NIGHTAUDIT_DEMO=0", "--secret", "A,B", "--secret", "C"], {})

    assert (demo.is_demo, demo.secrets) == (True, ())
    assert (own.is_demo, own.secrets) == (False, (("A", "B"), ("C",)))


def test_the_addresses_that_the_terminal_shows_are_those_asked_for_or_those_of_the_applications() -> None:
    show = ["--show", "wine list (red)=http://{cellar}/wine?sort=year", "--show", "menu=http://{kitchen}/"]

    assert read_plan(["kitchen:1", "cellar:2", *show], {}).shown == (
        ("wine list (red)", "http://127.0.0.1:2/wine?sort=year"),
        ("menu", "http://127.0.0.1:1/"),
    )
    assert read_plan(["kitchen:1", "cellar:2"], {}).shown == (
        ("kitchen", "http://127.0.0.1:1/"),
        ("cellar", "http://127.0.0.1:2/"),
    )
