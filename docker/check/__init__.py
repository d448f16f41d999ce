"""Checks of the deployment files that no linter makes: `python -m docker.check [ROOT]`, part of `make check`.

They cover the image, the compose file, the manifests, Prometheus and the environment, without an engine or a cluster.
"""

from pathlib import Path

from . import compose, environment, image, kubernetes, prometheus, repository
from .reading import UnreadableError


def all_faults(root: Path) -> list[str]:
    """Return one line per fault of the files below `root`, in the order of the checks."""
    faults: list[str] = []
    for check in (image, compose, kubernetes, prometheus, environment, repository):
        try:
            faults += check.faults(root)
        except UnreadableError as unreadable:
            faults.append(str(unreadable))
    # Two checks may report the same unreadable file.
    return list(dict.fromkeys(faults))
