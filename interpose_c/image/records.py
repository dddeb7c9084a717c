"""The records of a raw image's `meta`, as typed values.

Owns: reading bytes that nobody vouches for; the layout is csrc/checkpoint/image.h, whose sizes a test
compares. Leaves to others: where images lie (store.py), what is said about them (report.py).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from hpool.matchmaker.model.image_errors import ImageDamaged, ImageTooNew

MAGIC: Final = int.from_bytes(b"hpoolimg", "little")
VERSION: Final = 9
PAGE: Final = 4096
_HEAD: Final = struct.Struct("<II")
_END: Final = struct.Struct("<IIQQ")

(JOB, PROCESS, THREAD, ACTIONS, SIGNAL, TIMER, VMA, RUN, OBJECT, FILE, FD, WATCH, NAME, LOCK) = range(1, 15)
(SEMAPHORES, UNDO, QUEUE, OPTION, SETTING, MARK, GUARD, ATTRIBUTE, END) = range(15, 24)

# What is read of each kind here; the fixed part may be longer.
_JOB: Final = struct.Struct("<IIQIIQqqqQQQII72s72s")
_PROCESS: Final = struct.Struct("<II4iIiiIIIIiiI11Q32Q12QII")
_THREAD: Final = struct.Struct("<IIii27QQQQQQIIQQIIQQQQ128siiiI16s")
_VMA: Final = struct.Struct("<IIiIIIQQQIIQ16s")
_RUN: Final = struct.Struct("<IIiIQQQ")
_OBJECT: Final = struct.Struct("<IIIIIIQQQqq6QII")
_FILE: Final = struct.Struct("<IIIIIIq6Q")
_FD: Final = struct.Struct("<IIiiII")
_NAME: Final = struct.Struct("<IIIIQQqqII")

SIZES: Final = {
    JOB: _JOB.size,
    PROCESS: _PROCESS.size,
    THREAD: _THREAD.size,
    VMA: _VMA.size,
    RUN: _RUN.size,
    OBJECT: _OBJECT.size,
    FILE: _FILE.size,
    FD: _FD.size,
    NAME: _NAME.size,
    END: _END.size,
}

STATES: Final = ("runs", "stopped", "zombie")
FILE_KINDS: Final = (
    *("", "named", "memory", "pipe", "socket", "event", "timer", "signal", "epoll", "process", "stdio"),
    *("terminal", "queue", "inotify"),
)


@dataclass(frozen=True, slots=True)
class Job:
    first: int
    pages_bytes: int
    realtime_ns: int
    monotonic_ns: int
    xfeatures: int
    hostname: str
    kernel: str


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    ppid: int
    pgid: int
    sid: int
    state: str
    wait_status: int
    cwd: str


@dataclass(frozen=True, slots=True)
class Thread:
    pid: int
    tid: int
    name: str


@dataclass(frozen=True, slots=True)
class Mapping:
    pid: int
    protection: int
    start: int
    end: int
    object: int
    shared: bool
    pages: int
    name: str


@dataclass(frozen=True, slots=True)
class Run:
    """Where the content of a range is: of a process's memory, or of an object."""

    pid: int
    object: int
    at: int
    length: int
    pages: int


@dataclass(frozen=True, slots=True)
class Thing:
    """An object: what descriptors and mappings stand for."""

    number: int
    kind: int
    size: int
    path: str


@dataclass(frozen=True, slots=True)
class File:
    number: int
    kind: str
    object: int
    flags: int
    position: int


@dataclass(frozen=True, slots=True)
class Descriptor:
    pid: int
    number: int
    file: int


@dataclass(slots=True)
class Image:
    """All of it that is worth telling."""

    job: Job
    processes: list[Process] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    mappings: list[Mapping] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    objects: dict[int, Thing] = field(default_factory=dict)
    files: dict[int, File] = field(default_factory=dict)
    descriptors: list[Descriptor] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    records: int = 0


def image_sum(data: bytes) -> int:
    """hp_image_sum: it finds damage, not malice."""
    mask, total = (1 << 64) - 1, 0
    whole = len(data) - len(data) % 8
    for (word,) in struct.iter_unpack("<Q", data[:whole]):
        total = ((total ^ word) * 0x9E3779B97F4A7C15) & mask
        total ^= total >> 29
    for byte in data[whole:]:
        total = ((total ^ byte) * 0x9E3779B97F4A7C15) & mask
    return total


def parse(meta: bytes, source: str) -> Image:
    """Raises ImageDamaged or ImageTooNew, naming `source`."""
    image: Image | None = None
    for kind, record in _records(meta, source):
        if image is None:
            image = Image(_job(record, source))
        elif kind in _READERS:
            _READERS[kind](image, record)
        image.records += 1
    if image is None:
        raise ImageDamaged(source, "it is empty")
    return image


def _records(meta: bytes, source: str) -> Iterator[tuple[int, bytes]]:
    at = number = 0
    while at < len(meta):
        if len(meta) - at < _HEAD.size:
            raise ImageDamaged(source, "its last record is cut off")
        kind, length = _HEAD.unpack_from(meta, at)
        known = 1 <= kind <= END
        if not known or length % 8 or length < SIZES.get(kind, _HEAD.size) or length > len(meta) - at:
            raise ImageDamaged(source, f"record {number} is none")
        if (number == 0) != (kind == JOB):
            raise ImageDamaged(source, "it does not begin as an image does")
        record = meta[at : at + length]
        number += 1
        if kind == END:
            _, _, records, total = _END.unpack_from(record)
            if at + length != len(meta) or records != number or total != image_sum(meta[:at]):
                raise ImageDamaged(source, "its sum is wrong")
            yield kind, record
            return
        yield kind, record
        at += length
    raise ImageDamaged(source, "its end is missing")


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _job(record: bytes, source: str) -> Job:
    (_, _, magic, version, first, pages, real, mono, _, features, _, _, _, _, host, kernel) = (
        _JOB.unpack_from(record)
    )
    if magic != MAGIC:
        raise ImageDamaged(source, "it is no image")
    if version != VERSION:
        raise ImageTooNew(source, version, VERSION)
    return Job(first, pages, real, mono, features, _text(host), _text(kernel))


def _process(image: Image, record: bytes) -> None:
    values = _PROCESS.unpack_from(record)
    pid, ppid, pgid, sid, state, status = values[2:8]
    auxv, cwd = values[-2:]
    where = record[_PROCESS.size + auxv : _PROCESS.size + auxv + cwd]
    name = STATES[state] if state < len(STATES) else "?"
    image.processes.append(Process(pid, ppid, pgid, sid, name, status, _text(where)))


def _thread(image: Image, record: bytes) -> None:
    values = _THREAD.unpack_from(record)
    image.threads.append(Thread(values[2], values[3], _text(values[-1])))


def _mapping(image: Image, record: bytes) -> None:
    (_, _, pid, _, prot, _, start, end, _, thing, shared, pages, name) = _VMA.unpack_from(record)
    image.mappings.append(Mapping(pid, prot, start, end, thing, bool(shared), pages, _text(name)))


def _run(image: Image, record: bytes) -> None:
    (_, _, pid, thing, at, length, pages) = _RUN.unpack_from(record)
    image.runs.append(Run(pid, thing, at, length, pages))


def _object(image: Image, record: bytes) -> None:
    values = _OBJECT.unpack_from(record)
    number, kind, size, path = values[2], values[3], values[6], values[-2]
    raw = record[_OBJECT.size : _OBJECT.size + path]
    image.objects[number] = Thing(number, kind, size, _text(raw))


def _file(image: Image, record: bytes) -> None:
    (_, _, number, kind, thing, flags, position, *_) = _FILE.unpack_from(record)
    name = FILE_KINDS[kind] if kind < len(FILE_KINDS) else "?"
    image.files[number] = File(number, name, thing, flags, position)


def _descriptor(image: Image, record: bytes) -> None:
    (_, _, pid, number, file, _) = _FD.unpack_from(record)
    image.descriptors.append(Descriptor(pid, number, file))


def _name(image: Image, record: bytes) -> None:
    path = _NAME.unpack_from(record)[-2]
    image.names.append(_text(record[_NAME.size : _NAME.size + path]))


_READERS: Final = {
    PROCESS: _process,
    THREAD: _thread,
    VMA: _mapping,
    RUN: _run,
    OBJECT: _object,
    FILE: _file,
    FD: _descriptor,
    NAME: _name,
}
