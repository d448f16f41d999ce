"""`.env.example`, copied, uncommented and read by a shell, and docs/configuration.md agree with the code."""

import json
import re
import subprocess
import sys
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import pytest

import dashboard.config
import provider.config
from common.config import read_config

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / ".env.example"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment after `set -a; . ./.env`, with every line of the example uncommented."""
    folder = tmp_path_factory.mktemp("example")
    (folder / ".env").write_text(re.sub(r"^#(?=[A-Z_]+=)", "", EXAMPLE.read_text(), flags=re.MULTILINE))
    show = f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    command = ["/bin/sh", "-c", f"set -ae; . ./.env; {show}"]
    found: dict[str, str] = json.loads(subprocess.run(command, cwd=folder, env={}, stdout=-1, check=True).stdout)
    return found


@pytest.mark.parametrize("model", [provider.config.Config, dashboard.config.Config])
def test_every_commented_line_shows_the_default(model: type[Any], environment: dict[str, str]) -> None:
    config = read_config(model, environment)
    for item in variables_of(model):
        name, parse, default = (item.metadata[key] for key in ("variable", "parse", "default"))
        if default is not None and not name.startswith("NIGHTAUDIT_DEMO"):
            assert name in environment
            assert getattr(config, item.name) == parse(default), name


@pytest.mark.parametrize("model", [provider.config.Config, dashboard.config.Config])
def test_the_configuration_page_has_every_variable_in_its_tables(model: type[Any]) -> None:
    assert {item.metadata["variable"] for item in variables_of(model)} <= variables_in("docs/configuration.md")


def variables_of(model: type[Any]) -> list[Field[Any]]:
    """The fields of single variables, without those of all variables whose names begin so."""
    return [item for item in fields(model) if "variable" in item.metadata]


def test_the_readme_has_ten_variables_that_the_configuration_page_has_too() -> None:
    assert len(variables_in("README.md")) == 10
    assert variables_in("README.md") < variables_in("docs/configuration.md")


def variables_in(document: str) -> set[str]:
    """The variables that the tables of a document name in their first column."""
    rows = [line for line in (ROOT / document).read_text().splitlines() if line.startswith("| `")]
    return set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", "\n".join(row.split("|")[1] for row in rows)))
