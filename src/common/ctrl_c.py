"""Ctrl-C ends a command with one line. Loads nothing, so that it is there before what takes long to load."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""The exit status that a shell gives a program that SIGINT ended."""


@contextmanager
def exit_quietly_on_interrupt() -> Iterator[None]:
    """A KeyboardInterrupt inside the block ends the program with one line on standard error and INTERRUPTED."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("nightaudit: interrupted; what was stored stays, and the command may be run again\n")
        sys.exit(INTERRUPTED)
