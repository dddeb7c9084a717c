"""What is known of a file's content without reading it again: digest, and how it is loaded.

Owns: the memory of it, in the process and in a small database shared by the user's shadows.
Leaves to others: opening files under policy, following what is found (bundle).

A fact is filed under device, inode, size, mtime and ctime. A file changed within the last two
seconds is not filed: it could change again without its times showing it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import struct
import threading
import time
from pathlib import Path
from typing import Final, NamedTuple

SETTLED_S: Final = 2.0
REMEMBERED_MAX: Final = 100_000
SHEBANG_MAX: Final = 256  # the kernel's own limit
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS facts2 (key TEXT PRIMARY KEY, digest BLOB NOT NULL, loading TEXT NOT NULL)
WITHOUT ROWID;
"""


class Loading(NamedTuple):
    """How the kernel and ld.so bring a file into memory. Empty for what is neither ELF nor script."""

    shebang: str = ""  # the line behind #!, latin-1
    machine: int = 0  # ELF's e_machine and class, as one number; 0: no ELF
    interpreter: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    writes_gs: bool = False


class Facts(NamedTuple):
    digest: bytes
    loading: Loading


class Digests:
    """Thread-safe. Without a directory, or if the database fails, it remembers in the process only."""

    def __init__(self, directory: Path | None) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Facts] = {}
        self._database: sqlite3.Connection | None = None
        if directory is not None:
            with contextlib.suppress(OSError, sqlite3.Error):
                directory.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._database = _open(directory / "digests.sqlite")

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def of(self, fd: int) -> Facts:
        """Facts of an open regular file; raises OSError."""
        status = os.fstat(fd)
        key = _key(status)
        with self._lock:
            facts = self._known.get(key) or self._recall(key)
        if facts is not None:
            return facts
        with open(fd, "rb", closefd=False) as file:
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").digest()
        facts = Facts(digest, loading_of(fd))
        after = os.fstat(fd)
        if _key(after) == key and time.time() - max(after.st_mtime, after.st_ctime) > SETTLED_S:
            with self._lock:
                self._remember(key, facts)
        return facts

    def _recall(self, key: str) -> Facts | None:
        if self._database is None:
            return None
        with contextlib.suppress(sqlite3.Error, ValueError, TypeError):
            row = self._database.execute(
                "SELECT digest, loading FROM facts2 WHERE key = ?", (key,)
            ).fetchone()
            if row is not None:
                shebang, machine, interpreter, needed, rpath, runpath, writes_gs = json.loads(row[1])
                lists = (tuple(needed), tuple(rpath), tuple(runpath))
                facts = Facts(row[0], Loading(shebang, machine, interpreter, *lists, writes_gs))
                self._known[key] = facts
                return facts
        return None

    def _remember(self, key: str, facts: Facts) -> None:
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        self._known[key] = facts
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.execute(
                    "INSERT OR REPLACE INTO facts2 VALUES (?, ?, ?)",
                    (key, facts.digest, json.dumps(facts.loading)),
                )


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0.5)
    # It can all be found out again: nothing waits for the disk.
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = OFF")
    database.executescript(SCHEMA)
    return database


def _key(status: os.stat_result) -> str:
    return ":".join(
        map(str, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    )


def loading_of(fd: int) -> Loading:
    head = os.pread(fd, SHEBANG_MAX, 0)
    if head.startswith(b"#!"):
        return Loading(shebang=head[2:].split(b"\n")[0].strip(b" \t").decode("latin-1"))
    if not head.startswith(b"\x7fELF"):
        return Loading()
    return _elf_loading(fd)


def _elf_loading(fd: int) -> Loading:
    # Not needed where everything is known already, which is most of the time.
    from elftools.common.exceptions import ELFError
    from elftools.elf.dynamic import DynamicSegment
    from elftools.elf.elffile import ELFFile
    from elftools.elf.segments import InterpSegment

    from hpool.interpose_c.kinds import segment_writes_gs

    interpreter, writes_gs = "", False
    lists: dict[str, list[str]] = {"DT_NEEDED": [], "DT_RPATH": [], "DT_RUNPATH": []}
    # A damaged file may raise nearly anything in there; whatever was found until then helps.
    with open(fd, "rb", closefd=False) as file:
        try:
            elf = ELFFile(file)
            head = os.pread(fd, 20, 0)
            machine = struct.unpack_from("<H", head, 18)[0] << 8 | head[4]
            for segment in elf.iter_segments():
                writes_gs = writes_gs or segment_writes_gs(segment)
                if isinstance(segment, InterpSegment):
                    interpreter = segment.get_interp_name()
                elif isinstance(segment, DynamicSegment):
                    for tag in segment.iter_tags():
                        if tag.entry.d_tag in lists:
                            lists[tag.entry.d_tag].append(getattr(tag, tag.entry.d_tag[3:].lower()))
        except (ELFError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, AssertionError,
                MemoryError, OSError, struct.error, RecursionError):  # fmt: skip
            return Loading()
    return Loading(
        machine=machine,
        interpreter=interpreter,
        needed=tuple(lists["DT_NEEDED"]),
        rpath=_directories(lists["DT_RPATH"]),
        runpath=_directories(lists["DT_RUNPATH"]),
        writes_gs=writes_gs,
    )


def _directories(values: list[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in value.split(":") if part)
