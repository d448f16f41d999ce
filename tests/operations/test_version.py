"""The one version, src/common/version.py, and the files that must repeat it."""

import re
import tomllib
from pathlib import Path

from common.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
IMAGE_TAG = re.compile(r"nightaudit:(?P<image>\d[\w.-]*)|newTag: (?P<kustomize>\S+)")


def test_every_image_tag_is_the_version() -> None:
    files = [*(ROOT / "docker").rglob("*"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.yml"), *ROOT.glob("*.md")]
    tags = {
        f"{file.relative_to(ROOT)}: {match.group()}": match["image"] or match["kustomize"]
        for file in files
        if file.is_file() and file.suffix != ".pyc"
        for match in IMAGE_TAG.finditer(file.read_text(encoding="utf-8"))
    }
    assert len(tags) >= 5
    assert {place: tag for place, tag in tags.items() if tag != VERSION} == {}


def test_the_build_reads_the_version_from_the_source() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert (ROOT / project["tool"]["hatch"]["version"]["path"]).read_text().count(f'VERSION = "{VERSION}"') == 1
