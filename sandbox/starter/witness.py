"""What the job's processes tell of themselves, on its way home: refusals, crashes, watched calls.

Owns: the threads that carry it; none of them runs unless there is something, and calls are written down
only while somebody at home watches. Leaves to others: gathering it (shim, engine), words for people (home),
looking at one process from outside (eye).
"""

from __future__ import annotations

import logging
import os
import threading
import time
import zlib
from collections.abc import Callable
from typing import Final, NoReturn

from hpool.matchmaker.model.errors import BadMessage
from hpool.sandbox.starter import processes
from hpool.sandbox.starter.dying import die_with_parent
from hpool.sandbox.starter.engine import Engine
from hpool.sandbox.starter.eye import LENGTH, Eye
from hpool.shadow.api import home, seen

log = logging.getLogger("witness")

NOTE_WAIT_MS: Final = 60_000
LOOK_EVERY_S: Final = 0.02
STUCK_S: Final = 0.2  # an entry that a killed process left half written
MOST_DESCRIPTORS: Final = 1 << 20
MOST_AT_ONCE: Final = 4  # batches

Send = Callable[[home.FromStarter], None]


class Notes:
    """Refusals and crashes, from the job's first instruction to its end."""

    def __init__(self, engine: Engine, send: Send) -> None:
        self._engine = engine
        self._send = send
        self._thread = threading.Thread(target=self._carry, name="notes", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Everything told so far is on its way when this returns."""
        self._engine.end_notes()
        self._thread.join()

    def _carry(self) -> None:
        while True:
            note = self._engine.note(NOTE_WAIT_MS)
            match note[:1]:
                case b"w":
                    return
                case b"r":
                    self._send(parse_refusal(note[1:]))
                case b"c":
                    self._send(home.Crashed(zlib.compress(note[1:], 1)))


def parse_refusal(line: bytes) -> home.Refused:
    """What hp_note_refusal wrote: call, errno, two arguments, program. Raises BadMessage."""
    words = line.split(b" ", 4)
    try:
        call, error, first, second = (int(word) for word in words[:4])
    except ValueError as bad:
        raise BadMessage("the engine", repr(line[:80])) from bad
    return home.Refused(call & 0xFFFF, error & 0xFFFF, first, second, words[4] if len(words) > 4 else b"")


class Watchers:
    """Those at home who watch the calls of the whole job. One thread while there are any."""

    def __init__(self, engine: Engine, send: Send) -> None:
        self._engine = engine
        self._send = send
        self._numbers: set[int] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._over = threading.Event()

    def add(self, number: int, keeper_pid: int) -> None:
        with self._lock:
            # First what goes on: a call that began before this shows itself only when it ends.
            calls = list(processes.under_way(keeper_pid))[: seen.BATCH_MOST]
            if calls:
                self._send(home.Seen(number, seen.pack(calls), 0, ""))
            self._numbers.add(number)
            if self._thread is None and not self._over.is_set():
                self._thread = threading.Thread(
                    target=self._look, args=(self._engine.observe(True),), name="watching", daemon=True
                )
                self._thread.start()

    def remove(self, number: int) -> None:
        with self._lock:
            self._numbers.discard(number)

    def finish(self) -> None:
        """The job is over: what was seen last is on its way when this returns."""
        self._over.set()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _look(self, number: int) -> None:
        stuck_since_s = time.monotonic()
        lost = told = 0
        while True:
            is_last = self._over.wait(LOOK_EVERY_S)
            while True:
                calls, after, missed = self._engine.seen(number)
                if after == number and time.monotonic() - stuck_since_s > STUCK_S:
                    # Either nobody calls, or the next entry will never be finished: ask beyond it.
                    beyond, further, more = self._engine.seen(number + 1)
                    if further > number + 1:
                        calls, after, missed = beyond, further, more + 1
                lost += missed
                if after == number:
                    break
                number, stuck_since_s = after, time.monotonic()
                if calls:
                    self._tell(calls, lost)
                    lost = 0
                told += 1
                if told % MOST_AT_ONCE == 0 and not is_last:
                    break  # the most that shall go over the wire, where the job's own files travel too
            with self._lock:
                if is_last or not self._numbers:
                    self._engine.observe(False)
                    self._thread = None
                    for watcher in self._numbers:
                        self._send(home.Seen(watcher, b"", lost, "the job is over"))
                    return

    def _tell(self, calls: bytes, lost: int) -> None:
        content = zlib.compress(calls, 1)
        with self._lock:
            for number in self._numbers:
                self._send(home.Seen(number, content, lost, ""))


class Eyes:
    """Watchers who look at one process each, from outside. One child process for each."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._stops: dict[int, int] = {}
        self._lock = threading.Lock()

    def add(self, number: int, keeper_pid: int, job_pid: int) -> None:
        found = [host for host, inside in processes.tasks(keeper_pid) if inside == job_pid]
        if not found:
            self._send(home.Seen(number, b"", 0, f"the job has no process {job_pid}"))
            return
        threading.Thread(
            target=self._watch, args=(number, found[0], job_pid), name="eye", daemon=True
        ).start()

    def remove(self, number: int) -> None:
        with self._lock:
            stop_fd = self._stops.pop(number, None)
        if stop_fd is not None:
            os.close(stop_fd)

    def finish(self) -> None:
        """The job is over, and with it what they looked at."""
        for number in list(self._stops):
            self.remove(number)

    def _watch(self, number: int, host_pid: int, job_pid: int) -> None:
        """The child is this thread's: it dies with it, which is what the job needs should we be killed."""
        read_fd, write_fd = os.pipe()
        stop_read_fd, stop_fd = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_fd)
            os.close(stop_fd)
            _be_the_eye(host_pid, job_pid, stop_read_fd, write_fd)
        os.close(write_fd)
        os.close(stop_read_fd)
        with self._lock:
            self._stops[number] = stop_fd
        why = "its observer ended"
        with open(read_fd, "rb") as pipe:
            while (head := pipe.read(LENGTH.size)) and len(head) == LENGTH.size:
                content = pipe.read(LENGTH.unpack(head)[0])
                if content[:1] == b"c":
                    self._send(home.Seen(number, content[1:], 0, ""))
                else:
                    why = content[1:].decode("utf-8", "replace")
        os.waitpid(child, 0)
        self.remove(number)
        self._send(home.Seen(number, b"", 0, why))


def _close_all_but(*kept: int) -> None:
    low = -1
    for fd in sorted(kept):
        os.closerange(low + 1, fd)
        low = fd
    os.closerange(low + 1, MOST_DESCRIPTORS)


def _be_the_eye(host_pid: int, job_pid: int, stop_fd: int, out_fd: int) -> NoReturn:
    """In the child: only this thread is left of the starter, nothing of its libraries may be used."""
    status = 1
    try:
        die_with_parent()
        # Not one connection of the starter's may stay open because of us.
        _close_all_but(2, stop_fd, out_fd)

        def put(kind: bytes, content: bytes) -> None:
            os.write(out_fd, LENGTH.pack(len(content) + 1) + kind + content)

        def number_of(tid: int) -> int:
            return processes.inside(host_pid, tid)

        eye = Eye(host_pid, job_pid, number_of, lambda calls: put(b"c", seen.pack(calls)))
        put(b"e", eye.look(stop_fd).encode())
        status = 0
    except BaseException as error:
        os.write(2, f"eye: {error!r}\n".encode())
    finally:
        os._exit(status)
