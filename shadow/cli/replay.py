"""The standard streams and signals of a job that may begin again: given again, and shown once.

Owns: what was read of stdin, as far as it is kept; what was shown of each output, and whether a later run
says the same; which signals were sent, and when. Leaves to others: when the job begins again, credit,
messages (terminal).
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import stat
import threading
import zlib
from collections.abc import Callable, Sequence
from typing import Final

from hpool.shadow.api import stdio

KEPT_BYTES: Final = 64 << 20


class Shown:
    """One output: bytes count from the beginning of the job, whichever run says them."""

    def __init__(self) -> None:
        self.is_same = True
        self.is_wanted = True
        """Somebody reads it."""
        self._shown = 0
        self._sum = 0
        self._said = 0  # by this run
        self._said_sum = 0
        self._is_compared = True

    def begin_again(self, position: int = 0) -> None:
        """The next run says what lies behind `position`. Where it does not begin anew, what it says again
        cannot be compared."""
        self._is_compared = position == 0
        self._said, self._said_sum = position, 0

    def new_of(self, content: bytes) -> bytes:
        """What of it nobody has seen yet. `is_same` tells whether the rest was what had been shown."""
        repeated = min(len(content), self._shown - self._said)
        if repeated:
            self._said_sum = zlib.crc32(content[:repeated], self._said_sum)
            self._said += repeated
            if self._said == self._shown:
                self.is_same = self.is_same and (not self._is_compared or self._said_sum == self._sum)
        new = content[repeated:]
        if new:
            self._sum = zlib.crc32(new, self._sum)
            self._shown += len(new)
            self._said, self._said_sum = self._shown, self._sum
        return new

    @property
    def is_behind(self) -> bool:
        """The run has said less than a former one."""
        return self.is_wanted and self._said < self._shown

    @property
    def bytes_shown(self) -> int:
        return self._shown

    def has_said(self, position: int) -> bool:
        """The run has, unless nobody reads it."""
        return not self.is_wanted or self._said >= position


class Sent:
    """Signals for the job. A run that goes on from before one gets it again, as soon as it has said what had
    been shown when it was sent, or when another one is sent."""

    def __init__(self, send: Callable[[stdio.Signal], None], outputs: Sequence[Shown]) -> None:
        self._send = send
        self._outputs = outputs
        self._orders: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._sent: list[tuple[int, list[int]]] = []
        self._given = 0
        self._is_running = False
        threading.Thread(target=self._run, name="signals", daemon=True).start()

    def put(self, number: int) -> None:
        """A handler may call it, whatever it has interrupted."""
        self._orders.put(number)

    def begin(self) -> None:
        """The job runs."""
        with self._lock:
            self._is_running = True
            self._give()

    def begin_again(self, position: int = 0) -> None:
        """The next run has had so many."""
        with self._lock:
            self._is_running = False
            self._given = position

    def look(self) -> None:
        """The run has said something."""
        if self._given < len(self._sent):
            with self._lock:
                self._give()

    def _run(self) -> None:
        while True:
            number = self._orders.get()
            with self._lock:
                self._sent.append((number, [shown.bytes_shown for shown in self._outputs]))
                self._give(len(self._sent))

    def _give(self, certain: int = 0) -> None:
        """`certain`: so many, whatever it has said."""
        while self._is_running and self._given < len(self._sent):
            number, positions = self._sent[self._given]
            said = (shown.has_said(at) for shown, at in zip(self._outputs, positions, strict=True))
            if self._given >= certain and not all(said):
                return
            self._given += 1
            self._send(stdio.Signal(number))


class Input:
    """stdin, read no further than is wanted: what the job does not take stays for others. A file is read
    again from where it was; of anything else the last 64 MiB are kept, half of them at least."""

    def __init__(self, fd: int, send: Callable[[stdio.Input | stdio.InputEnd], None]) -> None:
        self._fd = fd
        self._send = send
        self._change = threading.Condition()
        self._limit = 0
        self._is_wanted = False
        self._run = 0
        self._position = 0  # of what is to be sent next
        self._kept = bytearray()  # what was read, from `_base` on
        self._base = 0
        self._is_over = False
        self._end_said = False
        self._wake_fd, self._waker_fd = os.pipe()
        self._start: int | None = None
        self._is_read = False
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.fstat(fd).st_mode):
                self._start = os.lseek(fd, 0, os.SEEK_CUR)

    def can_begin_again(self, position: int = 0) -> bool:
        return self._base <= position

    def begin(self, window: int) -> None:
        """The job runs."""
        with self._change:
            self._limit = self._position + window
            self._is_wanted = True
            self._change.notify()
        if not self._is_read:
            self._is_read = True
            threading.Thread(target=self._read, name="input", daemon=True).start()

    def begin_again(self, position: int = 0) -> None:
        """The next run wants it from there."""
        with self._change:
            self._run += 1
            os.write(self._waker_fd, b"\0")  # who waits for more is to look at what is kept
            self._position = self._limit = position
            self._is_wanted = self._end_said = False

    def grant(self, limit: int, *, is_wanted: bool) -> None:
        with self._change:
            self._limit = max(self._limit, limit)
            self._is_wanted = is_wanted
            self._change.notify()

    def leave_at(self, position: int) -> None:
        """Nobody wants more. A file is left where the job had read to, as at home, for whoever reads on."""
        with self._change:
            self._is_wanted = False
        if self._start is not None:
            os.lseek(self._fd, self._start + position, os.SEEK_SET)

    def _read(self) -> None:
        while True:
            with self._change:
                while not self._is_wanted or self._limit <= self._position or self._end_said:
                    self._change.wait()
                run, position = self._run, self._position
                room = min(stdio.CHUNK, self._limit - position)
                at = position - self._base
                content = bytes(self._kept[at : at + room])
                if content or self._is_over:
                    self._pass_on(content)
                    continue
            taken = self._take(position, room)
            if taken is None:
                continue
            content = taken
            with self._change:
                if self._start is None:
                    self._keep(taken)
                elif run == self._run:
                    self._pass_on(taken)

    def _pass_on(self, content: bytes) -> None:
        self._end_said = not content
        self._send(stdio.Input(self._position, content) if content else stdio.InputEnd())
        self._position += len(content)

    def _keep(self, content: bytes) -> None:
        self._is_over = not content
        if len(self._kept) + len(content) > KEPT_BYTES:
            # Half stays: a run that goes on from an image has not had all that was sent to the last one.
            dropped = min(self._position - self._base, max(0, len(self._kept) - KEPT_BYTES // 2))
            del self._kept[:dropped]
            self._base += dropped
        self._kept += content

    def _take(self, position: int, room: int) -> bytes | None:
        """None: another run has begun meanwhile."""
        try:
            if self._start is not None:
                return os.pread(self._fd, room, self._start + position)
            # Not select: what is inherited may have numbers beyond its 1,024.
            waiting = select.poll()
            waiting.register(self._fd, select.POLLIN)
            waiting.register(self._wake_fd, select.POLLIN)
            if self._wake_fd in (fd for fd, _ in waiting.poll()):
                os.read(self._wake_fd, 1)
                return None
            return os.read(self._fd, room)
        except BlockingIOError:  # somebody else has read it
            return None
        except OSError:
            return b""
