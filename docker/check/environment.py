"""One set of variables: .env.example, the compose file, the manifests and the code name the same ones."""

import re
from collections.abc import Iterator
from pathlib import Path

from .compose import COMPOSE, environment_of, interpolated
from .kubernetes import containers_of, read_resources
from .reading import SECRET_NAME, at, read_mapping, read_text

EXAMPLE = ".env.example"
OURS = re.compile(r"(PROVIDER|DASHBOARD|NIGHTAUDIT)_[A-Z0-9_]+")
# Set by `make run` alone and by nobody else.
INTERNAL = {"NIGHTAUDIT_DEMO"}
# What a server needs; NIGHTAUDIT_* is for a bare machine.
APPLICATION = ("PROVIDER_", "DASHBOARD_")


def names_in_example(text: str) -> dict[str, str]:
    """Value by name, of lines that are commented out too (those show a default)."""
    return dict(re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))


def names_in_compose(root: Path) -> set[str]:
    """Variables that the services of the compose file hand to the applications."""
    services = read_mapping(root, COMPOSE).get("services") or {}
    return {name for service in services.values() for name in environment_of(service) if OURS.fullmatch(name)}


def names_in_manifests(root: Path) -> set[str]:
    """Variables of ConfigMaps and containers, secrets included."""
    resources = read_resources(root)
    settings = {
        name for resource in resources if resource.kind == "ConfigMap" for name in at(resource.body, "data") or {}
    }
    entries = [entry for resource in resources for box in containers_of(resource) for entry in box.get("env") or []]
    return {name for name in settings | {str(at(entry, "name")) for entry in entries} if OURS.fullmatch(name)}


def names_in_code(root: Path) -> set[str]:
    """Variables that the configuration of an application spells out."""
    files = sorted((root / "src").glob("*/config.py"))
    found = {match.group() for path in files for match in OURS.finditer(path.read_text(encoding="utf-8"))}
    return found - INTERNAL


def faults(root: Path) -> Iterator[str]:
    """One line per name that one place has and another lacks, and per secret with a value."""
    example = names_in_example(read_text(root, EXAMPLE))
    compose, manifests = names_in_compose(root), names_in_manifests(root)
    asked = interpolated(re.sub(r"(?m)^\s*#.*$", "", read_text(root, COMPOSE)))
    users = (
        (COMPOSE, compose | asked),
        ("docker/kubernetes", manifests),
        ("src/*/config.py", names_in_code(root)),
    )
    for place, names in users:
        yield from (f"{EXAMPLE}: {name} is missing; {place} uses it" for name in sorted(names - example.keys()))
    application = {name for name in example if name.startswith(APPLICATION)}
    for name in sorted(application - compose):
        yield f"{COMPOSE}: {name} of {EXAMPLE} reaches no service"
    for name in sorted(name for name in application - manifests if SECRET_NAME.search(name)):
        yield f"docker/kubernetes: the secret {name} of {EXAMPLE} reaches no container"
    for name, value in example.items():
        if re.search(r"(PASSWORD|SECRET|TOKEN)$", name) and value and not value.startswith("${"):
            yield f"{EXAMPLE}: {name} has a value"
