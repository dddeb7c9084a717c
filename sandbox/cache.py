"""The digest cache: programs and libraries kept by the SHA-256 of their content.

Owns: putting a file in (only with the digest it claims), and the bound on all of it. Leaves to
others: taking files out (the engine, by name from the directory's descriptor).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Final

DEFAULT_BOUND_BYTES: Final = 2 << 30
_CHUNK: Final = 1 << 20
_UNFINISHED: Final = ".new-"


def keep(directory_fd: int, digest: bytes, source_fd: int) -> bool:
    """Copies an open file in under its digest; False if its content has another one. Whole or not at all."""
    name = digest.hex()
    aside = f"{_UNFINISHED}{os.getpid()}-{name}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    target_fd = os.open(aside, flags, 0o600, dir_fd=directory_fd)
    found = hashlib.sha256()
    try:
        position = 0
        while chunk := os.pread(source_fd, _CHUNK, position):
            found.update(chunk)
            position += len(chunk)
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(target_fd, rest) :]
        if found.digest() == digest:
            os.rename(aside, name, src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
            return True
        os.unlink(aside, dir_fd=directory_fd)
        return False
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(aside, dir_fd=directory_fd)
        raise
    finally:
        os.close(target_fd)


def prune(directory: Path, bound_bytes: int) -> None:
    """Removes what was kept longest ago until the rest fits, and what was never finished."""
    kept = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(directory):
            if entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                kept.append((status.st_mtime, status.st_size, entry.path))
    total_bytes = sum(size_bytes for _, size_bytes, _ in kept)
    for _, size_bytes, path in sorted(kept):
        is_unfinished = os.path.basename(path).startswith(_UNFINISHED)
        if total_bytes <= bound_bytes and not is_unfinished:
            continue
        with contextlib.suppress(OSError):
            os.unlink(path)
            total_bytes -= size_bytes
