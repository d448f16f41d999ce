"""Check that no file of the repository contains a registry address or a path of one machine."""

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from .reading import read_text

FORBIDDEN = {
    "the address of a package registry": re.compile(
        r"(?:files\.)?python"
        r"hosted\.org|\bpy"
        r"pi\.(?:org|python\.org)|registry\.(?:npmjs|yarnpkg)\.|\bproxy\.golang\.org"
        r"|https?://[^\s\"'<>]+/simple(?:/|\b)|--(?:extra-)?index-url[ =]|--find-links[ =]"
        r"|\b(?:PIP|UV)_(?:EXTRA_)?INDEX_URL"
    ),
    "a path of one machine": re.compile(r"(?<![\w./$}-])/(?:work|root|home/\w+|Users/\w+)/"),
}


def ignored_names(root: Path) -> list[str]:
    """Return the patterns of .gitignore, each read as the name of a file or folder at any depth."""
    lines = [line.strip() for line in read_text(root, ".gitignore").splitlines()]
    return [".git", *(line.strip("/") for line in lines if line and not line.startswith("#"))]


def files_of(root: Path) -> Iterator[Path]:
    """Yield every file that is not ignored, without following links."""
    ignored = ignored_names(root)

    def kept(name: str) -> bool:
        return not any(fnmatch(name, pattern) for pattern in ignored)

    for folder, folders, files in os.walk(root):
        folders[:] = sorted(filter(kept, folders))
        yield from (Path(folder, name) for name in sorted(filter(kept, files)))


def faults(root: Path) -> Iterator[str]:
    """Yield one line per file, line number and kind of fault; skip files that are not text."""
    for path in files_of(root):
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        if b"\0" in content[:8192]:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
            for kind, pattern in FORBIDDEN.items():
                if pattern.search(line):
                    yield f"{path.relative_to(root).as_posix()}:{number}: contains {kind}"
