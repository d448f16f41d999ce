"""The compose file: what holds for every service."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .reading import CREDENTIALS, RELEASE, SECRET_NAME, at, read_mapping

COMPOSE = "docker-compose.yml"

# All that this file uses; anything else is a typo, which an engine would name only at the start.
KEYS = {
    "build",
    "cap_drop",
    "command",
    "depends_on",
    "deploy",
    "environment",
    "healthcheck",
    "image",
    "init",
    "labels",
    "logging",
    "ports",
    "read_only",
    "restart",
    "security_opt",
    "shm_size",
    "stop_grace_period",
    "tmpfs",
    "user",
    "volumes",
}
NEEDED = ("restart", "stop_grace_period")
# A service that cannot have a healthcheck says why in this label.
REASON = "nightaudit.no-healthcheck"


def interpolated(text: str) -> set[str]:
    """Names of the variables that a compose file takes from its environment, `${NAME…}` or `$NAME`."""
    return set(re.findall(r"(?<!\$)\$\{?([A-Z][A-Z0-9_]*)", text))


def environment_of(service: dict[str, Any]) -> dict[str, Any]:
    """The environment of a service as a mapping; a name alone, which passes the value on, maps to None."""
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
            yield f"{name} holds a password"
        elif SECRET_NAME.search(name) and not re.search(r"\$\{[A-Z]", str(value)):
            yield f"{name} is a literal; a secret comes from ${{{name}:?message}}"
        elif SECRET_NAME.search(name) and name.endswith(("PASSWORD", "SECRET", "TOKEN")) and ":?" not in str(value):
            yield f"{name} may be empty: ${{{name}:?message}} names it instead"


def confinement_faults(service: dict[str, Any]) -> Iterator[str]:
    if service.get("read_only") is not True:
        yield "read_only is not set"
    if service.get("cap_drop") != ["ALL"]:
        yield "cap_drop is not [ALL]"
    if "no-new-privileges:true" not in (service.get("security_opt") or []):
        yield "security_opt lacks no-new-privileges:true"
    for limit in ("memory", "pids"):
        if not at(service, "deploy", "resources", "limits", limit):
            yield f"no limit of {limit}"
    for port in service.get("ports") or []:
        if not str(port).startswith("127.0.0.1:"):
            yield f"port {port} is open to other machines"


def wiring_faults(root: Path, document: dict[str, Any], service: dict[str, Any]) -> Iterator[str]:
    needs = service.get("depends_on") or {}
    for name in needs:
        if name not in document["services"]:
            yield f"depends on {name}, which is no service"
        elif at(needs, name, "condition") != "service_healthy":
            yield f"does not wait until {name} is healthy"
    for mount in service.get("volumes") or []:
        source = str(mount).split(":")[0]
        if source.startswith("."):
            if not (root / source).exists():
                yield f"mounts {source}, which does not exist"
        elif source not in (document.get("volumes") or {}):
            yield f"volume {source} is not declared"
    build = service.get("build")
    if build and not (root / str(at(build, "context")) / str(at(build, "dockerfile"))).is_file():
        yield "build names no Dockerfile"


def service_faults(root: Path, document: dict[str, Any], service: dict[str, Any]) -> Iterator[str]:
    """One line per fault of one service."""
    for key in sorted(service.keys() - KEYS):
        yield f"{key} is no key that is used here"
    for key in NEEDED:
        if not service.get(key):
            yield f"no {key}"
    test = at(service, "healthcheck", "test")
    if not (isinstance(test, list) and test[:1] in (["CMD"], ["CMD-SHELL"])) and not at(service, "labels", REASON):
        yield f"neither a healthcheck nor a reason in the label {REASON}"
    if not service.get("build") and not RELEASE.search(str(service.get("image"))):
        yield f"image {service.get('image')} is not pinned to a release"
    yield from secret_faults(service)
    yield from confinement_faults(service)
    yield from wiring_faults(root, document, service)


def faults(root: Path) -> Iterator[str]:
    """One line per fault of the compose file."""
    document = read_mapping(root, COMPOSE)
    services = document.get("services")
    if not isinstance(services, dict) or not services:
        yield f"{COMPOSE}: no services"
        return
    for name in ("postgres", "provider", "dashboard"):
        if name not in services:
            yield f"{COMPOSE}: no service {name}"
    for name, service in services.items():
        if not isinstance(service, dict):
            yield f"{COMPOSE}: {name}: is no mapping"
            continue
        for fault in service_faults(root, document, service):
            yield f"{COMPOSE}: {name}: {fault}"
