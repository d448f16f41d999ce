"""Check that .env.example, the compose file, the manifests and the code name the same variables."""

import re
from collections.abc import Iterator
from pathlib import Path

from .compose import COMPOSE, environment_of, interpolated_names
from .kubernetes import containers_of, read_resources
from .reading import SECRET_NAME, read_mapping, read_text, value_at

EXAMPLE = ".env.example"
VARIABLE = re.compile(r"(PROVIDER|DASHBOARD|NIGHTAUDIT)_[A-Z0-9_]+")
# Only `make run` and the tests set the first two; the last two are beginnings of names.
INTERNAL = {"NIGHTAUDIT_DEMO", "NIGHTAUDIT_TEST_", "DASHBOARD_FEED_TOKEN_"}
# The variables that a server reads; NIGHTAUDIT_* are read on a development machine.
APPLICATION = ("PROVIDER_", "DASHBOARD_")


def names_in_example(text: str) -> dict[str, str]:
    """Return value by name, including lines that are commented out because they show a default."""
    return dict(re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))


def names_in_compose(root: Path) -> set[str]:
    """Return the variables that the services of the compose file pass to the applications."""
    services = read_mapping(root, COMPOSE).get("services") or {}
    return {name for service in services.values() for name in environment_of(service) if VARIABLE.fullmatch(name)}


def names_in_manifests(root: Path) -> set[str]:
    """Return the variables of ConfigMaps and containers, including secrets."""
    resources = read_resources(root)
    settings = {
        name for resource in resources if resource.kind == "ConfigMap" for name in value_at(resource.body, "data") or {}
    }
    entries = [entry for resource in resources for box in containers_of(resource) for entry in box.get("env") or []]
    return {name for name in settings | {str(value_at(entry, "name")) for entry in entries} if VARIABLE.fullmatch(name)}


def names_in_code(root: Path) -> set[str]:
    """Return the variables that the configuration of an application reads."""
    files = sorted((root / "src").glob("*/config.py"))
    found = {match.group() for path in files for match in VARIABLE.finditer(path.read_text(encoding="utf-8"))}
    return found - INTERNAL


def faults(root: Path) -> Iterator[str]:
    """Yield one line per variable that one file names and another lacks, and per secret with a value."""
    example = names_in_example(read_text(root, EXAMPLE))
    compose, manifests = names_in_compose(root), names_in_manifests(root)
    interpolated = interpolated_names(re.sub(r"(?m)^\s*#.*$", "", read_text(root, COMPOSE)))
    users = (
        (COMPOSE, compose | interpolated),
        ("docker/kubernetes", manifests),
        ("src/*/config.py", names_in_code(root)),
    )
    for place, names in users:
        yield from (f"{EXAMPLE}: {name} is missing; {place} uses it" for name in sorted(names - example.keys()))
    application = {name for name in example if name.startswith(APPLICATION)}
    for name in sorted(application - compose):
        yield f"{COMPOSE}: no service receives {name} of {EXAMPLE}"
    for name in sorted(name for name in application - manifests if SECRET_NAME.search(name)):
        yield f"docker/kubernetes: no container receives the secret {name} of {EXAMPLE}"
    for name, value in example.items():
        if re.search(r"(PASSWORD|SECRET|TOKEN)$", name) and value and not value.startswith("${"):
            yield f"{EXAMPLE}: {name} must not have a value"
