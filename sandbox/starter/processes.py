"""The job's processes as this machine sees them.

Owns: which numbers they have here and inside the job, and what each task is in just now. Leaves to others:
their calls from now on (witness, eye). Reads /proc only; the starter owns the user namespace they live in.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from hpool.shadow.api.seen import BEGUN, NOW, OWN, SeenCall

PROC = Path("/proc")
FUTEX = 202
CHANNEL = "/.hpool/channel"


def tasks(keeper_pid: int) -> Iterator[tuple[int, int]]:
    """Of every process below the keeper but PID 1: its number here, and inside the job."""
    waiting = [child for init in _children(keeper_pid) for child in _children(init)]
    while waiting:
        pid = waiting.pop()
        waiting += _children(pid)
        number = _inside(PROC / str(pid))
        if number:
            yield pid, number


def resident_bytes(keeper_pid: int) -> int:
    """Of all of them, each page as often as it is mapped."""
    sizes = [_text(PROC / str(pid) / "statm").split() for pid, _ in tasks(keeper_pid)]
    return sum(int(words[1]) * os.sysconf("SC_PAGE_SIZE") for words in sizes if words)


def under_way(keeper_pid: int) -> Iterator[SeenCall]:
    """Calls in which threads of the job sleep now, as entries for a watcher."""
    now_ns = time.monotonic_ns()
    for pid, job_pid in tasks(keeper_pid):
        channel = _channel(pid)
        for task in _listed(PROC / str(pid) / "task"):
            call = _call(task, job_pid, channel, now_ns)
            if call is not None:
                yield call


def _call(task: Path, job_pid: int, channel: range, now_ns: int) -> SeenCall | None:
    words = _text(task / "syscall").split()
    if len(words) < 7 or not words[0].isdigit():
        return None  # it runs, or is gone
    number, arguments = int(words[0]), tuple(int(word, 16) for word in words[1:7])
    own = OWN if number == FUTEX and arguments[0] in channel else 0
    return SeenCall(now_ns, 0, 0, arguments, number, BEGUN | NOW | own, job_pid, _inside(task), 0, 0, {})


def _channel(pid: int) -> range:
    """Where the process has the memory it shares with the engine: who sleeps there waits for home."""
    for line in _text(PROC / str(pid) / "maps").splitlines():
        if line.endswith(CHANNEL):
            start, _, end = line.split()[0].partition("-")
            return range(int(start, 16), int(end, 16))
    return range(0)


def inside(pid: int, tid: int) -> int:
    """The number that a thread has inside the job; 0: it is gone."""
    return _inside(PROC / str(pid) / "task" / str(tid))


def _inside(place: Path) -> int:
    for line in _text(place / "status").splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return 0


def _children(pid: int) -> list[int]:
    return [
        int(child) for task in _listed(PROC / str(pid) / "task") for child in _text(task / "children").split()
    ]


def _listed(place: Path) -> list[Path]:
    try:
        return list(place.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    """Empty if it is gone or not ours to read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
