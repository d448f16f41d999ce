"""The files beside the database: the kind of data, the secrets, and the addresses of what runs on the data."""

import subprocess
import sys
from pathlib import Path

import pytest

from common import cli
from common.devstack.embedded import EmbeddedError
from common.devstack.local_state import (
    DEMO_DATA,
    OWN_DATA,
    publish_addresses,
    read_or_make_secrets,
    require_content,
    running_addresses,
    secrets_file,
)
from dashboard.config import Config
from tests.support.applications import process_environment


def test_a_data_directory_is_for_the_demo_or_for_own_data_and_not_for_both(tmp_path: Path) -> None:
    require_content(tmp_path, OWN_DATA)
    require_content(tmp_path, OWN_DATA)

    with pytest.raises(EmbeddedError, match=rf"^{tmp_path} holds own data; .* set NIGHTAUDIT_DATA_DIR to a new"):
        require_content(tmp_path, DEMO_DATA)


def test_secrets_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    groups = [("PROVIDER_JWT_SECRET",), ("PROVIDER_ACCOUNTING_SECRET", "DASHBOARD_ACCOUNTING_SECRET")]

    made = read_or_make_secrets(tmp_path, groups)

    assert made["PROVIDER_ACCOUNTING_SECRET"] == made["DASHBOARD_ACCOUNTING_SECRET"] != made["PROVIDER_JWT_SECRET"]
    assert all(len(secret) >= 32 for secret in made.values())
    assert secrets_file(tmp_path).stat().st_mode & 0o777 == 0o600
    more = read_or_make_secrets(tmp_path, [*groups, ("DASHBOARD_STAFF_TOKEN",)])
    assert {name: more[name] for name in made} == made
    assert read_or_make_secrets(tmp_path, []) == more


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").mkdir()

    with pytest.raises(EmbeddedError, match=r"secrets\.env cannot be used: .*; set NIGHTAUDIT_DATA_DIR"):
        read_or_make_secrets(tmp_path, [("A",)])


def test_addresses_are_found_while_their_publisher_runs(tmp_path: Path) -> None:
    addresses = {"DASHBOARD_PROVIDER_URL": "http://127.0.0.1:9100"}

    with publish_addresses(tmp_path, addresses):
        assert running_addresses(tmp_path) == addresses

    assert running_addresses(tmp_path) == {}


def test_addresses_of_a_killed_publisher_are_not_used(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys\n"
        "from common.devstack.local_state import publish_addresses\n"
        "with publish_addresses(pathlib.Path(sys.argv[1]), {'A_URL': 'http://127.0.0.1:1'}):\n"
        "    os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], env=process_environment({}), check=True)

    assert (tmp_path / "addresses.json").exists()
    assert running_addresses(tmp_path) == {}


@pytest.mark.parametrize("written", ["", "{", "[]", "null", '{"process": "x", "created": 1}', '{"process": -1}'])
def test_a_damaged_file_of_addresses_is_ignored(tmp_path: Path, written: str) -> None:
    (tmp_path / "addresses.json").write_text(written)

    assert running_addresses(tmp_path) == {}


def test_a_command_finds_what_runs_on_its_data_unless_the_environment_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DASHBOARD_DATABASE_URL", "DASHBOARD_PROVIDER_URL", "DASHBOARD_OFFERS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NIGHTAUDIT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DASHBOARD_OFFERS_URL", "http://offers.example.org")
    addresses = {"DASHBOARD_PROVIDER_URL": "http://127.0.0.1:9100", "DASHBOARD_OFFERS_URL": "http://127.0.0.1:9100/api"}

    with publish_addresses(tmp_path, addresses):
        config = cli.configuration(Config)
        assert (config.provider_url.reveal(), config.offers_url) == (
            "http://127.0.0.1:9100",
            "http://offers.example.org",
        )
        monkeypatch.setenv("DASHBOARD_DATABASE_URL", "postgresql://elsewhere/x")
        assert cli.configuration(Config).provider_url.reveal() == "http://127.0.0.1:9000"
