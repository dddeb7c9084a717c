"""Blocks of large files that former runs have read, kept for the submitter's next ones.

Owns: how they lie on the disk, that only who has the submitter's secret can read them, and that what is
given out is what was kept. Leaves to others: whether home's file is still the same (the engine's stamp
says so), how much is kept in all (cache.prune).

One file for each path: a salt, a sealed head (the stamp of the file, a bit for each block), then each
block sealed at a place of its own. Written once, as a whole; a key of its own from the salt, so that a
block's number may be its nonce.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import struct
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

BLOCK: Final = 65536
TAG: Final = 16
MAGIC: Final = b"hpool-b1"
SALT: Final = 32
HEAD_NUMBER: Final = (1 << 64) - 1
MOST_HEAD: Final = 1 << 20
_FRONT: Final = len(MAGIC) + SALT + 4


class Held(NamedTuple):
    """A file's kept blocks, open."""

    fd: int
    stamp: bytes
    present: bytes
    size: int
    start: int
    cipher: AESGCM

    def has(self, block: int) -> bool:
        return bool(self.present[block // 8] >> block % 8 & 1)

    def read(self, first: int, count: int) -> bytes:
        """The content of these blocks, b"" if one is missing or damaged."""
        if not all(self.has(block) for block in range(first, first + count)):
            return b""
        try:
            sealed = os.pread(self.fd, count * (BLOCK + TAG), self.start + first * (BLOCK + TAG))
            return b"".join(
                self.cipher.decrypt(_nonce(block), sealed[at : at + _length(self.size, block) + TAG], None)
                for block, at in zip(
                    range(first, first + count), range(0, len(sealed), BLOCK + TAG), strict=False
                )
            )
        except (OSError, InvalidTag, ValueError):
            return b""

    def close(self) -> None:
        os.close(self.fd)


class Kept:
    """What lies in one directory for one submitter; `key`: his secret."""

    def __init__(self, directory_fd: int, key: bytes) -> None:
        self._directory_fd = directory_fd
        self._key = hmac.digest(key, b"blocks of large files", "sha256")

    def name_for(self, path: bytes) -> str:
        return f"memory-{hmac.new(self._key, path, 'sha256').hexdigest()[:32]}.blocks"

    def find(self, path: bytes) -> Held | None:
        """None: nothing, or nothing that can be read. The caller closes it."""
        try:
            fd = os.open(
                self.name_for(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self._directory_fd
            )
        except OSError:
            return None
        try:
            held = self._open(fd, path)
        except (OSError, InvalidTag, ValueError, struct.error):
            held = None
        if held is None:
            os.close(fd)
        else:
            with contextlib.suppress(OSError):
                os.utime(fd)  # what is used goes last
        return held

    def keep(self, path: bytes, stamp: bytes, size: int, present: bytes, source_fd: int) -> bool:
        """Blocks of an open file join what is kept of it. False: nothing new. Raises OSError."""
        old = self.find(path)
        try:
            if old is not None and (old.stamp, old.size) != (stamp, size):
                old.close()
                old = None
            known = int.from_bytes(old.present, "little") if old is not None else 0
            joined = known | int.from_bytes(present, "little")
            if joined == known:
                return False
            bits = joined.to_bytes(len(present), "little")
            self._replace(path, stamp, size, bits, present, source_fd, old)
            return True
        finally:
            if old is not None:
                old.close()

    def _cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._key, salt, "sha256"))

    def _open(self, fd: int, path: bytes) -> Held | None:
        front = os.pread(fd, _FRONT, 0)
        if len(front) < _FRONT or not front.startswith(MAGIC):
            return None
        cipher = self._cipher(front[len(MAGIC) : -4])
        (length,) = struct.unpack("<I", front[-4:])
        if length > MOST_HEAD:
            return None
        head = cipher.decrypt(_nonce(HEAD_NUMBER), os.pread(fd, length, _FRONT), path)
        size, stamp_length = struct.unpack_from("<QI", head)
        stamp = head[12 : 12 + stamp_length]
        return Held(fd, stamp, head[12 + stamp_length :], size, _start(length), cipher)

    def _replace(
        self,
        path: bytes,
        stamp: bytes,
        size: int,
        bits: bytes,
        present: bytes,
        source_fd: int,
        old: Held | None,
    ) -> None:
        salt = os.urandom(SALT)
        cipher = self._cipher(salt)
        head = cipher.encrypt(_nonce(HEAD_NUMBER), struct.pack("<QI", size, len(stamp)) + stamp + bits, path)
        name = self.name_for(path)
        aside = f".new-{os.getpid()}-{name}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        fd = os.open(aside, flags, 0o600, dir_fd=self._directory_fd)
        try:
            with open(fd, "wb", buffering=0) as file:
                file.write(MAGIC + salt + struct.pack("<I", len(head)) + head)
                for block in range(-(-size // BLOCK)):
                    if not bits[block // 8] >> block % 8 & 1:
                        continue
                    length = _length(size, block)
                    if present[block // 8] >> block % 8 & 1:
                        plain = os.pread(source_fd, length, block * BLOCK)
                    else:
                        plain = old.read(block, 1) if old is not None else b""
                    if len(plain) != length:
                        raise OSError("a block that was to be kept is gone")
                    os.pwrite(
                        fd,
                        cipher.encrypt(_nonce(block), plain, None),
                        _start(len(head)) + block * (BLOCK + TAG),
                    )
            os.rename(aside, name, src_dir_fd=self._directory_fd, dst_dir_fd=self._directory_fd)
        except OSError:
            os.unlink(aside, dir_fd=self._directory_fd)
            raise


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "little")


def _length(size: int, block: int) -> int:
    return min(BLOCK, size - block * BLOCK)


def _start(head_length: int) -> int:
    return -(-(_FRONT + head_length) // 4096) * 4096
