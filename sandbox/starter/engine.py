"""The engine's typed Python face.

Owns: calling the C without holding the GIL in its way. Leaves to others: what travels (lanes), the job.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from hpool.sandbox.starter import _engine

ffi: Final[Any] = _engine.ffi
lib: Final[Any] = _engine.lib

# One record may be this long (home_wire.h, HPW_MAX_RECORD); a batch of several is shorter.
ROOM: Final = (4 << 20) + 4096
NOTE_ROOM: Final = 384 << 10
SEEN_BYTES: Final = 512  # one entry
LOST_ROOM: Final = 512
COSTS_MORE: Final = 64 << 10  # than a moment ago
SEEN_AT_ONCE: Final = 256
PRESENT_ROOM: Final = 1 << 16  # a bit a block: files up to 32 GiB
WANT_DIRECTORY: Final = 0
WANT_PROGRAM: Final = 1


class EngineStatistics(NamedTuple):
    faults: int
    round_trips: int
    wait_ns: int
    bytes_read: int
    bytes_written: int
    bytes_in: int
    bytes_out: int
    calls: int
    asked: int
    operations: int
    waits: tuple[tuple[int, int], ...]
    """Count and ns of each kind (costs.KINDS)."""


class Engine(Protocol):
    """What the rest of the starter needs of it; a test brings its own."""

    def next(self, lane: int, timeout_ms: int) -> bytes | None: ...
    def nudge(self, lane: int) -> None: ...
    def feed(self, lane: int, records: memoryview) -> bool: ...
    def prepare(self, path: bytes, want: int) -> int: ...
    def barrier(self) -> int: ...
    def epoch(self, number: int) -> int: ...
    def await_synced(self) -> None: ...
    def lost(self) -> str: ...
    def statistics(self) -> EngineStatistics: ...
    def costs(self) -> bytes: ...
    def note(self, timeout_ms: int) -> bytes: ...
    def end_notes(self) -> None: ...
    def observe(self, on: bool) -> int: ...
    def seen(self, number: int) -> tuple[bytes, int, int]: ...
    def fail(self, error: int) -> None: ...
    def uncached(self) -> tuple[bytes, int] | None: ...
    def recall(self, text: bytes, pack: bytes) -> None: ...
    def await_recalled(self) -> None: ...
    def pack(self, fd: int) -> int: ...
    def remembered(self) -> bytes: ...


class LargeFile(NamedTuple):
    """`stamp`: another one means that home's file has changed."""

    path: bytes
    stamp: bytes
    size: int


class KeptQuestion(NamedTuple):
    """Which blocks of a file a former run has left (`blocks` 0), or their bytes. `id` 0: none was asked."""

    id: int
    file: LargeFile
    first: int
    blocks: int


class EngineFailure(Exception):
    """The engine could not be created; the text says why."""


def enter_user_namespace(inside: tuple[int, int], outside: tuple[int, int]) -> None:
    """Leaves root behind if need be. Must be called before any thread is started."""
    failed = lib.hp_userns_enter(*inside, *outside)
    if failed:
        raise OSError(-failed, os.strerror(-failed))


def mount_mirror(directory: str, size_bytes: int, inodes: int) -> int:
    """The root of an empty mirror that only this process's mount namespace sees."""
    root_fd = int(lib.hp_mirror_mount(os.fsencode(directory), size_bytes, inodes))
    if root_fd < 0:
        raise OSError(-root_fd, os.strerror(-root_fd), directory)
    return root_fd


class NativeEngine:
    """The engine in C. Never stopped on purpose: its process ends, and the mirror with it."""

    def __init__(
        self,
        *,
        root_fd: int,
        loader_fd: int,
        cache_fd: int,
        mirror_bytes: int,
        clock_offset_ns: int,
        groups: Sequence[int],
        network: bool,
        strict: bool,
    ) -> None:
        self._groups = ffi.new("uint32_t[]", list(groups))
        config = ffi.new("struct hp_engine_config *")
        config.root_fd = root_fd
        config.loader_fd = loader_fd
        config.cache_fd = cache_fd
        config.mirror_bytes = mirror_bytes
        config.clock_offset_ns = clock_offset_ns
        config.network = network
        config.strict = strict
        config.ngroups = len(groups)
        config.groups = self._groups
        error = ffi.new("char[]", 256)
        self._engine = lib.hp_engine_create(config, error, 256)
        if self._engine == ffi.NULL:
            raise EngineFailure(ffi.string(error).decode("utf-8", "replace"))
        self._note = ffi.new("char[]", NOTE_ROOM)
        self._buffers = [ffi.new("uint8_t[]", ROOM), ffi.new("uint8_t[]", ROOM)]

    def next(self, lane: int, timeout_ms: int) -> bytes | None:
        """The next batch of a lane, empty after the timeout, None when the engine stopped."""
        buffer = self._buffers[lane]
        length = lib.hp_engine_next(self._engine, lane, buffer, ROOM, timeout_ms)
        return None if length < 0 else bytes(ffi.buffer(buffer, length))

    def nudge(self, lane: int) -> None:
        """Ends a wait in `next`, which is empty then."""
        lib.hp_engine_nudge(self._engine, lane)

    def feed(self, lane: int, records: memoryview) -> bool:
        """False: malformed."""
        return bool(lib.hp_engine_feed(self._engine, lane, ffi.from_buffer(records), len(records)) == 0)

    def prepare(self, path: bytes, want: int) -> int:
        return int(lib.hp_engine_prepare(self._engine, path, want))

    def barrier(self) -> int:
        return int(lib.hp_engine_barrier(self._engine))

    def epoch(self, number: int) -> int:
        """The job stands still: all it did is at home, then home's journal has its mark. An errno, or 0.

        With 0 for its number there is no mark, and the job may go on meanwhile.
        """
        return int(lib.hp_engine_epoch(self._engine, number))

    def await_synced(self) -> None:
        """Until home has made durable what the job was told is."""
        lib.hp_engine_await_synced(self._engine)

    def lost(self) -> str:
        """The first change that home refused after the job had its answer; empty: none."""
        room = ffi.new("char[]", LOST_ROOM)
        lib.hp_engine_lost(self._engine, room, LOST_ROOM)
        return bytes(ffi.string(room)).decode(errors="replace")

    def statistics(self) -> EngineStatistics:
        counted = ffi.new("struct hp_engine_stats *")
        lib.hp_engine_stats(self._engine, counted)
        plain = {name: int(getattr(counted, name)) for name in EngineStatistics._fields if name != "waits"}
        return EngineStatistics(**plain, waits=tuple(zip(counted.waits, counted.waited_ns, strict=True)))

    def costs(self) -> bytes:
        """Lines for costs.parse, each with a NUL at its end."""
        room = int(lib.hp_engine_costs(self._engine, ffi.NULL, 0)) + COSTS_MORE
        buffer = ffi.new("char[]", room)
        length = min(room, int(lib.hp_engine_costs(self._engine, buffer, room)))
        return bytes(ffi.buffer(buffer, length))

    def note(self, timeout_ms: int) -> bytes:
        """What a process of the job told of itself, its kind first; empty after the timeout."""
        length = lib.hp_engine_note(self._engine, self._note, NOTE_ROOM, timeout_ms)
        return bytes(ffi.buffer(self._note, length))

    def end_notes(self) -> None:
        """After all others a note "w" comes."""
        lib.hp_engine_end_notes(self._engine)

    def observe(self, on: bool) -> int:
        """From now on every call is written down, or none; the number of the next entry."""
        return int(lib.hp_engine_observe(self._engine, on))

    def seen(self, number: int) -> tuple[bytes, int, int]:
        """Entries from `number` on, the number after them, and how many were overwritten unread."""
        room = SEEN_AT_ONCE * SEEN_BYTES
        buffer, after, lost = ffi.new("uint8_t[]", room), ffi.new("uint64_t *", number), ffi.new("uint64_t *")
        length = lib.hp_engine_seen(self._engine, buffer, room, after, lost)
        return bytes(ffi.buffer(buffer, length)), int(after[0]), int(lost[0])

    def recall(self, text: bytes, pack: bytes) -> None:
        """Asks home for all that a former run asked for; once. The job waits for what of it it needs."""
        given = ffi.from_buffer("uint8_t[]", pack)
        lib.hp_engine_recall(self._engine, text, len(text), given, len(given))

    def await_recalled(self) -> None:
        """All of that has come, or the link is gone."""
        lib.hp_engine_await_recalled(self._engine)

    def pack(self, fd: int) -> int:
        """Writes small files for the next run: how many, 0 if nothing new came. Raises OSError."""
        count = int(lib.hp_engine_pack(self._engine, fd))
        if count < 0:
            raise OSError(-count, os.strerror(-count))
        return count

    def remembered(self) -> bytes:
        """What this run asked home for."""
        room = max(1, int(lib.hp_engine_remembered(self._engine, ffi.NULL, 0)))
        buffer = ffi.new("char[]", room)
        length = min(room, int(lib.hp_engine_remembered(self._engine, buffer, room)))
        return bytes(ffi.buffer(buffer, length))

    def uncached(self) -> tuple[bytes, int] | None:
        """The next file worth keeping: its digest and a descriptor, which is the caller's."""
        digest = ffi.new("uint8_t[32]")
        fd = ffi.new("int *")
        if lib.hp_engine_uncached(self._engine, digest, fd) != 1:
            return None
        return bytes(ffi.buffer(digest, 32)), int(fd[0])

    def kept_begin(self) -> None:
        """From now on somebody answers what kept_next returns."""
        lib.hp_engine_kept_begin(self._engine)

    def kept_next(self, timeout_ms: int) -> KeptQuestion | None:
        """None: there will be no more."""
        question = ffi.new("struct hp_kept_question *")
        found = lib.hp_engine_kept_next(self._engine, question, timeout_ms)
        if found < 0:
            return None
        number = int(question.id) if found else 0
        return KeptQuestion(number, _large_file(question.file), int(question.first), int(question.count))

    def kept_answer(self, number: int, answer: bytes) -> None:
        """Once for each question; empty: there is nothing."""
        lib.hp_engine_kept_answer(self._engine, number, ffi.from_buffer(answer), len(answer))

    def kept_end(self) -> None:
        """Nobody answers any more."""
        lib.hp_engine_kept_end(self._engine)

    def keepable(self) -> tuple[LargeFile, bytes, int] | None:
        """The next file worth keeping: which of its blocks are here, and a descriptor, the caller's."""
        file, present, fd = (
            ffi.new("struct hp_kept_file *"),
            ffi.new("uint8_t[]", PRESENT_ROOM),
            ffi.new("int *"),
        )
        if lib.hp_engine_keepable(self._engine, file, present, PRESENT_ROOM, fd) != 1:
            return None
        return _large_file(file), bytes(ffi.buffer(present, (file.blocks + 7) // 8)), int(fd[0])

    def fail(self, error: int) -> None:
        lib.hp_engine_fail(self._engine, error)


def _large_file(file: Any) -> LargeFile:
    known = ffi.addressof(file) if ffi.typeof(file).kind == "struct" else file
    stamp = bytes(ffi.buffer(known, ffi.offsetof("struct hp_kept_file", "blocks")))
    return LargeFile(bytes(ffi.string(known.path)), stamp, int(known.size))
