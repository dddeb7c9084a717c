"""A client of the file service, over a small tree of its own."""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hpool.shadow.api import wire
from hpool.shadow.home.epochs import RolledBack, roll_back
from hpool.shadow.home.policy import Rule, Share, SharingPolicy
from hpool.shadow.home.service import Home
from tests.shadow.home.changing import Changes, plant, tree_of

_OF_CHANNELS = ("socket:", "anon_inode:[eventfd]", "anon_inode:[eventpoll]")


class Client:
    """Asks one request at a time, or several in a batch, by paths below `root`."""

    def __init__(self, home: Home, root: Path) -> None:
        self.home = home
        self.root = root
        self.ids = itertools.count(1)

    def path(self, name: str | bytes | Path) -> bytes:
        return os.path.join(os.fsencode(self.root), os.fsencode(name))

    def request(self, op: wire.Op, first: Any = b"", second: Any = b"", **fields: int) -> wire.Request:
        """Names become paths below the root, bytes stay as they are."""
        if isinstance(first, str | Path):
            first = self.path(first)
        if isinstance(second, str | Path):
            second = self.path(second)
        number = fields.pop("id", None) or next(self.ids)
        return wire.Request(op, number, first, second, **fields)

    def batch(self, *requests: wire.Request) -> list[wire.Reply]:
        return wire.parse_replies(self.home.execute(wire.batch(requests)))

    def ask(self, op: wire.Op, first: Any = b"", second: Any = b"", **fields: int) -> wire.Reply:
        """The only reply there is; parts of a long one put together."""
        replies = self.batch(self.request(op, first, second, **fields))
        assert [bool(reply.flags & wire.Flag.MORE) for reply in replies] == [True] * (len(replies) - 1) + [
            False
        ]
        entries = tuple(itertools.chain(*(reply.entries for reply in replies)))
        return replies[-1]._replace(entries=entries)

    def error(self, op: wire.Op, first: Any = b"", second: Any = b"", **fields: int) -> int:
        return self.ask(op, first, second, **fields).error

    def open(self, name: Any, flags: int = os.O_RDONLY, mode: int = 0o644, handle: int = 0) -> int:
        handle = handle or next(self.ids)
        reply = self.ask(wire.Op.OPEN, name, handle=handle, arg=flags, mode=mode)
        if reply.error:
            raise OSError(reply.error, os.strerror(reply.error))
        return handle

    def refusals(self) -> list[str]:
        return [f"{refusal.kind} {refusal.path}" for refusal in self.home.refusals()]


MakeClient = Callable[..., Client]


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[MakeClient]:
    """rules: (path below the root, share); without any, the whole root is writable."""
    root = tmp_path.resolve() / "home"
    root.mkdir()
    homes = []

    def make(*rules: tuple[str, Share], fallback: Share = Share.RO) -> Client:
        given = rules or (("", Share.RW),)
        policy = SharingPolicy(
            tuple(Rule(os.fsencode(root / path), share) for path, share in given), fallback
        )
        homes.append(Home(policy))
        return Client(homes[-1], root)

    yield make
    for home in homes:
        home.close()


@pytest.fixture
def client(make_client: MakeClient) -> Client:
    return make_client()


def fork() -> int:
    """As os.fork(), but for what gRPC left in this process: a channel or server that garbage collection ends
    in the child would wait for ever for threads that only the parent has; descriptors are some hundred."""
    child = os.fork()
    if child == 0:
        gc.disable()
        for fd in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/self/fd/{fd}").startswith(_OF_CHANNELS):
                    os.close(int(fd))
    return child


def in_child(what: Callable[[], None], uid: int | None = None) -> None:
    """In a process of its own, as that user; its failure is ours."""
    reader, writer = os.pipe()
    child = fork()
    if child == 0:
        try:
            if uid is not None:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            what()
        except BaseException as error:
            os.write(writer, repr(error).encode()[:4000])
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as failure:
        said = failure.read()
    _, status = os.waitpid(child, 0)
    assert (said, os.waitstatus_to_exitcode(status)) == (b"", 0)


class Case:
    """A tree, and a journal on the same file system (`is_near`) or on another one."""

    def __init__(self, root: Path, journal: Path) -> None:
        self.root = root
        self.journal = journal
        self.is_near = root.stat().st_dev == journal.stat().st_dev
        self.xattrs = True
        try:
            os.setxattr(root, "user.try", b"")
            os.removexattr(root, "user.try")
        except OSError:
            self.xattrs = False
        self.homes: list[Home] = []

    def plant(self) -> None:
        # Without the inode itself, what had two names becomes two files.
        plant(self.root, xattrs=self.xattrs, links=self.is_near)

    def client(self, journal_bytes: int = 1 << 30) -> Client:
        policy = SharingPolicy((Rule(os.fsencode(self.root), Share.RW),), Share.RO)
        self.homes.append(Home(policy, journal=self.journal, journal_bytes=journal_bytes))
        return Client(self.homes[-1], self.root)

    def changes(self, seed: int) -> Changes:
        return Changes(self.client(), seed, xattrs=self.xattrs, links=self.is_near)

    def tree(self) -> object:
        return tree_of(self.root, with_inodes=self.is_near)

    def close(self) -> None:
        while self.homes:
            self.homes.pop().close()

    def back(self, epoch: int = 0, *, forced: bool = False) -> RolledBack:
        self.close()
        return roll_back(self.journal, epoch, forced=forced)


@pytest.fixture(params=["near", "far"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    root = tmp_path.resolve() / "home"
    root.mkdir()
    if request.param == "near":
        journal = Path(tempfile.mkdtemp(dir=tmp_path))
    else:
        journal = Path(tempfile.mkdtemp(dir="/dev/shm"))
        if journal.stat().st_dev == root.stat().st_dev:
            pytest.skip("one file system for all")
    case = Case(root, journal)
    yield case
    case.close()
    shutil.rmtree(journal, ignore_errors=True)
