"""The receiver of docs/alerts.md, which has no line of ours, accepts what is sent, and only that."""

import asyncio
import os
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from common.config import Secret, Secrets
from common.devstack.plan import read_plan
from common.outbox.delivery import UndeliverableError
from common.upstream import UpstreamError
from dashboard.alert_rules import RULES
from dashboard.alerts.receiver import AlertReceiver
from tests.support.alerts import SECRET, Alarm, Rule
from tests.support.applications import ROOT, free_port
from tests.support.documents import commands_of
from tests.support.waiting import eventually

DOCUMENT = (ROOT / "docs" / "alerts.md").read_text()
PROGRAM = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)[0]


async def is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.fixture
async def program(tmp_path: Path, alarm: Alarm) -> AsyncIterator[asyncio.subprocess.Process]:
    """The documented receiver, to which the alerts are sent."""
    [command] = commands_of("docs/alerts.md", "python3 ")
    program, file, documented_port, _ = shlex.split(command)
    assert (program, documented_port) == ("python3", "9900")
    (tmp_path / file).write_text(PROGRAM)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, file, str(port), cwd=tmp_path, env={**os.environ, "SECRET": SECRET},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await eventually(lambda: is_listening(port))
    alarm.url = f"http://127.0.0.1:{port}/"
    yield process
    process.kill()
    await process.communicate()


async def test_the_documented_receiver_prints_each_change_once(
    program: asyncio.subprocess.Process, alarm: Alarm, rule: Rule
) -> None:
    assert program.stdout is not None
    rule.firing = {"7": "Store 7 is down."}
    await alarm.evaluate(rule)
    assert (await alarm.send())["sent"] == 1
    await alarm.db.execute("UPDATE outbox SET state = 'waiting', settled_at = NULL, sent_at = NULL")
    assert (await alarm.send())["sent"] == 1, "a repetition is accepted too"
    rule.firing = {}
    await alarm.evaluate(rule)
    assert (await alarm.send())["sent"] == 1
    assert await program.stdout.readline() == b"firing store_down 7 Store 7 is down.\n"
    assert await program.stdout.readline() == b"resolved store_down 7 No longer: 7.\n"


async def test_the_documented_receiver_refuses_another_secret_and_says_so(
    program: asyncio.subprocess.Process, alarm: Alarm
) -> None:
    wrong = AlertReceiver(Secret(alarm.url), Secrets(Secret("another secret")))
    with pytest.raises((UpstreamError, UndeliverableError), match="answered 401"):
        await wrong.send(alarm.client, b"{}")
    assert program.stdout is not None
    assert (await program.stdout.readline()).startswith(b"refused: the signature is not made with SECRET")


def test_the_documented_commands_give_make_run_the_secret_of_the_receiver() -> None:
    """The supervisor gets the secret of the environment, not one that it makes."""
    [export], [start] = commands_of("docs/alerts.md", "export "), commands_of("docs/alerts.md", "DASHBOARD_")
    *settings, make, run = shlex.split(start)
    assert (make, run) == ("make", "run")
    shell = f'{export}; test ${{#SECRET}} = 64 && {" ".join(settings)} env; echo "SECRET_OF_RECEIVER=$SECRET"'
    output = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True).stdout
    environment = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    for arguments in (["--set", "NIGHTAUDIT_DEMO=0", "--secret", "DASHBOARD_ALERT_SECRET"], []):
        plan = read_plan(["dashboard:8000", *arguments], environment)
        assert plan.environment["DASHBOARD_ALERT_SECRET"] == environment["SECRET_OF_RECEIVER"]
        assert plan.environment["DASHBOARD_ALERT_WEBHOOK_URL"] == "http://127.0.0.1:9900/"


def test_the_document_has_every_rule() -> None:
    table = DOCUMENT[DOCUMENT.index("## The rules") : DOCUMENT.index("## The requests")]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(RULES)
