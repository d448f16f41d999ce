"""The owner of the embedded server: an ordinary user, root's substitute, or another user."""

import os
import pwd
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

from common.devstack import cluster_owner
from common.devstack.cluster_owner import SYSTEM_USER, owner_of
from common.devstack.embedded import UNSAFE_FAST_SETTINGS, EmbeddedError, attach
from tests.support.processes import User, can_run, postmaster_pid, processes_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

AS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="session")
def ordinary() -> Callable[..., User]:
    """Start processes of a user other than root: `nobody` if the tests run as root."""
    if not AS_ROOT:
        return User
    nobody = pwd.getpwnam("nobody").pw_uid
    for name in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        if can_run(Path(name), nobody):
            return partial(User, python=Path(name), uid=nobody)
    pytest.skip("only root can run a Python with this source")


def test_an_ordinary_user_needs_no_root_privileges(public_dir: Path, ordinary: Callable[..., User]) -> None:
    public_dir.chmod(0o777)
    other_user = ordinary(public_dir / "data", "hotel")
    assert other_user.first_line() == "attached"
    server = psutil.Process(postmaster_pid(public_dir / "data"))
    assert server.uids().real == psutil.Process(other_user.process.pid).uids().real != 0
    assert (public_dir / "data").stat().st_mode & 0o777 == 0o700
    other_user.kill()
    wait_until(lambda: processes_of(public_dir / "data") == [])


def test_a_directory_that_cannot_be_written_is_named(public_dir: Path, ordinary: Callable[..., User]) -> None:
    public_dir.chmod(0o555)
    other_user = ordinary(public_dir / "data")
    assert other_user.first_line() == (
        f"refused: {public_dir}/data cannot be used: Permission denied; set NIGHTAUDIT_DATA_DIR to another directory"
    )
    other_user.leave()


@pytest.mark.skipif(not AS_ROOT, reason="needs two users")
def test_the_data_of_another_user_is_refused(public_dir: Path, ordinary: Callable[..., User]) -> None:
    public_dir.chmod(0o777)
    with attach(public_dir / "root", settings=UNSAFE_FAST_SETTINGS):
        pass
    other_user = ordinary(public_dir / "root")
    assert other_user.first_line().startswith(
        f"refused: {public_dir}/root belongs to the user root; run this as that user"
    )
    other_user.leave()
    other_user = ordinary(public_dir / "nobody")
    assert other_user.first_line() == "attached"
    other_user.leave()
    expected = "belongs to the user nobody; run this as that user"
    with pytest.raises(EmbeddedError, match=expected), attach(public_dir / "nobody"):
        pass


@pytest.mark.skipif(not AS_ROOT, reason="only root gives permissions to another user")
def test_root_only_gives_access_to_the_path_of_the_cluster(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    with attach(data_dir, settings=UNSAFE_FAST_SETTINGS):
        pass
    assert data_dir.stat().st_mode & 0o777 == 0o701
    assert data_dir.parent.stat().st_mode & 0o007 == 0o001
    for path in data_dir.iterdir():
        assert path.stat().st_mode & 0o077 == 0
        assert (path.stat().st_uid != 0) is (path.name == "postgresql")


def test_without_useradd_root_uses_an_existing_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find_user = cluster_owner._find_user
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(cluster_owner, "_find_user", lambda name: None if name == SYSTEM_USER else find_user(name))
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    nobody = find_user("nobody")
    assert nobody is not None
    assert owner_of(tmp_path / "postgresql").uid == nobody.pw_uid
