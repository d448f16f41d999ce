"""Rules for all that runs the applications elsewhere: `python -m docker.check [ROOT]`, in `make check`.

The image, the compose file, the manifests, Prometheus and the environment; needs no engine and no cluster.
"""

from pathlib import Path

from . import compose, environment, image, kubernetes, prometheus, repository
from .reading import UnreadableError


def all_faults(root: Path) -> list[str]:
    """One line per fault of the files below `root`, in the order of the checks."""
    faults: list[str] = []
    for check in (image, compose, kubernetes, prometheus, environment, repository):
        try:
            faults += check.faults(root)
        except UnreadableError as unreadable:
            faults.append(str(unreadable))
    # Two checks may come upon the same unreadable file.
    return list(dict.fromkeys(faults))
