"""The file service's records in Python: requests built, replies read. See home_wire.h.

Owns: the shapes and numbers of home_wire.h on this side; a test holds them against C's.
Leaves to others: carrying batches (home), executing them (shadow.home), asking in earnest
(the sandbox's engine, in C). Used by bundles, and by tests as a client.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, Self

REQUEST: Final = struct.Struct("<IHHQQQQIIII")
REPLY: Final = struct.Struct("<IHHQiI")
ENTRY: Final = struct.Struct("<IIIIII")
ATTR: Final = struct.Struct("<QQQIIIIQQQIIqqqqIIIIQ")
FLOCK: Final = struct.Struct("<hh4xqqi4x")

MAX_RECORD: Final = 4 << 20
MAX_READ: Final = 1 << 20
MAX_PATH: Final = 65536
MAX_XATTR: Final = 65536


class Malformed(Exception):
    """A record that is not what home_wire.h says."""


class Op(enum.IntEnum):
    RESOLVE = 1
    LIST = 2
    STATFS = 3
    BUNDLE = 4
    OPEN = 10
    CLOSE = 11
    READ = 12
    WRITE = 13
    TRUNCATE = 14
    ALLOCATE = 15
    FSYNC = 16
    TMPFILE = 17
    LINKFILE = 18
    GETATTR = 20
    SETATTR = 21
    GETXATTR = 22
    SETXATTR = 23
    LISTXATTR = 24
    REMOVEXATTR = 25
    MKDIR = 30
    RMDIR = 31
    UNLINK = 32
    RENAME = 33
    LINK = 34
    SYMLINK = 35
    MKNOD = 36
    FLOCK = 40
    FCNTL_LOCK = 41
    LEASE = 42
    EPOCH = 43
    CHANGED = 50
    RECALL = 51


class Flag(enum.IntFlag):
    MORE = 1
    NOFOLLOW = 2
    CONTENT = 4
    LISTING = 8
    AT_END = 16
    EXPECT = 32


class EntryFlag(enum.IntFlag):
    CONTENT = 1
    ABSENT = 2
    SELF = 4
    PARENT = 8
    COMPLETE = 16
    TAKES_GS = 32


class Sure(enum.IntFlag):
    CHANGES = 1
    NAMES = 2
    ANY_MODE = 4


class Set(enum.IntFlag):
    MODE = 1
    UID = 2
    GID = 4
    ATIME = 8
    MTIME = 16
    ATIME_NOW = 32
    MTIME_NOW = 64
    SIZE = 128


class Attr(NamedTuple):
    dev: int = 0
    ino: int = 0
    nlink: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    access: int = 0
    rdev: int = 0
    size: int = 0
    blocks: int = 0
    blksize: int = 0
    sure: int = 0
    atime_s: int = 0
    mtime_s: int = 0
    ctime_s: int = 0
    btime_s: int = 0
    atime_ns: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    btime_ns: int = 0
    fsid: int = 0

    def pack(self) -> bytes:
        return ATTR.pack(*self)


class Entry(NamedTuple):
    flags: EntryFlag
    path: bytes
    target: bytes
    content: bytes | None
    digest: bytes
    attr: Attr

    def pack(self) -> bytes:
        content = self.content or b""
        body = b"".join((self.attr.pack(), self.path, self.target, content, self.digest))
        size = align(ENTRY.size + len(body))
        head = ENTRY.pack(size, self.flags, len(self.path), len(self.target), len(content), len(self.digest))
        return (head + body).ljust(size, b"\0")

    @classmethod
    def parse(cls, record: memoryview, at: int) -> tuple[Self, int]:
        if at + ENTRY.size + ATTR.size > len(record):
            raise Malformed("an entry is cut off")
        size, flags, *lengths = ENTRY.unpack_from(record, at)
        begin = at + ENTRY.size + ATTR.size
        end = at + size
        if size % 8 or end > len(record) or begin + sum(lengths) > end:
            raise Malformed("an entry's lengths do not fit")
        attr = Attr(*ATTR.unpack_from(record, at + ENTRY.size))
        texts = []
        for length in lengths:
            texts.append(bytes(record[begin : begin + length]))
            begin += length
        path, target, content, digest = texts
        kept = content if flags & EntryFlag.CONTENT else None
        return cls(EntryFlag(flags), path, target, kept, digest, attr), end


class Request(NamedTuple):
    op: int
    id: int
    first: bytes = b""
    second: bytes = b""
    handle: int = 0
    offset: int = 0
    length: int = 0
    mode: int = 0
    arg: int = 0
    flags: int = 0

    def pack(self) -> bytes:
        size = align(REQUEST.size + len(self.first) + len(self.second))
        head = REQUEST.pack(
            size,
            self.op,
            self.flags,
            self.id,
            self.handle,
            self.offset,
            self.length,
            self.mode,
            self.arg,
            len(self.first),
            len(self.second),
        )
        return b"".join((head, self.first, self.second)).ljust(size, b"\0")

    @classmethod
    def parse(cls, record: bytes | memoryview) -> Self:
        """A record the C core has found well-formed."""
        _, op, flags, number, handle, offset, length, mode, arg, len1, len2 = REQUEST.unpack_from(record)
        begin = REQUEST.size
        first = bytes(record[begin : begin + len1])
        second = bytes(record[begin + len1 : begin + len1 + len2])
        return cls(op, number, first, second, handle, offset, length, mode, arg, flags)


class Reply(NamedTuple):
    op: int
    flags: Flag
    id: int
    error: int
    entries: tuple[Entry, ...]
    data: bytes

    def pack(self) -> bytes:
        body = self.data + b"".join(entry.pack() for entry in self.entries)
        size = align(REPLY.size + len(body))
        count = len(self.entries) or len(self.data)
        return (REPLY.pack(size, self.op, self.flags, self.id, self.error, count) + body).ljust(size, b"\0")


WITH_DATA: Final = frozenset({Op.READ, Op.WRITE, Op.STATFS, Op.GETXATTR, Op.LISTXATTR, Op.FCNTL_LOCK})


def align(length: int) -> int:
    return (length + 7) & ~7


def batch(requests: Iterable[Request]) -> bytes:
    return b"".join(request.pack() for request in requests)


def records(stream: bytes | memoryview) -> Iterator[memoryview]:
    """The whole records of a batch, requests or replies: both begin with their size."""
    view = memoryview(stream)
    while view:
        if len(view) < REPLY.size:
            raise Malformed("a record is cut off")
        (size,) = struct.unpack_from("<I", view)
        if size < REPLY.size or size % 8 or size > len(view):
            raise Malformed(f"a record of {size} bytes")
        yield view[:size]
        view = view[size:]


def parse_reply(record: memoryview) -> Reply:
    _, op, flags, number, error, count = REPLY.unpack_from(record)
    if op in WITH_DATA:
        if REPLY.size + count > len(record):
            raise Malformed("data is cut off")
        data = bytes(record[REPLY.size : REPLY.size + count])
        return Reply(op, Flag(flags), number, error, (), data)
    entries = []
    at = REPLY.size
    for _ in range(count):
        entry, at = Entry.parse(record, at)
        entries.append(entry)
    return Reply(op, Flag(flags), number, error, tuple(entries), b"")


def parse_replies(stream: bytes | memoryview) -> list[Reply]:
    return [parse_reply(record) for record in records(stream)]
