"""Memory of former runs: what a program asked home for, and its small files, kept for its next start.

Owns: under which name they are kept, that only who has the submitter's secret can read them, how old
and new join. Leaves to others: what a line means, what a pack of files holds and asking again (the
engine). The secret comes with each job and is nowhere on this machine afterwards: what lies here says
nothing to the machine's owner, and nobody else's job is ever given it.
"""

from __future__ import annotations

import contextlib
import hmac
import os
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MOST_BYTES: Final = 1 << 20
NONCE_BYTES: Final = 12
SHAPE_ARGUMENTS: Final = 3
"""Of the arguments that tell one use of a program from another (argv[0] and two more)."""


def name_for(key: bytes, program: bytes, arguments: Sequence[bytes]) -> str:
    """One memory per submitter (known by a key of his own), program and shape of its arguments."""
    shape = hmac.new(key, b"\0".join([program, *arguments[:SHAPE_ARGUMENTS]]), "sha256")
    return f"memory-{shape.hexdigest()[:32]}"


class Recalled(NamedTuple):
    """What a former run left."""

    text: bytes
    pack: bytes


NOTHING: Final = Recalled(b"", b"")


class Memory:
    """Of one use of a program; `key`: the submitter's secret."""

    def __init__(self, directory_fd: int, key: bytes, program: bytes, arguments: Sequence[bytes]) -> None:
        self._directory_fd = directory_fd
        self._name = name_for(key, program, arguments)
        self._cipher = AESGCM(hmac.digest(key, b"memory of former runs", "sha256"))

    def load(self) -> Recalled:
        """Empty where there is none, or a damaged one."""
        return Recalled(self._load(self._name), self._load(_pack_of(self._name)))

    def save(self, text: bytes) -> None:
        """Replaces it as a whole. Raises OSError."""
        self._replace(self._name, text)

    def save_pack(self, write: Callable[[int], int]) -> None:
        """`write` puts it into a descriptor and says how many files; 0 keeps the older. Raises OSError."""
        fd = os.memfd_create("pack", os.MFD_CLOEXEC)
        with open(fd, "rb") as file:
            if write(fd) > 0:
                file.seek(0)
                self._replace(_pack_of(self._name), file.read())

    def _load(self, name: str) -> bytes:
        with contextlib.suppress(OSError, InvalidTag, ValueError):
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self._directory_fd)
            with open(fd, "rb") as file:
                kept = file.read()
            return self._cipher.decrypt(kept[:NONCE_BYTES], kept[NONCE_BYTES:], name.encode())
        return b""

    def _replace(self, name: str, content: bytes) -> None:
        nonce = os.urandom(NONCE_BYTES)
        aside = f".new-{os.getpid()}-{name}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        fd = os.open(aside, flags, 0o600, dir_fd=self._directory_fd)
        try:
            with open(fd, "wb") as file:
                file.write(nonce)
                file.write(self._cipher.encrypt(nonce, content, name.encode()))
            os.rename(aside, name, src_dir_fd=self._directory_fd, dst_dir_fd=self._directory_fd)
        except OSError:
            os.unlink(aside, dir_fd=self._directory_fd)
            raise


def join(old: bytes, new: bytes) -> bytes:
    """Each question once, in the order in which it was first asked; what is too much is forgotten."""
    lines: dict[bytes, None] = dict.fromkeys(line for line in (old + new).split(b"\n") if line)
    joined = b"".join(line + b"\n" for line in lines)
    return joined if len(joined) <= MOST_BYTES else joined[: joined.rindex(b"\n", 0, MOST_BYTES) + 1]


def _pack_of(name: str) -> str:
    return f"{name}.pack"
