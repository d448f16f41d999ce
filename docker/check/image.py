"""The Dockerfile, what goes into its build, and the packages that it installs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from .reading import CREDENTIALS, RELEASE, SECRET_NAME, read_text

DOCKERFILE = "docker/Dockerfile"


def instructions(text: str) -> list[tuple[str, str]]:
    """Instruction and arguments of every logical line; comments and continuations are gone."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    logical = re.sub(r"\\\n", " ", "\n".join(lines)).splitlines()
    pairs = [line.strip().partition(" ") for line in logical if line.strip()]
    return [(word.upper(), " ".join(rest.split())) for word, _, rest in pairs]


def is_exec_form(arguments: str) -> bool:
    """Whether the arguments are a JSON array: then no shell stands between the process and its signals."""
    try:
        words = json.loads(arguments)
    except json.JSONDecodeError:
        return False
    return isinstance(words, list) and bool(words) and all(isinstance(word, str) for word in words)


def final_stage(steps: list[tuple[str, str]]) -> dict[str, str]:
    """The last of each instruction after the last FROM."""
    starts = [position for position, (word, _) in enumerate(steps) if word == "FROM"]
    return dict(steps[starts[-1] :]) if starts else {}


def stage_faults(final: dict[str, str]) -> Iterator[str]:
    user = final.get("USER", "")
    if not re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", user):
        yield f"USER must be a number other than 0, is {user or 'missing'}"
    for word in ("ENTRYPOINT", "CMD"):
        if not is_exec_form(final.get(word, "")):
            yield f"{word} must be there in exec form"
    _, command, arguments = final.get("HEALTHCHECK", "").partition("CMD ")
    if not command or not is_exec_form(arguments):
        yield "HEALTHCHECK must be there with a CMD in exec form"
    if final.get("STOPSIGNAL") != "SIGTERM":
        yield "STOPSIGNAL must be SIGTERM"
    if re.search(r"\b(apt-get|apk|gcc|build-essential)\b", final.get("RUN", "")):
        yield "the final stage installs system packages"


def step_faults(root: Path, steps: list[tuple[str, str]]) -> Iterator[str]:
    stages = {rest.split()[-1] for word, rest in steps if word == "FROM" and " AS " in rest.upper()}
    admitted = [line[1:].strip("/") for line in read_text(root, ".dockerignore").splitlines() if line.startswith("!")]
    for word, rest in steps:
        if word == "FROM" and rest.split()[0] not in stages and not RELEASE.search(rest.split()[0]):
            yield f"FROM {rest.split()[0]} is not pinned to a release"
        if word == "ADD":
            yield "ADD fetches and unpacks; COPY does not"
        if word in {"ENV", "ARG"} and (SECRET_NAME.search(rest) or CREDENTIALS.search(rest)):
            yield f"{word} {rest.split('=')[0]} puts a secret into the image"
        if word == "RUN" and "pip" in rest and "install" in rest and "--require-hashes" not in rest:
            yield "pip install without --require-hashes"
        if word == "COPY" and "--from=" not in rest:
            for source in rest.split()[:-1]:
                if not (root / source).exists():
                    yield f"COPY {source}: there is no such file"
                elif not any(source == name or source.startswith(name + "/") for name in admitted):
                    yield f"COPY {source}: .dockerignore keeps it out"


def pins(text: str) -> dict[str, str]:
    """Version by package of a compiled requirements file."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE))


def requirement_faults(root: Path) -> Iterator[str]:
    runtime = pins(read_text(root, "requirements/runtime.txt"))
    for package, version in pins(read_text(root, "requirements/container.txt")).items():
        if runtime.get(package) != version:
            yield f"{package} is {version} here but {runtime.get(package)} in runtime.txt: make lock"


def faults(root: Path) -> Iterator[str]:
    """One line per fault of the image."""
    steps = instructions(read_text(root, DOCKERFILE))
    if not any(word == "FROM" for word, _ in steps):
        yield f"{DOCKERFILE}: no FROM"
    for fault in (*step_faults(root, steps), *stage_faults(final_stage(steps))):
        yield f"{DOCKERFILE}: {fault}"
    for fault in requirement_faults(root):
        yield f"requirements/container.txt: {fault}"
