"""Read the checked files; a file that cannot be read or parsed becomes one line that names it."""

import re
from pathlib import Path
from typing import Any

import yaml

# Names of variables whose values must not be in a repository.
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|DATABASE_URL")

# user:password@ in a URL, with the password written out.
CREDENTIALS = re.compile(r"://[^\s/:@]+:[^\s/@$]+@")

# A tag that names a release: 18.6, v3.13.3, 3.13.14-slim.
RELEASE = re.compile(r":v?\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?$")


class UnreadableError(Exception):
    """A file is missing or cannot be parsed."""


def read_text(root: Path, name: str) -> str:
    """Return the text of the file `name` below `root`. Raises UnreadableError."""
    try:
        return (root / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{name}: cannot be read ({type(error).__name__})") from None


def read_yaml(root: Path, name: str) -> list[Any]:
    """Return the non-empty documents of the YAML file `name` below `root`. Raises UnreadableError."""
    try:
        return [document for document in yaml.safe_load_all(read_text(root, name)) if document is not None]
    except yaml.YAMLError as error:
        raise UnreadableError(f"{name}: is not valid YAML: {' '.join(str(error).split())}") from None


def read_mapping(root: Path, name: str) -> dict[str, Any]:
    """Return the one mapping in the YAML file `name`. Raises UnreadableError."""
    documents = read_yaml(root, name)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise UnreadableError(f"{name}: must hold one mapping")
    return documents[0]


def value_at(tree: Any, *path: str) -> Any:
    """Return the value at this path of nested mappings, or None if a step is missing."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree
