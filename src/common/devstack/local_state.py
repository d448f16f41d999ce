"""Files beside the embedded database: what its data is, the secrets, and the addresses of what runs on it."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from common.devstack.cluster import private
from common.devstack.cluster_owner import EmbeddedError
from common.devstack.embedded import DATA_DIR_VARIABLE, as_embedded_error

OWN_DATA, DEMO_DATA = "own data", "the demo's data"

_CONTENT, _SECRETS, _ADDRESSES = "content", "secrets.env", "addresses.json"
_SECRET_BYTES = 24


def secrets_file(data_dir: Path) -> Path:
    return data_dir / _SECRETS


def require_content(data_dir: Path, content: str) -> None:
    """Note what a new data directory is for. Raises EmbeddedError when it is for the other kind of data."""
    path = data_dir / _CONTENT
    with as_embedded_error(data_dir):
        if not path.exists():
            path.write_text(f"{content}\n")
            return
        found = path.read_text().strip()
    if found != content:
        raise EmbeddedError(
            f"{data_dir} holds {found}; `make run` is the demo, `make run DEMO=0` is for your own data: use the other "
            f"one, or set {DATA_DIR_VARIABLE} to a new directory"
        )


def read_or_make_secrets(data_dir: Path, groups: Sequence[Sequence[str]]) -> Mapping[str, str]:
    """A secret for each variable, the same for those of one group: those of the file in the directory, or new ones."""
    path = secrets_file(data_dir)
    with as_embedded_error(data_dir):
        lines = path.read_text().splitlines() if path.exists() else []
        found = dict(line.split("=", 1) for line in lines if "=" in line)
        for group in groups:
            known = next((found[name] for name in group if name in found), None) or secrets.token_hex(_SECRET_BYTES)
            found |= dict.fromkeys(group, known)
        text = "".join(f"{name}={value}\n" for name, value in found.items())
        with open(path, "w", opener=private) as file:
            file.write(text)
    return found


@contextmanager
def publish_addresses(data_dir: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Let commands on this data directory find the applications that run on it, while the block runs."""
    path = data_dir / _ADDRESSES
    process = psutil.Process()
    content = {"process": process.pid, "created": process.create_time(), "variables": dict(variables)}
    with as_embedded_error(data_dir):
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(content))
        draft.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running_addresses(data_dir: Path) -> Mapping[str, str]:
    """The variables with the addresses of the applications that run on this data directory; empty if none do."""
    try:
        content = json.loads((data_dir / _ADDRESSES).read_text())
        is_running = psutil.Process(content["process"]).create_time() == content["created"]
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return {}
    return content["variables"] if is_running else {}
