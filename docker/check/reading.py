"""How the checks read files: what cannot be read becomes one line that names the file."""

import re
from pathlib import Path
from typing import Any

import yaml

# Names of variables whose value nobody may read in a repository.
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|DATABASE_URL")

# user:password@ in a URL, the password written out.
CREDENTIALS = re.compile(r"://[^\s/:@]+:[^\s/@$]+@")

# A tag that names a release: 18.6, v3.13.3, 3.13.14-slim.
RELEASE = re.compile(r":v?\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?$")


class UnreadableError(Exception):
    """A file that is missing or that does not parse."""


def read_text(root: Path, name: str) -> str:
    """The file `name` below `root`; raises UnreadableError."""
    try:
        return (root / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{name}: cannot be read ({type(error).__name__})") from None


def read_yaml(root: Path, name: str) -> list[Any]:
    """The documents of the YAML file `name` below `root`, empty ones left out; raises UnreadableError."""
    try:
        return [document for document in yaml.safe_load_all(read_text(root, name)) if document is not None]
    except yaml.YAMLError as error:
        raise UnreadableError(f"{name}: no YAML: {' '.join(str(error).split())}") from None


def read_mapping(root: Path, name: str) -> dict[str, Any]:
    """The one mapping that the YAML file `name` holds; raises UnreadableError."""
    documents = read_yaml(root, name)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise UnreadableError(f"{name}: must hold one mapping")
    return documents[0]


def at(tree: Any, *path: str) -> Any:
    """What lies at this path of nested mappings; None where the path ends early."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree
