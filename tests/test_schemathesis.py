"""Schemathesis, with all checks, against both applications as they are served.

It reads the operations from /openapi.json, so every described slice is covered.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from common.config import Secret
from tests.support.applications import ROOT, SOURCE, ApplicationProcess
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

EXAMPLES = 10
"""Random requests per operation and phase, besides the examples of its schema."""

HOTELS = (1, 2)


def event(number: int, hotel: int) -> dict[str, object]:
    return {
        "id": hotel * 1000 + number,
        "hotel_id": hotel,
        "event_timestamp": f"2024-01-{number % 28 + 1:02}T00:00:00Z",
        "status": 1 + number % 5 // 4,
        "room_id": number + 1,
        "night_of_stay": f"2024-02-{number % 29 + 1:02}",
    }


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        body: bytes = answer.read()
        return body


def send_events(provider: ApplicationProcess) -> None:
    """Store events of two hotels."""
    batch = json.dumps([event(number, hotel) for hotel in HOTELS for number in range(60)]).encode()
    request = urllib.request.Request(f"{provider.url}/events/batch", batch, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201


@pytest.fixture
def provider(make_application: Callable[..., ApplicationProcess], provider_url: Secret) -> ApplicationProcess:
    made = make_application("provider", provider_url)
    made.start()
    send_events(made)
    return made


@pytest.fixture
def dashboard(
    make_application: Callable[..., ApplicationProcess], provider: ApplicationProcess, dashboard_url: Secret
) -> ApplicationProcess:
    """A dashboard that has counted the events of the provider."""
    made = make_application(
        "dashboard", dashboard_url, DASHBOARD_PROVIDER_URL=provider.url, DASHBOARD_INGEST_SECONDS="1"
    )
    made.start()
    wait_until(lambda: get(f"{made.url}/hotels").count(b'"hotel_id"') == len(HOTELS))
    return made


def answer_to_post(url: str, body: object = None) -> dict[str, str]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        decoded: dict[str, str] = json.load(answer)
        return decoded


def guest_token(provider: ApplicationProcess) -> str:
    """The storefront accepts any UUID as a guest."""
    return str(uuid4())


def offers_token(provider: ApplicationProcess) -> str:
    return answer_to_post(f"{provider.url}/api/v1/auth")["access_token"]


def admin_token(provider: ApplicationProcess) -> str:
    return answer_to_post(f"{provider.url}/api/token/", {"username": "admin", "password": "1"})["access"]


STOREFRONT = r"^/(properties|reservations)"
OFFERS = r"^/api/v1/"
OTHERS = r"^(?!/(properties|reservations|api/v1/))"
"""Paths of the provider, by the kind of token that they need."""


def schemathesis(
    application: ApplicationProcess, folder: Path, paths: str, token: str
) -> subprocess.CompletedProcess[str]:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("run", f"{application.url}/openapi.json", "--no-color", "--checks", "all"),
        *("--include-path-regex", paths, "--header", f"Authorization: Bearer {token}"),
        *("--seed", "1", "--generation-database", "none"),
        *("--max-examples", str(EXAMPLES), "--request-timeout", "30", "--output-truncate", "false"),
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
        "PYTHONPATH": os.pathsep.join([str(SOURCE), str(ROOT)]),
    }
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def require_clean(application: ApplicationProcess, folder: Path, paths: str, token: str) -> None:
    run = schemathesis(application, folder, paths, token)
    assert run.returncode == 0, run.stdout + run.stderr
    document = json.loads(get(f"{application.url}/openapi.json"))
    described = sum(len(operations) for path, operations in document["paths"].items() if re.search(paths, path))
    assert re.search(rf"Tested: {described}\b", run.stdout), run.stdout
    log = application.output()
    assert "unhandled_error" not in log, log
    assert "Traceback" not in log, log


@pytest.mark.parametrize(("paths", "token"), [(STOREFRONT, guest_token), (OFFERS, offers_token), (OTHERS, admin_token)])
def test_the_provider_answers_every_request_as_its_document_says(
    provider: ApplicationProcess, tmp_path: Path, paths: str, token: Callable[[ApplicationProcess], str]
) -> None:
    require_clean(provider, tmp_path, paths, token(provider))


def test_the_dashboard_answers_every_request_as_its_document_says(
    dashboard: ApplicationProcess, tmp_path: Path
) -> None:
    require_clean(dashboard, tmp_path, "", "staff")
