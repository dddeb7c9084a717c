"""A starter's door: asking for an image of the job it runs, on its own machine, without the pool.

Owns: where a door is, who stands behind it, what is said through it. Leaves to others: opening it
(starter.door), making the image (starter.checkpoint), keeping it (the asker).

A door is a socket in a private directory of the sandbox: who may open it is the file system's to say, so
it is the sandbox's own user and root. One packet each way: "dump" or "dump stop" with three empty files (the
job, and the raw image's meta and pages), answered by "dumped JOB EPOCH MICROSECONDS", "refused JOB SENTENCE".
To the former who asked to stop says "end" when the image is in a safe place, and hears "ended". Until then
the job stands still; if the asker leaves instead it goes on.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MODULE: Final = "hpool.sandbox.starter.process"
OPTION: Final = "--doors"
DOORS: Final = "doors"
PACKET_BYTES: Final = 4096
DUMP: Final = b"dump"
DUMP_AND_STOP: Final = b"dump stop"
END: Final = b"end"
ENDED: Final = b"ended"
_GONE: Final = "its starter ended meanwhile"
_UNDER: Final = "/proc/self/fd/{}/{}"  # a socket's whole path has but 107 bytes


@dataclass(frozen=True, slots=True)
class Place:
    """A door that is there."""

    doors: Path
    name: str

    @property
    def job_id(self) -> str:
        return self.name.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Written:
    """The files hold an image. `epoch`: home's mark of the same moment; 0: it keeps no journal."""

    job_id: str
    epoch: int
    frozen_us: int


@dataclass(frozen=True, slots=True)
class NotWritten:
    job_id: str
    why: str


def name_of(pid: int, job_id: str) -> str:
    return f"{pid}.{job_id}"


def bound(directory_fd: int, name: str) -> socket.socket:
    """A door that others can knock at."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.bind(_UNDER.format(directory_fd, name))
    door.listen(4)
    return door


def of_process(pid: int, proc: Path = Path("/proc")) -> Place | None:
    """Of the starter it descends from. None: of none. Raises ProcessLookupError: there is no such process;
    PermissionError: the door is not for us."""
    if not (proc / str(pid)).exists():
        raise ProcessLookupError(pid)
    while pid > 1:
        doors = _doors_of(pid, proc)
        if doors is not None:
            begin = name_of(pid, "")
            return next((Place(doors, name) for name in os.listdir(doors) if name.startswith(begin)), None)
        pid = _parent(pid, proc)
    return None


def of_job(job_id: str, proc: Path = Path("/proc")) -> list[Place]:
    """Of the jobs with that name, which two agents may have given, among those whose doors are for us."""
    numbers = (int(entry.name) for entry in proc.iterdir() if entry.name.isdigit())
    found: set[Place] = set()
    for doors in {doors for pid in numbers if (doors := _doors_of(pid, proc)) is not None}:
        with contextlib.suppress(OSError):
            found |= {place for name in os.listdir(doors) if (place := Place(doors, name)).job_id == job_id}
    return sorted(found, key=lambda place: place.name)


def ask(
    place: Place,
    files: tuple[int, int, int],
    keep: Callable[[Written], None],
    *,
    stop: bool,
) -> Written | NotWritten:
    """Blocks until it is written and kept. With `stop` the job ends behind that; if `keep` raises anything it
    goes on. Raises OSError: nobody opens, or not to us; what `keep` does."""
    directory_fd = os.open(place.doors, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
            door.connect(_UNDER.format(directory_fd, place.name))
            word = DUMP_AND_STOP if stop else DUMP
            door.sendmsg([word], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))])
            answer = _answer(door.recv(PACKET_BYTES).decode("utf-8", "replace"))
            if isinstance(answer, Written):
                keep(answer)
                if stop:
                    door.send(END)
                    if door.recv(PACKET_BYTES) != ENDED:
                        raise ConnectionResetError(_GONE)
            return answer
    finally:
        os.close(directory_fd)


def _answer(said: str) -> Written | NotWritten:
    match said.split(" ", 2):
        case ["dumped", job_id, numbers]:
            epoch, frozen_us = map(int, numbers.split())
            return Written(job_id, epoch, frozen_us)
        case ["refused", job_id, why]:
            return NotWritten(job_id, why)
    raise ConnectionResetError(_GONE)


def _doors_of(pid: int, proc: Path) -> Path | None:
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    if MODULE.encode() not in words[1:5] or OPTION.encode() not in words[:-1]:
        return None
    return Path(os.fsdecode(words[words.index(OPTION.encode()) + 1]))


def _parent(pid: int, proc: Path) -> int:
    try:
        return int((proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[1])
    except (OSError, ValueError):
        return 0
