"""Every command in a document is run by a test, or its block says what it needs."""

import json
import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from common.config import Secret
from tests.support.applications import ROOT, SOURCE, ApplicationProcess, free_port, process_environment
from tests.support.documents import Block, blocks

RUN_END_TO_END = {
    "README.md": ("curl ",),
    "docs/everyday.md": ("",),
    "docs/http.md": ("curl ",),
    "docs/own-data.md": ("python -m ",),
    "docs/alerts.md": ("export SECRET=", "python3 receive_alerts.py ", "DASHBOARD_ALERT_SECRET=$SECRET "),
}
"""Commands, by their beginnings, that tests/end_to_end/test_documents.py runs, or tests/dashboard/alerts."""


async def test_every_document_names_the_version_of_postgresql_that_the_tests_use(provider_db: asyncpg.Pool) -> None:
    version = await provider_db.fetchval("SELECT current_setting('server_version_num')::int / 10000")
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / ".env.example", ROOT / "docker-compose.yml"]
    named = {
        (path.name, int(number))
        for path in documents
        for number in re.findall(r"(?i)postgres(?:ql)?[ :](?:version )?(\d{2})\b", path.read_text())
    }
    assert {"README.md", "configuration.md", "heroku.md", "docker-compose.yml"} <= {name for name, _ in named}
    assert {number for _, number in named} == {version}


@pytest.mark.parametrize("block", list(blocks()), ids=lambda block: f"{block.document}: {block.text.splitlines()[0]}")
def test_every_block_of_commands_is_run_or_says_what_it_needs(block: Block) -> None:
    if block.needs:
        return
    assert block.commands
    for command in block.commands:
        if command.startswith("make "):
            assert is_a_target(command), command
        else:
            assert command.startswith(RUN_END_TO_END.get(block.document, ())), command


def is_a_target(command: str) -> bool:
    """Whether make knows the targets and variables of a command; it runs nothing."""
    arguments = [*shlex.split(command)[1:], "--dry-run", "--silent", "--old-file=.venv/.runtime"]
    run = subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return run.returncode == 0


def test_make_up_without_the_compose_plugin_says_so_in_one_line(tmp_path: Path) -> None:
    write_program(tmp_path / "docker", "echo \"docker: 'compose' is not a docker command.\" >&2; exit 1")
    for path in (f"{tmp_path}:{os.environ['PATH']}", path_without_docker(tmp_path)):
        ended = subprocess.run(
            ["make", "up"],
            cwd=ROOT,
            env=process_environment({"PATH": path}),
            capture_output=True,
            text=True,
            check=False,
        )
        first, *rest = ended.stderr.splitlines()
        assert ended.returncode == 2
        assert first.startswith("nightaudit: make up needs Docker with its compose plugin")
        assert all(line.startswith("make: ***") for line in rest)
        assert ended.stdout == ""


def path_without_docker(folder: Path) -> str:
    """A PATH with a shell and make alone."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("sh", "make"):
        found = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
        (programs / name).symlink_to(found)
    return str(programs)


def write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


HEROKU = f"""
exec {sys.executable} - "$@" <<'END'
import json, os, pathlib, sys
path = pathlib.Path(os.environ["HEROKU_CONFIG"])
config = json.loads(path.read_text()) if path.exists() else {{}}
match sys.argv[1:]:
    case ["config:set", *pairs]:
        config |= dict(pair.split("=", 1) for pair in pairs)
    case ["addons:create", plan, "--as", name, "--wait"]:
        config[f"{{name}}_URL"] = os.environ["TEST_DATABASE_URL"]
path.write_text(json.dumps(config))
END
"""
"""A `heroku` that stores the configuration; the add-on attaches the database of the test."""


@pytest.mark.slow
def test_the_dashboard_starts_with_what_the_page_about_heroku_sets(tmp_path: Path, dashboard_url: Secret) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    write_program(programs / "heroku", HEROKU)
    write_program(programs / "git", "exit 0")
    write_program(programs / "openssl", f"exec {sys.executable} -c 'import secrets; print(secrets.token_hex(32))'")
    config_file = tmp_path / "config.json"
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HEROKU_CONFIG": str(config_file),
        "TEST_DATABASE_URL": dashboard_url.reveal(),
    }
    script = "\n".join(block.text for block in blocks() if block.document == "docs/heroku.md")

    subprocess.run(["sh", "-eu", "-c", script], env=environment, check=True, capture_output=True)

    config = json.loads(config_file.read_text())
    assert len(config["DASHBOARD_STAFF_TOKEN"]) == len(config["DASHBOARD_ACCOUNTING_SECRET"]) == 64
    dockerfile = (ROOT / "heroku.Dockerfile").read_text()
    start = json.loads(re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)[-1])
    write_program(programs / "python", f'exec {sys.executable} "$@"')
    port = free_port()
    log = tmp_path / "log"
    with log.open("wb") as output:
        dyno = subprocess.Popen(
            start,
            env={**environment, **config, "PORT": str(port), "PYTHONPATH": str(SOURCE), "DASHBOARD_HOST": "127.0.0.1"},
            cwd=tmp_path,
            stdout=output,
            stderr=output,
        )
    started = ApplicationProcess("dashboard", {}, tmp_path, port)
    started.process = dyno
    try:
        started.wait_until_ready(log.read_text)
    finally:
        dyno.terminate()
        dyno.wait(60)
    assert "Traceback" not in log.read_text()
