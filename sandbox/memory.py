"""Memory of former runs: what a program asked home for, kept for its next start.

Owns: under which name it is kept, how old and new join. Leaves to others: what a line means and
asking again (the engine). It lies in the cache directory, which is private to the user of a slot.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from typing import Final

MOST_BYTES: Final = 1 << 20
SHAPE_ARGUMENTS: Final = 3
"""Of the arguments that tell one use of a program from another (argv[0] and two more)."""


def name_for(program: bytes, arguments: Sequence[bytes]) -> str:
    """One memory per program and shape of its arguments."""
    shape = hashlib.sha256(b"\0".join([program, *arguments[:SHAPE_ARGUMENTS]]))
    return f"memory-{shape.hexdigest()[:32]}"


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


def save(directory_fd: int, name: str, text: bytes) -> None:
    """Replaces it as a whole. Raises OSError."""
    aside = f".new-{os.getpid()}-{name}"
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600, dir_fd=directory_fd)
    with open(fd, "wb") as file:
        file.write(text)
    os.rename(aside, name, src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
