"""Memory of former runs: what a program asked home for, and its small files, kept for its next start.

Owns: under which name they are kept, how old and new join. Leaves to others: what a line means,
what a pack of files holds and asking again (the engine). They lie in the cache directory, which is
private to the user of a slot; their name holds a secret of the submitter's, so nobody else's job
is ever given them.
"""

from __future__ import annotations

import contextlib
import hmac
import mmap
import os
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

MOST_BYTES: Final = 1 << 20
SHAPE_ARGUMENTS: Final = 3
"""Of the arguments that tell one use of a program from another (argv[0] and two more)."""


def name_for(key: bytes, program: bytes, arguments: Sequence[bytes]) -> str:
    """One memory per submitter (known by a key of his own), program and shape of its arguments."""
    shape = hmac.new(key, b"\0".join([program, *arguments[:SHAPE_ARGUMENTS]]), "sha256")
    return f"memory-{shape.hexdigest()[:32]}"


class Recalled(NamedTuple):
    """What a former run left."""

    text: bytes
    pack: memoryview

    @classmethod
    def load(cls, directory_fd: int, name: str) -> Recalled:
        return cls(load(directory_fd, name), load_pack(directory_fd, name))


NOTHING: Final = Recalled(b"", memoryview(b""))


def load(directory_fd: int, name: str) -> bytes:
    """Empty if there is none."""
    with contextlib.suppress(OSError):
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory_fd)
        with open(fd, "rb") as file:
            return file.read(MOST_BYTES)
    return b""


def join(old: bytes, new: bytes) -> bytes:
    """Each question once, in the order in which it was first asked; what is too much is forgotten."""
    lines: dict[bytes, None] = dict.fromkeys(line for line in (old + new).split(b"\n") if line)
    joined = b"".join(line + b"\n" for line in lines)
    return joined if len(joined) <= MOST_BYTES else joined[: joined.rindex(b"\n", 0, MOST_BYTES) + 1]


def load_pack(directory_fd: int, name: str) -> memoryview:
    """The small files of a former run; empty if there are none."""
    with contextlib.suppress(OSError, ValueError):
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(_pack_of(name), flags, dir_fd=directory_fd)
        try:
            return memoryview(mmap.mmap(fd, 0, prot=mmap.PROT_READ))
        finally:
            os.close(fd)
    return memoryview(b"")


def save(directory_fd: int, name: str, text: bytes) -> None:
    """Replaces it as a whole. Raises OSError."""

    def write(fd: int) -> bool:
        with open(fd, "wb", closefd=False) as file:
            file.write(text)
        return True

    _replace(directory_fd, name, write)


def save_pack(directory_fd: int, name: str, write: Callable[[int], int]) -> None:
    """`write` puts it into a descriptor and says how many files; 0 keeps the older one. Raises OSError."""
    _replace(directory_fd, _pack_of(name), lambda fd: write(fd) > 0)


def _pack_of(name: str) -> str:
    return f"{name}.pack"


def _replace(directory_fd: int, name: str, write: Callable[[int], bool]) -> None:
    aside = f".new-{os.getpid()}-{name}"
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600, dir_fd=directory_fd)
    is_new = False
    try:
        is_new = write(fd)
    finally:
        os.close(fd)
        if not is_new:
            os.unlink(aside, dir_fd=directory_fd)
    if is_new:
        os.rename(aside, name, src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
