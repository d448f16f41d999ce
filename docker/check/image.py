"""Check the Dockerfiles, their build context and the packages they install for what hadolint does not cover."""

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from .reading import CREDENTIALS, RELEASE, SECRET_NAME, read_text

DOCKERFILES = ("docker/Dockerfile", "heroku.Dockerfile")
DEVSTACK = "src/common/devstack"
"""Only `make run` needs it; an image with it would be able to start a database server of its own."""

Step = tuple[str, str]


def instructions(text: str) -> list[Step]:
    """Return instruction and arguments of every logical line, without comments and continuations."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    logical = re.sub(r"\\\n", " ", "\n".join(lines)).splitlines()
    pairs = [line.strip().partition(" ") for line in logical if line.strip()]
    return [(word.upper(), " ".join(rest.split())) for word, _, rest in pairs]


def final_stage(steps: list[Step]) -> dict[str, str]:
    """Return the last of each instruction after the last FROM."""
    starts = [position for position, (word, _) in enumerate(steps) if word == "FROM"]
    return dict(steps[starts[-1] :]) if starts else {}


def stage_faults(final: dict[str, str]) -> Iterator[str]:
    user = final.get("USER", "")
    if not re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", user):
        yield f"USER must be a number other than 0, not {user or 'missing'}"
    for word in ("CMD", "HEALTHCHECK"):
        if word not in final:
            yield f"{word} is missing"
    if final.get("STOPSIGNAL", "SIGTERM") != "SIGTERM":
        yield "STOPSIGNAL must be SIGTERM"


def step_faults(root: Path, steps: list[Step]) -> Iterator[str]:
    stages = {rest.split()[-1] for word, rest in steps if word == "FROM" and " AS " in rest.upper()}
    admitted = [line[1:].strip("/") for line in read_text(root, ".dockerignore").splitlines() if line.startswith("!")]
    for word, rest in steps:
        if word == "FROM" and rest.split()[0] not in stages and not RELEASE.search(rest.split()[0]):
            yield f"FROM {rest.split()[0]} is not pinned to a release"
        if word in {"ENV", "ARG"} and (SECRET_NAME.search(rest) or CREDENTIALS.search(rest)):
            yield f"{word} {rest.split('=')[0]} puts a secret into the image"
        if word == "RUN" and "pip" in rest and "install" in rest and "--require-hashes" not in rest:
            yield "pip install needs --require-hashes"
        if word == "COPY" and "--from=" not in rest:
            for source in rest.split()[:-1]:
                if not (root / source).exists():
                    yield f"COPY {source}: the file does not exist"
                elif not any(source == name or source.startswith(name + "/") for name in admitted):
                    yield f"COPY {source}: .dockerignore excludes it"


def context_faults(root: Path) -> Iterator[str]:
    """The last pattern of .dockerignore that matches a path decides about it."""
    excluded = False
    for line in read_text(root, ".dockerignore").splitlines():
        pattern = line.removeprefix("!").strip("/")
        if pattern and not line.startswith("#") and (fnmatch(DEVSTACK, pattern) or DEVSTACK.startswith(pattern + "/")):
            excluded = not line.startswith("!")
    if not excluded:
        yield f"must exclude {DEVSTACK}"


def pins(text: str) -> dict[str, str]:
    """Return version by package of a compiled requirements file."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE))


def requirement_faults(root: Path) -> Iterator[str]:
    runtime = pins(read_text(root, "requirements/runtime.txt"))
    for package, version in pins(read_text(root, "requirements/container.txt")).items():
        if runtime.get(package) != version:
            yield f"{package} is {version} here but {runtime.get(package)} in runtime.txt; run make lock"


def faults(root: Path) -> Iterator[str]:
    """Yield one line per fault of the images."""
    for dockerfile in DOCKERFILES:
        steps = instructions(read_text(root, dockerfile))
        for fault in (*step_faults(root, steps), *stage_faults(final_stage(steps))):
            yield f"{dockerfile}: {fault}"
    yield from (f".dockerignore: {fault}" for fault in context_faults(root))
    yield from (f"requirements/container.txt: {fault}" for fault in requirement_faults(root))
