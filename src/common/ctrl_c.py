"""Ctrl-C ends a command with one line. Imports nothing heavy, so it works while the application is still importing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""The exit status that shells report for a program ended by SIGINT."""


@contextmanager
def exit_quietly_on_interrupt() -> Iterator[None]:
    """On KeyboardInterrupt, print one line on standard error and exit with INTERRUPTED."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("nightaudit: interrupted; stored rows stay, and the command can be run again\n")
        sys.exit(INTERRUPTED)
