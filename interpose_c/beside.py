"""Working beside a keeper: a job is held still, or written down.

Owns: the words of those helpers (KEEPER.md), as typed values. Leaves to others: the keeper itself
(keeper), what an image is (image), what is to be seen to meanwhile. Only the sandbox may use it.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hpool.interpose_c.executables import KEEPER
from hpool.interpose_c.keeper import Keeper, program

_DATAGRAM_BYTES: Final = 4096
_GO_ON_WITHIN_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Dumped:
    """A raw image is complete."""

    frozen_us: int  # how long it stood still, at last
    pages_bytes: int  # of a sparse file
    stopped_us: int  # before that, in all, between passes that copied its memory while it ran


class SuspendRefused(Exception):
    """The job cannot be held still, for the reason given; it goes on."""


class Suspension:
    """A job that stands still, all of it, until it is released."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self._control = control

    def release(self) -> None:
        """It goes on when this returns, but for who waits within the kernel; that has not stopped either."""
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GO_ON_WITHIN_S)


class DumpRefused(Exception):
    """The job cannot be dumped now, for the reason given; it goes on."""


def dump(
    keeper: Keeper,
    meta_fd: int,
    pages_fd: int,
    *,
    kill: bool,
    executable: Path | int = KEEPER,
    live: bool = True,
    before_still: Callable[[], None] = lambda: None,
    while_still: Callable[[], str] | None = None,
    before_end: Callable[[Dumped], None] = lambda dumped: None,
) -> Dumped:
    """Writes the job down as it is, into two empty files. Raises DumpRefused; the job has not noticed.

    `while_still` runs when all of it stands still and nothing is written down yet; a sentence of it is a
    refusal. With `kill` it ends there: Exited with SIGKILL follows. Before that `before_end` sees to what is
    written, and it stands still so long; if that raises anything, the job goes on. `live`: much memory is
    copied while it runs; `before_still` is called when most of that is done, if there is a `while_still`.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    passed = [meta_fd, pages_fd, theirs.fileno()]
    words = ["kill"] * kill + ["hold"] * (while_still is not None) + ["live"] * live
    refusal, reason = "", "the dumper was killed"
    dumped: Dumped | None = None
    with theirs:
        dumper = _beside(keeper, executable, "dump", passed, *words)
    try:
        while said := ours.recv(_DATAGRAM_BYTES):
            match said.decode("utf-8", "replace").split(" ", 1):
                case ["soon"]:
                    before_still()
                case ["still"] if while_still is not None:
                    refusal = while_still()
                case ["dumped", numbers]:
                    dumped = Dumped(*map(int, numbers.split()))
                    if not kill:
                        break
                    before_end(dumped)
                case ["refused", reason]:
                    break
            if refusal:
                break
            ours.send(b"go")
    finally:
        ours.close()  # to who waits for a word that is a refusal: the job goes on
        dumper.wait()
    if refusal or dumped is None:
        raise DumpRefused(refusal or reason)
    return dumped


def suspend(keeper: Keeper, executable: Path | int = KEEPER) -> Suspension:
    """All of the job stands still when this returns. Raises SuspendRefused; it has not noticed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        holder = _beside(keeper, executable, "suspend", [theirs.fileno()])
    suspension = Suspension(holder, ours)
    word, _, rest = ours.recv(_DATAGRAM_BYTES).decode("utf-8", "replace").partition(" ")
    if word != "still":
        suspension.release()
        raise SuspendRefused(rest or "who should hold it still was killed")
    return suspension


def _beside(
    keeper: Keeper, executable: Path | int, command: str, passed: Sequence[int], *words: str
) -> subprocess.Popen[bytes]:
    """A helper that enters the job: descriptors, words."""
    return subprocess.Popen(
        ["hpool-keeper", command, str(keeper.init_pid), *map(str, passed), *words],
        executable=program(executable),
        stdin=subprocess.DEVNULL,
        env={},
        pass_fds=[*passed] if isinstance(executable, Path) else [*passed, executable],
    )
