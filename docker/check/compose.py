"""Check every service of the compose file for what its schema and compose-lint do not cover."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .reading import CREDENTIALS, RELEASE, SECRET_NAME, read_mapping, value_at

COMPOSE = "docker-compose.yml"

REQUIRED_KEYS = ("restart", "stop_grace_period")
REASON = "nightaudit.no-healthcheck"
"""The label in which a service without a healthcheck gives the reason."""


def interpolated_names(text: str) -> set[str]:
    """Return the names of the variables that a compose file interpolates: `${NAME…}` or `$NAME`."""
    return set(re.findall(r"(?<!\$)\$\{?([A-Z][A-Z0-9_]*)", text))


def environment_of(service: dict[str, Any]) -> dict[str, Any]:
    """Return a service's environment as a mapping; a name without a value, which is passed through, maps to None."""
    declared = service.get("environment") or {}
    if isinstance(declared, list):
        pairs = [entry.partition("=") for entry in declared]
        return {name: value if equals else None for name, equals, value in pairs}
    return dict(declared)


def secret_faults(service: dict[str, Any]) -> Iterator[str]:
    for name, value in environment_of(service).items():
        if value is None:
            continue
        if CREDENTIALS.search(str(value)):
            yield f"{name} contains a password"
        elif SECRET_NAME.search(name) and not re.search(r"\$\{[A-Z]", str(value)):
            yield f"{name} is a literal; use ${{{name}:?message}}"
        elif SECRET_NAME.search(name) and name.endswith(("PASSWORD", "SECRET", "TOKEN")) and ":?" not in str(value):
            yield f"{name} may be empty; use ${{{name}:?message}}"


def dependency_faults(root: Path, document: dict[str, Any], service: dict[str, Any]) -> Iterator[str]:
    dependencies = service.get("depends_on") or {}
    for name in dependencies:
        if name not in document["services"]:
            yield f"depends on {name}, which is not a service"
        elif value_at(dependencies, name, "condition") != "service_healthy":
            yield f"does not wait until {name} is healthy"
    for mount in service.get("volumes") or []:
        source = str(mount).split(":")[0]
        if source.startswith("."):
            if not (root / source).exists():
                yield f"mounts {source}, which does not exist"
        elif source not in (document.get("volumes") or {}):
            yield f"mounts the volume {source}, which is not declared"
    build = service.get("build")
    if build and not (root / str(value_at(build, "context")) / str(value_at(build, "dockerfile"))).is_file():
        yield "build does not name an existing Dockerfile"


def service_faults(root: Path, document: dict[str, Any], service: dict[str, Any]) -> Iterator[str]:
    """Yield one line per fault of one service."""
    for key in REQUIRED_KEYS:
        if not service.get(key):
            yield f"{key} is missing"
    # Not CPUs: an engine refuses to start a container that asks for more than the machine has.
    for limit in ("memory", "pids"):
        if not value_at(service, "deploy", "resources", "limits", limit):
            yield f"the limit of {limit} is missing"
    test = value_at(service, "healthcheck", "test")
    if not isinstance(test, list) and not value_at(service, "labels", REASON):
        yield f"needs a healthcheck, or a reason in the label {REASON}"
    if not service.get("build") and not RELEASE.search(str(service.get("image"))):
        yield f"image {service.get('image')} is not pinned to a release"
    yield from secret_faults(service)
    yield from dependency_faults(root, document, service)


def faults(root: Path) -> Iterator[str]:
    """Yield one line per fault of the compose file."""
    document = read_mapping(root, COMPOSE)
    services = document.get("services")
    if not isinstance(services, dict) or not services:
        yield f"{COMPOSE}: services are missing"
        return
    for name in ("postgres", "provider", "dashboard"):
        if name not in services:
            yield f"{COMPOSE}: the service {name} is missing"
    for name, service in services.items():
        if not isinstance(service, dict):
            yield f"{COMPOSE}: {name}: is not a mapping"
            continue
        for fault in service_faults(root, document, service):
            yield f"{COMPOSE}: {name}: {fault}"
