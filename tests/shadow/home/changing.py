"""Random changes of a tree, as a job makes them, and what a tree is: for the tests of the journal."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hpool.shadow.api import wire
from hpool.shadow.api.wire import Op, Set

if TYPE_CHECKING:
    from tests.shadow.home.conftest import Client

NAMES = [f"{directory}{name}" for directory in ("", "d1/", "d1/d2/", "d3/") for name in "abcd"]
DIRECTORIES = ["d1", "d1/d2", "d3", "d4", "d1/d5"]
ROUNDS = int(os.environ.get("HPOOL_CHAOS_ROUNDS", "12"))
PUNCH_HOLE, KEEP_SIZE, COLLAPSE, ZERO = 2, 1, 8, 16


class Seen(NamedTuple):
    """All that can be seen of one name; not its access time, and links as who shares the inode."""

    mode: int
    owner: tuple[int, int]
    mtime_ns: int
    content: bytes
    xattrs: tuple[tuple[str, bytes], ...]
    same_as: str  # the first name of the same inode
    inode: int


def tree_of(root: Path, *, with_inodes: bool = False) -> dict[str, Seen]:
    first: dict[tuple[int, int], str] = {}
    found = {}
    for path in [root, *sorted(root.rglob("*"))]:
        st = path.lstat()
        content = b""
        if stat.S_ISREG(st.st_mode):
            content = path.read_bytes()
        elif stat.S_ISLNK(st.st_mode):
            content = os.readlink(os.fsencode(path))
        name = str(path.relative_to(root))
        names = os.listxattr(path, follow_symlinks=False)
        found[name] = Seen(
            st.st_mode,
            (st.st_uid, st.st_gid),
            st.st_mtime_ns,
            content,
            tuple(sorted((each, os.getxattr(path, each, follow_symlinks=False)) for each in names)),
            first.setdefault((st.st_dev, st.st_ino), name),
            st.st_ino if with_inodes and not stat.S_ISDIR(st.st_mode) else 0,
        )
    return found


def plant(root: Path, *, xattrs: bool, links: bool = True) -> None:
    """Something of everything. `links`: also files of two names."""
    for directory in DIRECTORIES[:3]:
        (root / directory).mkdir()
    for number, name in enumerate(NAMES):
        if number % 3 == 0:
            (root / name).write_bytes(random.Random(number).randbytes(2500 + number * 2500))
    (root / "b").symlink_to("d1/a")
    if links:
        os.link(root / "d3/a", root / "d3/b")
        os.link(root / "d3/a", root / "c")
    os.mkfifo(root / "d1/d2/c")
    with (root / "d").open("wb") as sparse:
        sparse.truncate(400_000)
        sparse.seek(200_000)
        sparse.write(b"island" * 3000)
    if xattrs:
        os.setxattr(root / "a", "user.mark", b"before")
        os.setxattr(root / "d3", "user.mark", b"of a directory")
    (root / "a").chmod(0o4640)
    (root / "d3").chmod(0o1770)
    for number, path in enumerate(sorted(root.rglob("*"))):
        os.utime(path, ns=(10**18 + number, 10**18 + 7 * number), follow_symlinks=False)
    os.utime(root, ns=(10**18, 10**18))


class Changes:
    """One random change after the other. Whether it is refused does not matter."""

    def __init__(self, client: Client, seed: int, *, xattrs: bool, links: bool = True) -> None:
        self.client = client
        self.random = random.Random(seed)
        self.xattrs = xattrs
        self.links = links
        self.handles: list[int] = []

    def step(self) -> None:
        kinds = [self.write, self.write, self.append, self.truncate, self.allocate, self.remove, self.rename]
        kinds += [self.rename, self.make, self.attributes, self.create, self.create, self.named_late]
        kinds += [self.xattr] if self.xattrs else []
        kinds += [self.link] if self.links else []
        self.random.choice(kinds)()

    def name(self) -> str:
        return self.random.choice(NAMES)

    def handle(self) -> int:
        """One that is open already, be its file removed or not, or a new one."""
        if self.handles and self.random.random() < 0.5:
            return self.random.choice(self.handles)
        return self.open(os.O_RDWR)

    def open(self, flags: int) -> int:
        number = next(self.client.ids)
        reply = self.client.ask(Op.OPEN, self.name(), handle=number, arg=flags, mode=0o644)
        if reply.error == 0:
            self.handles.append(number)
        return number

    def create(self) -> None:
        self.open(os.O_RDWR | os.O_CREAT | self.random.choice([0, os.O_TRUNC, os.O_EXCL]))

    def write(self) -> None:
        content = self.random.randbytes(self.random.choice([1, 100, 5000, 20_000]))
        self.client.ask(Op.WRITE, content, handle=self.handle(), offset=self.random.randrange(60_000))

    def append(self) -> None:
        self.client.ask(Op.WRITE, b"appended\n" * 10, handle=self.handle(), flags=wire.Flag.AT_END)

    def truncate(self) -> None:
        self.client.ask(Op.TRUNCATE, handle=self.handle(), length=self.random.choice([0, 10, 7000, 90_000]))

    def allocate(self) -> None:
        how = self.random.choice([0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO, COLLAPSE])
        offset, length = 4096 * self.random.randrange(4), 4096 * self.random.randrange(1, 8)
        self.client.ask(Op.ALLOCATE, handle=self.handle(), offset=offset, length=length, arg=how)

    def remove(self) -> None:
        self.client.ask(Op.UNLINK, self.name())
        if self.random.random() < 0.5:
            self.client.ask(Op.RMDIR, self.random.choice(DIRECTORIES))

    def rename(self) -> None:
        names = NAMES if self.random.random() < 0.7 else DIRECTORIES
        old, new = self.random.choice(names), self.random.choice(names)
        self.client.ask(Op.RENAME, old, new, arg=self.random.choice([0, 0, 1, 2]))

    def link(self) -> None:
        self.client.ask(Op.LINK, self.name(), self.name())

    def make(self) -> None:
        op = self.random.choice([Op.MKDIR, Op.SYMLINK, Op.MKNOD])
        if op == Op.MKDIR:
            self.client.ask(op, self.random.choice(DIRECTORIES), mode=0o755)
        elif op == Op.SYMLINK:
            self.client.ask(op, self.name(), b"text of a link")
        else:
            self.client.ask(op, self.name(), mode=stat.S_IFIFO | 0o600)

    def attributes(self) -> None:
        which = self.random.choice([Set.MODE, Set.MTIME | Set.ATIME, Set.SIZE, Set.MTIME_NOW | Set.ATIME_NOW])
        values = wire.Attr(mode=self.random.choice([0o600, 0o755, 0o400]), mtime_s=5, atime_s=6, size=1000)
        name = self.random.choice([*NAMES, *DIRECTORIES])
        self.client.ask(Op.SETATTR, name, values.pack(), mode=which, flags=wire.Flag.NOFOLLOW)

    def xattr(self) -> None:
        name = self.random.choice([*NAMES, *DIRECTORIES])
        if self.random.random() < 0.6:
            self.client.ask(Op.SETXATTR, name, b"user.mark\0after", flags=wire.Flag.NOFOLLOW)
        else:
            self.client.ask(Op.REMOVEXATTR, name, b"user.mark", flags=wire.Flag.NOFOLLOW)

    def named_late(self) -> None:
        """As the starter makes files that nobody waits for."""
        number = next(self.client.ids)
        where = self.random.choice(["", "d1", "d3"])
        if self.client.error(Op.TMPFILE, where, handle=number, mode=0o640):
            return
        self.client.ask(Op.WRITE, b"made without a name", handle=number)
        flags = self.random.choice([0, os.O_TRUNC, os.O_CREAT])
        if self.client.error(Op.LINKFILE, self.name(), handle=number, arg=flags) == 0:
            self.handles.append(number)
