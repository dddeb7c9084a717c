"""Files by handle: what the kernel would do, and nothing that hangs."""

from __future__ import annotations

import errno
import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from hpool.shadow.api import wire
from hpool.shadow.api.wire import EntryFlag, Flag, Op

if TYPE_CHECKING:
    from tests.shadow.home.conftest import Client

CREATE = os.O_RDWR | os.O_CREAT


def test_a_file_is_created_written_read_and_closed(client: Client) -> None:
    opened = client.ask(Op.OPEN, "new", handle=7, arg=CREATE | os.O_EXCL, mode=0o640)
    entry, parent = opened.entries
    assert (entry.path, stat.S_IMODE(entry.attr.mode), entry.attr.access) == (client.path("new"), 0o640, 6)
    assert (parent.flags, parent.path, parent.attr.nlink) == (EntryFlag.PARENT, os.fsencode(client.root), 2)
    assert client.error(Op.WRITE, b"hello world", handle=7, offset=3) == 0
    assert client.ask(Op.READ, handle=7, offset=0, length=100).data == b"\0\0\0hello world"
    assert client.ask(Op.READ, handle=7, offset=8, length=3).data == b" wo"
    assert client.ask(Op.READ, handle=7, offset=14, length=3).data == b""
    assert client.error(Op.FSYNC, handle=7) == 0
    assert client.error(Op.CLOSE, handle=7) == 0
    assert client.error(Op.READ, handle=7, length=1) == errno.EBADF
    assert (client.root / "new").read_bytes() == b"\0\0\0hello world"


def test_created_files_have_exactly_the_mode_asked_for(client: Client) -> None:
    client.open("all", CREATE, 0o777)
    client.open("none", CREATE, 0o000)
    assert stat.S_IMODE(os.stat(client.path("all")).st_mode) == 0o777
    assert stat.S_IMODE(os.stat(client.path("none")).st_mode) == 0


@pytest.mark.parametrize(
    "flags",
    [
        os.O_RDONLY,
        os.O_WRONLY,
        os.O_RDWR,
        CREATE,
        CREATE | os.O_EXCL,
        os.O_RDONLY | os.O_DIRECTORY,
        os.O_WRONLY | os.O_TRUNC,
        os.O_RDONLY | os.O_TRUNC,
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        "file",
        "directory",
        "link",
        "dangling",
        "nothing",
        "nothing/x",
        "file/x",
        "file/",
        "directory/",
        "new/",
    ],
)
def test_opening_ends_as_the_kernel_s_open_does(client: Client, name: str, flags: int) -> None:
    (client.root / "file").write_bytes(b"abc")
    (client.root / "directory").mkdir()
    (client.root / "link").symlink_to("file")
    (client.root / "dangling").symlink_to("gone")
    reply = client.ask(Op.OPEN, name, handle=1, arg=flags, mode=0o644)
    size = (client.root / "file").stat().st_size
    if reply.error == 0 and flags & os.O_CREAT:
        assert client.error(Op.UNLINK, name) in (0, errno.EISDIR)
    try:
        fd = os.open(client.path(name), flags | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        assert reply.error == error.errno
    else:
        os.close(fd)
        assert reply.error == 0
        assert reply.entries[0].path == client.path(name.rstrip("/"))
        assert size == (0 if flags & os.O_TRUNC and name == "file" else 3)


def test_pipes_sockets_and_devices_are_refused_at_once(client: Client) -> None:
    os.mkfifo(client.root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(client.root / "sock"))
        names: list[str | bytes] = ["fifo", "sock", b"/dev/null", b"/dev/tty"]
        for name in names:
            for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
                assert client.error(Op.OPEN, name, handle=1, arg=flags) in (errno.ENXIO, errno.EACCES)
    assert client.error(Op.OPEN, "fifo", handle=1, arg=CREATE) == errno.ENXIO


def test_content_comes_with_open(client: Client) -> None:
    (client.root / "f").write_bytes(b"12345")
    reply = client.ask(Op.OPEN, "f", handle=1, arg=os.O_RDONLY, flags=Flag.CONTENT, length=5)
    assert reply.entries[0].content == b"12345"


@pytest.mark.parametrize(
    "flags", [os.O_NONBLOCK, os.O_APPEND, os.O_PATH, os.O_TMPFILE | os.O_RDWR, 3, 1 << 30]
)
def test_other_open_flags_are_refused(client: Client, flags: int) -> None:
    (client.root / "f").touch()
    assert client.error(Op.OPEN, "f", handle=1, arg=flags) == errno.EINVAL
    assert client.error(Op.OPEN, "f", handle=0, arg=0) == errno.EINVAL


def test_an_open_repeated_after_a_reconnect_truncates_nothing(client: Client) -> None:
    (client.root / "f").write_bytes(b"old")
    asked = {"id": 1000, "handle": 9, "arg": os.O_RDWR | os.O_TRUNC}
    assert client.error(Op.OPEN, "f", **asked) == 0
    assert client.error(Op.WRITE, b"new", handle=9) == 0
    assert client.error(Op.OPEN, "f", **asked) == 0
    client.home.acknowledge(1000)
    assert client.error(Op.OPEN, "f", **(asked | {"id": 1001})) == 0
    assert (client.root / "f").read_bytes() == b"new"


def test_a_lease_is_for_one_who_has_the_file_open_alone(client: Client) -> None:
    (client.root / "f").write_bytes(b"abc")
    reading = client.open("f")
    assert client.error(Op.LEASE, handle=reading, arg=1) == errno.EINVAL
    handle = client.open("f", os.O_RDWR)
    assert client.error(Op.LEASE, handle=handle, arg=1) == errno.EAGAIN
    client.ask(Op.CLOSE, handle=reading)
    assert client.error(Op.LEASE, handle=handle, arg=1) == 0
    with pytest.raises(BlockingIOError):
        os.open(client.root / "f", os.O_RDONLY | os.O_NONBLOCK)
    assert client.error(Op.LEASE, handle=handle, arg=0) == 0
    os.close(os.open(client.root / "f", os.O_RDONLY | os.O_NONBLOCK))


def test_what_is_leased_opens_again_for_the_session_itself(client: Client) -> None:
    (client.root / "f").write_bytes(b"abc")
    handle = client.open("f", os.O_RDWR)
    assert client.error(Op.LEASE, handle=handle, arg=1) == 0
    reading = client.open("f")
    assert client.ask(Op.READ, handle=reading, length=9).data == b"abc"
    listed = client.ask(Op.RESOLVE, "f", flags=Flag.CONTENT, length=100)
    assert listed.entries[-1].content == b"abc"
    client.ask(Op.CLOSE, handle=handle)
    os.close(os.open(client.root / "f", os.O_RDWR | os.O_NONBLOCK))


def test_sizes_change_by_handle(client: Client) -> None:
    handle = client.open("f", CREATE)
    assert client.ask(Op.TRUNCATE, handle=handle, length=5000).entries[0].attr.size == 5000
    entry = client.ask(Op.ALLOCATE, handle=handle, offset=0, length=10000).entries[0]
    assert (entry.attr.size, entry.attr.blocks >= 20) == (10000, True)
    punch = 0x01 | 0x02
    holes = client.ask(Op.ALLOCATE, handle=handle, offset=0, length=8192, arg=punch).entries[0]
    assert (holes.attr.size, holes.attr.blocks < entry.attr.blocks) == (10000, True)
    assert client.error(Op.TRUNCATE, handle=handle, length=2**63) == errno.EINVAL
    assert client.error(Op.ALLOCATE, handle=handle, offset=2**63, length=1) == errno.EINVAL
    assert client.error(Op.WRITE, b"x", handle=handle, offset=2**63) == errno.EINVAL
    assert client.error(Op.READ, handle=handle, offset=2**63, length=1) == errno.EINVAL
    assert client.error(Op.READ, handle=handle, length=wire.MAX_READ + 1) == errno.EINVAL


def test_handles_keep_their_mode(client: Client) -> None:
    (client.root / "f").write_bytes(b"abc")
    reading, writing = client.open("f"), client.open("f", os.O_WRONLY)
    assert client.error(Op.WRITE, b"x", handle=reading) == errno.EBADF
    assert client.error(Op.WRITE, b"x", handle=reading, flags=Flag.AT_END) == errno.EBADF
    assert client.error(Op.READ, handle=writing, length=1) == errno.EBADF
    assert client.error(Op.TRUNCATE, handle=reading, length=1) == errno.EINVAL
    directory = client.open("", os.O_RDONLY | os.O_DIRECTORY)
    assert client.error(Op.READ, handle=directory, length=1) == errno.EISDIR
    assert client.error(Op.FSYNC, handle=directory) == 0


def test_an_unlinked_file_lives_on_in_its_handle(client: Client) -> None:
    handle = client.open("f", CREATE)
    client.ask(Op.WRITE, b"still here", handle=handle)
    assert client.error(Op.UNLINK, "f") == 0
    assert client.ask(Op.READ, handle=handle, length=20).data == b"still here"
    assert client.ask(Op.GETATTR, handle=handle).entries[0].attr.nlink == 0


def test_an_unnamed_file_gets_its_name_later(client: Client) -> None:
    (client.root / "d").mkdir()
    reply = client.ask(Op.TMPFILE, "d", handle=5, mode=0o600)
    assert (reply.error, reply.entries[0].attr.nlink) == (0, 0)
    client.ask(Op.WRITE, b"tmp", handle=5)
    linked = client.ask(Op.LINKFILE, "d/name", handle=5)
    assert [entry.path for entry in linked.entries] == [client.path("d/name"), client.path("d")]
    assert linked.entries[0].attr.nlink == 1
    assert (client.root / "d/name").read_bytes() == b"tmp"
    assert client.error(Op.LINKFILE, "d/name", handle=5) == errno.EEXIST
    assert client.error(Op.TMPFILE, "d/name", handle=6, mode=0o600) == errno.ENOTDIR


def test_a_named_file_gets_no_second_name_by_handle(client: Client) -> None:
    handle = client.open("f", CREATE)
    assert client.error(Op.LINKFILE, "g", handle=handle) == errno.EPERM


def test_writes_beyond_the_file_system_s_limit_fail(client: Client) -> None:
    handle = client.open("f", CREATE)
    assert client.error(Op.WRITE, b"x", handle=handle, offset=2**60) == errno.EFBIG


def test_reads_of_many_pieces_come_back_in_order(client: Client) -> None:
    content = os.urandom(9 << 20)
    (client.root / "f").write_bytes(content)
    handle = client.open("f")
    requests = [
        client.request(Op.READ, handle=handle, offset=at, length=wire.MAX_READ)
        for at in range(0, len(content), wire.MAX_READ)
    ]
    replies = client.batch(*requests)
    assert [reply.id for reply in replies] == [request.id for request in requests]
    assert b"".join(reply.data for reply in replies) == content
