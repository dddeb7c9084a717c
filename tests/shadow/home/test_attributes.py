"""SETATTR, GETATTR and extended attributes."""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import TYPE_CHECKING

import pytest

from hpool.shadow.api.wire import Attr, Flag, Op, Reply, Set

if TYPE_CHECKING:
    from tests.shadow.home.conftest import Client

PAST = Attr(mode=0o640, atime_s=-5, atime_ns=1, mtime_s=1_000_000_000, mtime_ns=999_999_999, size=3)


def set_attr(client: Client, name: str | bytes, what: Set, attr: Attr = PAST, **fields: int) -> Reply:
    return client.ask(Op.SETATTR, name, attr.pack(), mode=what, **fields)


@pytest.fixture
def name(client: Client) -> str:
    (client.root / "file").write_bytes(b"content")
    (client.root / "link").symlink_to("file")
    return "file"


@pytest.mark.parametrize("by_handle", [True, False])
def test_what_is_set_is_there_and_told(client: Client, name: str, by_handle: bool) -> None:
    where = {"handle": client.open(name, os.O_RDWR)} if by_handle else {}
    what = Set.MODE | Set.ATIME | Set.MTIME | Set.SIZE
    (entry,) = set_attr(client, b"" if by_handle else client.path(name), what, PAST, **where).entries
    status = os.stat(client.path(name))
    assert (stat.S_IMODE(status.st_mode), status.st_size) == (0o640, 3)
    assert (status.st_atime_ns, status.st_mtime_ns) == (-5 * 10**9 + 1, 1_000_000_000_999_999_999)
    assert (entry.path, entry.attr.mtime_ns, entry.attr.size) == (client.path(name), 999_999_999, 3)
    assert entry == client.ask(Op.GETATTR, name).entries[0]


def test_now_is_home_s_clock(client: Client, name: str) -> None:
    set_attr(client, name, Set.ATIME | Set.MTIME)
    before = time.time()
    set_attr(client, name, Set.MTIME_NOW)
    status = os.stat(client.path(name))
    assert status.st_atime_ns == -5 * 10**9 + 1
    assert before - 1 < status.st_mtime < time.time() + 1


def test_a_link_s_own_attributes(client: Client, name: str) -> None:
    assert set_attr(client, "link", Set.MTIME, flags=Flag.NOFOLLOW).error == 0
    assert os.lstat(client.path("link")).st_mtime == pytest.approx(1_000_000_001)
    assert os.stat(client.path("link")).st_mtime > 1_000_000_001
    assert set_attr(client, "link", Set.MODE, flags=Flag.NOFOLLOW).error == errno.EOPNOTSUPP
    entry = client.ask(Op.GETATTR, "link", flags=Flag.NOFOLLOW).entries[0]
    assert entry.target == b"", "reading a link's text moves its atime"
    assert stat.S_ISLNK(entry.attr.mode)
    assert client.ask(Op.GETATTR, "link").entries[0].path == client.path("file")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owners_change_and_privileges_do_not_follow(client: Client, name: str) -> None:
    owner = Attr(uid=1234, gid=2345, mode=0o6755)
    assert set_attr(client, name, Set.UID | Set.GID | Set.MODE, owner).error == 0
    status = os.stat(client.path(name))
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 2345, 0o755)
    assert client.error(Op.SETXATTR, name, b"security.capability\0" + bytes(20)) == errno.EPERM
    assert client.error(Op.SETXATTR, name, b"trusted.x\0y") == errno.EPERM


def test_bad_values_are_refused(client: Client, name: str) -> None:
    assert set_attr(client, name, Set.SIZE, Attr(size=2**63)).error == errno.EINVAL
    assert set_attr(client, name, Set.MTIME, Attr(mtime_ns=10**9)).error == errno.EINVAL
    assert set_attr(client, "", Set.SIZE).error == errno.EISDIR
    os.mkfifo(client.root / "fifo")
    assert set_attr(client, "fifo", Set.SIZE).error == errno.EINVAL
    assert set_attr(client, "nothing", Set.MODE).error == errno.ENOENT


def has_user_xattrs(client: Client) -> bool:
    try:
        os.setxattr(client.root, "user.probe", b"")
    except OSError:
        return False
    os.removexattr(client.root, "user.probe")
    return True


@pytest.mark.parametrize("by_handle", [True, False])
def test_extended_attributes_come_and_go(client: Client, name: str, by_handle: bool) -> None:
    if not has_user_xattrs(client):
        pytest.skip("this file system has no user attributes")
    where = {"handle": client.open(name)} if by_handle else {}
    who = b"" if by_handle else client.path(name)
    value = bytes(range(256))
    assert client.ask(Op.SETXATTR, who, b"user.one\0" + value, **where).entries[0].path == client.path(name)
    assert os.getxattr(client.path(name), "user.one") == value
    assert client.error(Op.SETXATTR, who, b"user.one\0x", arg=os.XATTR_CREATE, **where) == errno.EEXIST
    assert client.ask(Op.GETXATTR, who, b"user.one", length=256, **where).data == value
    assert client.ask(Op.GETXATTR, who, b"user.one", length=0, **where).data == value
    assert client.error(Op.GETXATTR, who, b"user.one", length=255, **where) == errno.ERANGE
    assert b"user.one\0" in client.ask(Op.LISTXATTR, who, length=1000, **where).data
    assert client.error(Op.REMOVEXATTR, who, b"user.one", **where) == 0
    assert client.error(Op.GETXATTR, who, b"user.one", length=1, **where) == errno.ENODATA
