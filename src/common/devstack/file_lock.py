"""File locks (flock), which the kernel releases when the process that holds them ends.

A lock belongs to the open file, so a process that inherits the descriptor holds it too: the lock is free when the last
of them has ended. It therefore shows which processes live, without trusting process ids.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.02


def acquire(path: Path, *, shared: bool = False) -> int:
    """Wait for the lock without a time limit; returns the descriptor that holds it until it is closed."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    except BaseException:  # interrupted too: no descriptor is left open
        os.close(descriptor)
        raise
    return descriptor


def try_acquire(path: Path) -> int | None:
    """The descriptor that holds the lock exclusively, or None when another process has it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_free(path: Path) -> bool:
    """Whether the lock is free. The check takes it for a moment, so check only under a lock that orders all checks."""
    descriptor = try_acquire(path)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def becomes_free(path: Path, *, seconds: float) -> bool:
    """Wait until the lock is free; False when that takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_free(path):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


@contextmanager
def exclusive(path: Path, *, seconds: float) -> Iterator[int]:
    """Hold the lock; yields its descriptor. Raises TimeoutError when it is not free within `seconds`."""
    deadline = time.monotonic() + seconds
    while (descriptor := try_acquire(path)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} is held by another process")
        time.sleep(_POLL_SECONDS)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
