"""RESOLVE, LIST and STATFS say what the kernel says."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hpool.shadow.api import wire
from hpool.shadow.api.wire import EntryFlag, Flag, Op

if TYPE_CHECKING:
    from tests.shadow.home.conftest import Client


def seen_of(entry: wire.Entry) -> tuple[int, ...]:
    a = entry.attr
    times = (a.mtime_s, a.mtime_ns, a.ctime_s, a.ctime_ns)
    return (a.dev, a.ino, a.nlink, a.mode, a.uid, a.gid, a.rdev, a.size, a.blocks, a.blksize, *times)


def stat_of(path: Path | bytes) -> tuple[int, ...]:
    s = os.lstat(path)
    times = (s.st_mtime_ns, s.st_ctime_ns)  # looking changes atime
    parts = [part for ns in times for part in divmod(ns, 10**9)]
    where = (s.st_dev, s.st_ino, s.st_nlink, s.st_mode, s.st_uid, s.st_gid)
    return (*where, s.st_rdev, s.st_size, s.st_blocks, s.st_blksize, *parts)


@pytest.fixture
def tree(client: Client) -> Path:
    root = client.root
    (root / "a/b/c").mkdir(parents=True)
    (root / "a/b/file").write_bytes(b"content")
    (root / "a/link").symlink_to("b")
    (root / "a/up").symlink_to("../a/b/c/../file")
    (root / "absolute").symlink_to(root / "a/b")
    (root / "dangling").symlink_to("nothing/here")
    (root / "self").symlink_to("self")
    (root / "deep").symlink_to("a/./link//c/")
    os.mkfifo(root / "fifo")
    (root / os.fsdecode(b"caf\xe9 \n")).write_bytes(b"")
    return root


WALKS = [
    "a",
    "a/b/file",
    "a/link",
    "a/link/file",
    "a/link/c/../file",
    "a/up",
    "absolute/c",
    "absolute",
    "dangling",
    "dangling/x",
    "self",
    "self/x",
    "deep",
    "deep/.",
    "deep/..",
    "a/b/file/",
    "a/b/file/x",
    "a/b/file/.",
    "a/b/",
    "a//b///c",
    "./a",
    "../home/a",
    "fifo",
    "nothing",
    "nothing/x",
    "nothing/",
    "a/nothing/../b",
    "x" * 256,
    "x" * 255,
    "link/",
    "a/link/",
    "dangling/",
    os.fsdecode(b"caf\xe9 \n"),
    "a/b/c/../../link/file",
    "",
]


@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_ends_as_the_kernel_s_does(client: Client, tree: Path, walk: str, follow: bool) -> None:
    reply = client.ask(Op.RESOLVE, walk, flags=0 if follow else Flag.NOFOLLOW)
    try:
        expected = os.stat(client.path(walk), follow_symlinks=follow).st_ino
    except OSError as error:
        assert reply.error == error.errno
    else:
        assert (reply.error, reply.entries[-1].attr.ino) == (0, expected)
    for entry in reply.entries:
        if entry.flags & EntryFlag.ABSENT:
            assert reply.error == errno.ENOENT and entry == reply.entries[-1]
            assert not os.path.lexists(entry.path)
            assert os.path.realpath(os.path.dirname(entry.path)) == os.path.dirname(entry.path)
        else:
            if entry.path.startswith(os.fsencode(tree)):  # above, others are at work
                assert seen_of(entry) == stat_of(entry.path)
            assert entry.target == (os.readlink(entry.path) if os.path.islink(entry.path) else b"")
            assert os.path.realpath(os.path.dirname(entry.path)) == os.path.dirname(entry.path)
    if reply.error == errno.ENOENT and len(walk) < 200:
        assert reply.entries[-1].flags & EntryFlag.ABSENT


def test_every_component_is_told_in_the_order_of_the_walk(client: Client, tree: Path) -> None:
    reply = client.ask(Op.RESOLVE, "a/link/file")
    names = [os.path.relpath(entry.path, os.fsencode(tree)) for entry in reply.entries]
    assert reply.entries[0].path == b"/"
    assert names[names.index(b".") :] == [b".", b"a", b"a/link", b"a/b", b"a/b/file"]


def test_paths_longer_than_path_max_are_walked(client: Client) -> None:
    here = os.open(client.root, os.O_RDONLY)
    for _ in range(700):
        os.mkdir("directory", dir_fd=here)
        below = os.open("directory", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    inode = os.fstat(here).st_ino
    os.close(here)
    path = client.path(b"directory/" * 700)
    assert client.ask(Op.RESOLVE, path).entries[-1].attr.ino == inode
    # The handles in the middle were closed for want of room: `..` finds its way all the same.
    back = client.ask(Op.RESOLVE, path + b"../" * 600 + b"directory")
    assert back.entries[-1].path == client.path(b"directory/" * 100 + b"directory")
    assert client.error(Op.MKDIR, path + b"new", mode=0o755) == 0
    assert client.error(Op.RMDIR, path + b"new") == 0
    assert client.error(Op.RESOLVE, client.path(b"d/" * 40000)) == errno.ENAMETOOLONG
    while client.error(Op.RMDIR, path) == 0:
        path = os.path.dirname(path.rstrip(b"/"))


def test_small_content_comes_along_and_large_does_not(client: Client, tree: Path) -> None:
    asked = {"flags": Flag.CONTENT, "length": 7}
    assert client.ask(Op.RESOLVE, "a/up", **asked).entries[-1].content == b"content"
    (tree / "a/b/file").write_bytes(b"12345678")
    assert client.ask(Op.RESOLVE, "a/up", **asked).entries[-1].content is None
    (tree / "empty").write_bytes(b"")
    assert client.ask(Op.RESOLVE, "empty", **asked).entries[-1].content == b""
    assert client.ask(Op.RESOLVE, "fifo", **asked).entries[-1].content is None


def test_neighbours_in_a_batch_see_changes_made_between_them(client: Client, tree: Path) -> None:
    replies = client.batch(
        client.request(Op.RESOLVE, "a/b/file"),
        client.request(Op.RENAME, "a/b", "a/moved"),
        client.request(Op.RESOLVE, "a/b/file"),
        client.request(Op.RESOLVE, "a/moved/file"),
        client.request(Op.MKDIR, "a/b", mode=0o700),
        client.request(Op.RESOLVE, "a/b"),
        client.request(Op.SETATTR, "a", wire.Attr(mode=0o711).pack(), mode=wire.Set.MODE),
        client.request(Op.RESOLVE, "a/b"),
    )
    assert [reply.error for reply in replies] == [0, 0, errno.ENOENT, 0, 0, 0, 0, 0]
    by_path = {entry.path: entry for entry in replies[-1].entries}
    assert seen_of(by_path[client.path("a")]) == stat_of(tree / "a")


def test_a_listing_tells_every_name_with_its_attributes(client: Client, tree: Path) -> None:
    reply = client.ask(Op.LIST, "")
    itself, *names = reply.entries
    assert (itself.flags & EntryFlag.SELF, itself.path) == (EntryFlag.SELF, os.fsencode(tree))
    assert seen_of(itself) == stat_of(tree)
    assert sorted(entry.path for entry in names) == sorted(os.listdir(os.fsencode(tree)))
    for entry in names:
        path = client.path(entry.path)
        assert seen_of(entry) == stat_of(path)
        assert entry.target == (os.readlink(path) if os.path.islink(path) else b"")
    assert [bool(entry.flags & EntryFlag.COMPLETE) for entry in reply.entries] == [False] * len(names) + [
        True
    ]


def test_an_empty_directory_is_complete_in_itself(client: Client) -> None:
    (only,) = client.ask(Op.LIST, "").entries
    assert only.flags == EntryFlag.SELF | EntryFlag.COMPLETE


def test_a_resolve_may_go_on_as_a_listing(client: Client, tree: Path) -> None:
    first, second = client.batch(client.request(Op.RESOLVE, "absolute", flags=Flag.LISTING))
    assert (first.op, first.flags, first.entries[-1].path) == (Op.RESOLVE, Flag.MORE, client.path("a/b"))
    assert (second.op, second.flags) == (Op.LIST, 0)
    assert {entry.path for entry in second.entries} == {client.path("a/b"), b"c", b"file"}
    (only,) = client.batch(client.request(Op.RESOLVE, "a/b/file", flags=Flag.LISTING))
    assert (only.op, only.flags) == (Op.RESOLVE, 0)


def test_content_in_a_listing_keeps_to_its_budget(client: Client) -> None:
    for number in range(10):
        (client.root / f"f{number}").write_bytes(b"x" * 100)
    (client.root / "big").write_bytes(b"x" * 101)
    reply = client.ask(Op.LIST, "", flags=Flag.CONTENT, length=100, mode=350)
    contents = [entry.content for entry in reply.entries if entry.content is not None]
    assert contents == [b"x" * 100] * 3


def test_a_large_directory_comes_in_pieces(client: Client) -> None:
    names = {b"%0200d" % number for number in range(13000)}
    here = os.open(client.root, os.O_RDONLY)
    for name in names:
        os.mknod(name, 0o644, dir_fd=here)
    os.close(here)
    replies = client.batch(client.request(Op.LIST, ""))
    assert len(replies) > 4
    assert max(len(reply.pack()) for reply in replies) < 1 << 20
    assert {entry.path for reply in replies for entry in reply.entries} == names | {os.fsencode(client.root)}
    flags = [entry.flags for reply in replies for entry in reply.entries]
    assert (flags[-1], set(flags[1:-1])) == (EntryFlag.COMPLETE, {EntryFlag(0)})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b/file", errno.ENOTDIR),
        ("absolute", errno.ENOTDIR),
        ("nothing", errno.ENOENT),
        ("fifo", errno.ENOTDIR),
    ],
)
def test_only_directories_are_listed(client: Client, tree: Path, name: str, expected: int) -> None:
    assert client.error(Op.LIST, name) == expected


def test_statfs_is_the_kernel_s(client: Client) -> None:
    reply = client.ask(Op.STATFS, "")
    fields = struct.unpack("<qqQQQQQ", reply.data[:56])
    expected = os.statvfs(client.root)
    assert len(reply.data) == 120
    assert (fields[1], fields[2], fields[5]) == (expected.f_bsize, expected.f_blocks, expected.f_files)
