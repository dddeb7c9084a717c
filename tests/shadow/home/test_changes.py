"""Name changes: done as the kernel does them, answered with what changed."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hpool.shadow.api.wire import EntryFlag, Op, Reply

if TYPE_CHECKING:
    from tests.shadow.home.conftest import Client

NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4


def plant(root: Path) -> None:
    root.mkdir(exist_ok=True)
    (root / "full/inner").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "file").write_bytes(b"file")
    (root / "other").write_bytes(b"other")
    (root / "link").symlink_to("full")
    (root / "dangling").symlink_to("gone")


def shape_of(root: Path) -> dict[str, tuple[int, bytes]]:
    shape = {}
    for path in sorted(root.rglob("*")):
        mode = path.lstat().st_mode
        content = os.readlink(os.fsencode(path)) if stat.S_ISLNK(mode) else b""
        content = path.read_bytes() if stat.S_ISREG(mode) else content
        shape[str(path.relative_to(root))] = (mode, content)
    return shape


NAMES = [
    "full",
    "empty",
    "file",
    "link",
    "dangling",
    "new",
    "file/x",
    "gone/x",
    "full/",
    "new/",
    "file/",
    ".",
    "..",
    "full/inner",
    "link/",
    "full/.",
    "full/..",
]
ONE: dict[str, tuple[Op, dict[str, int], bytes, Callable[[bytes], None]]] = {
    "mkdir": (Op.MKDIR, {"mode": 0o750}, b"", lambda path: os.mkdir(path, 0o750)),
    "rmdir": (Op.RMDIR, {}, b"", os.rmdir),
    "unlink": (Op.UNLINK, {}, b"", os.unlink),
    "symlink": (Op.SYMLINK, {}, b"some text", lambda path: os.symlink(b"some text", path)),
    "mknod": (Op.MKNOD, {"mode": stat.S_IFIFO | 0o640}, b"", lambda path: os.mkfifo(path, 0o640)),
}
TWO: dict[str, tuple[Op, Callable[[bytes, bytes], None]]] = {
    "rename": (Op.RENAME, os.rename),
    "link": (Op.LINK, lambda old, new: os.link(old, new, follow_symlinks=False)),
}


def agree(client: Client, judge: Path, reply: Reply, native: Callable[[], None]) -> None:
    os.umask(0)
    try:
        native()
    except OSError as error:
        assert reply.error == error.errno
    else:
        assert reply.error == 0
    assert shape_of(client.root) == shape_of(judge)
    if reply.error == 0:
        assert any(entry.flags & EntryFlag.PARENT for entry in reply.entries)
        for entry in reply.entries:
            attr, status = entry.attr, os.lstat(entry.path) if os.path.lexists(entry.path) else None
            if status is not None:
                assert (attr.ino, attr.nlink) == (status.st_ino, status.st_nlink)
                assert (attr.mtime_ns, attr.ctime_ns) == (
                    status.st_mtime_ns % 10**9,
                    status.st_ctime_ns % 10**9,
                )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("call", ONE)
def test_a_change_of_one_name_ends_as_at_home(client: Client, tmp_path: Path, call: str, name: str) -> None:
    judge = tmp_path / "judge"
    plant(client.root)
    plant(judge)
    op, fields, text, native = ONE[call]
    path = os.fsencode(judge) + b"/" + os.fsencode(name)
    reply = client.ask(op, client.path(name), text, **fields)
    agree(client, judge, reply, lambda: native(path))


@pytest.mark.parametrize(
    "new", ["new", "file", "empty", "full", "link", "full/inner", "new/", "gone/x", "file/x"]
)
@pytest.mark.parametrize(
    "old", ["file", "empty", "full", "link", "dangling", "nothing", "full/", "file/", "other"]
)
@pytest.mark.parametrize("call", TWO)
def test_a_change_of_two_names_ends_as_at_home(
    client: Client, tmp_path: Path, call: str, old: str, new: str
) -> None:
    judge = tmp_path / "judge"
    plant(client.root)
    plant(judge)
    op, native = TWO[call]
    base = os.fsencode(judge) + b"/"
    reply = client.ask(op, client.path(old), client.path(new))
    agree(client, judge, reply, lambda: native(base + os.fsencode(old), base + os.fsencode(new)))


def test_a_rename_tells_the_object_and_both_parents(client: Client) -> None:
    plant(client.root)
    reply = client.ask(Op.RENAME, "file", "full/inner/moved")
    assert [(entry.flags, entry.path) for entry in reply.entries] == [
        (0, client.path("full/inner/moved")),
        (EntryFlag.PARENT, client.path("full/inner")),
        (EntryFlag.PARENT, os.fsencode(client.root)),
    ]


def test_rename_flags_are_obeyed(client: Client) -> None:
    plant(client.root)
    assert client.error(Op.RENAME, "file", "other", arg=NOREPLACE) == errno.EEXIST
    assert client.error(Op.RENAME, "file", "new", arg=NOREPLACE) == 0
    assert client.error(Op.RENAME, "new", "full", arg=EXCHANGE) == 0
    assert (client.root / "new/inner").is_dir() and (client.root / "full").read_bytes() == b"file"
    assert client.error(Op.RENAME, "new", "absent", arg=EXCHANGE) == errno.ENOENT
    assert client.error(Op.RENAME, "new", "absent", arg=WHITEOUT) == errno.EPERM
    assert client.error(Op.RENAME, "new", "absent", arg=64) == errno.EINVAL


def test_unlink_tells_of_the_names_that_are_left(client: Client) -> None:
    plant(client.root)
    os.link(client.root / "file", client.root / "second")
    entry, parent = client.ask(Op.UNLINK, "file").entries
    assert (entry.attr.nlink, entry.attr.ino) == (1, (client.root / "second").stat().st_ino)
    assert parent.flags == EntryFlag.PARENT
    (parent,) = client.ask(Op.UNLINK, "second").entries
    assert parent.flags == EntryFlag.PARENT


def test_nodes_of_harmless_kinds_are_made_and_devices_are_not(client: Client) -> None:
    for kind, name in ((stat.S_IFIFO, "p"), (stat.S_IFSOCK, "s"), (stat.S_IFREG, "r"), (0, "z")):
        assert client.error(Op.MKNOD, name, mode=kind | 0o600) == 0
        assert stat.S_IFMT(os.lstat(client.path(name)).st_mode) == (kind or stat.S_IFREG)
    for kind in (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFDIR):
        assert client.error(Op.MKNOD, "device", mode=kind | 0o600) == errno.EPERM


def test_a_bound_socket_can_be_removed(client: Client) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(client.root / "sock"))
        assert client.error(Op.UNLINK, "sock") == 0


def test_programs_set_to_run_as_root_are_not_made(client: Client) -> None:
    expected = 0o755 if os.geteuid() == 0 else 0o6755
    client.open("created", os.O_RDWR | os.O_CREAT, 0o6755)
    client.ask(Op.MKNOD, "node", mode=stat.S_IFREG | 0o6755)
    for name in ("created", "node"):
        assert stat.S_IMODE(os.stat(client.path(name)).st_mode) == expected
    assert client.error(Op.MKDIR, "shared", mode=0o2775) == 0


def test_open_handles_follow_a_renamed_directory(client: Client) -> None:
    plant(client.root)
    handle = client.open("full/inner/f", os.O_RDWR | os.O_CREAT)
    client.ask(Op.RENAME, "full", "renamed")
    assert client.ask(Op.GETATTR, handle=handle).entries[0].path == client.path("renamed/inner/f")
