"""The job's standard streams at this end: pipes or a terminal, pumped to and from the session.

Owns: the descriptors, positions and windows. Leaves to others: the session, and the terminal at home.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import queue
import select
import selectors
import termios
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from hpool.shadow.api import home, stdio

_TIOCGPTPEER: Final = 0x5441
Send = Callable[[home.FromStarter], None]


def stream_pipe() -> tuple[int, int]:
    """Holds a whole message, unless its user has too many large pipes already (pipe(7))."""
    read_fd, write_fd = os.pipe()
    with contextlib.suppress(OSError):
        fcntl.fcntl(write_fd, fcntl.F_SETPIPE_SZ, stdio.CHUNK)
    return read_fd, write_fd


@dataclass(eq=False)
class _Source:
    stream: int
    fd: int
    position: int = 0
    taken: int = 0
    is_watched: bool = False
    is_terminal: bool = False
    promised: int = 0
    """Whether home has room for it or not."""
    ahead: bytearray = field(default_factory=bytearray)
    """Left the terminal while the job stood still, and is to be sent first."""


class OutputPump:
    """Reads what the job writes and never gets further ahead of home than the window.

    `before_shown` is waited for between reading and sending: who sees the output may rely on what
    the job had synced before it wrote that. One that `is_held` waits for home's first word: it has not taken
    yet what former lives said, and each could add a window to that.
    """

    def __init__(
        self,
        send: Send,
        window: int,
        before_shown: Callable[[], None] = lambda: None,
        *,
        is_held: bool = False,
    ) -> None:
        self._send = send
        self._before_shown = before_shown
        self._window = window
        self._ahead = window if is_held else 0
        self._sources: dict[int, _Source] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_fd, self._waker_fd = os.pipe()
        os.set_blocking(self._waker_fd, False)
        self._selector.register(self._wake_fd, selectors.EVENT_READ)
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._is_drained = threading.Event()
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._positions: dict[int, int] = {}  # what was sent, also of streams that ended
        self._progress = threading.Condition()

    def add(self, stream: int, fd: int, position: int = 0, *, is_terminal: bool = False) -> None:
        """Before start. The pump closes `fd`. `position`: what the job had written in former lives."""
        os.set_blocking(fd, not is_terminal)
        self._sources[stream] = _Source(stream, fd, position, position - self._ahead, is_terminal=is_terminal)
        self._positions[stream] = position

    def written(self, stream: int) -> int:
        """By a job that stands still: what was sent and what is in its pipe."""
        with self._progress:
            source = self._sources.get(stream)
            waiting = array.array("i", [0])
            if source is not None and source.is_terminal:
                self._empty(source)
            elif source is not None:
                with contextlib.suppress(OSError):
                    fcntl.ioctl(source.fd, termios.FIONREAD, waiting)
            return self._positions.get(stream, 0) + waiting[0]

    def _empty(self, source: _Source) -> None:
        """FIONREAD does not count what is on its way within a terminal; reading brings all of it, whether
        home has room or not: some 70 KiB at most."""
        with contextlib.suppress(OSError):  # EIO too: its last user is gone
            while content := os.read(source.fd, stdio.CHUNK):
                source.ahead += content
                self._positions[source.stream] += len(content)
        self._order(lambda: self._pour(source))

    def wait_for(self, stream: int, position: int) -> None:
        """Until all before it was sent, or nobody wants it any more. Home makes room for it."""

        def promise() -> None:
            wanted = self._sources.get(stream)
            if wanted is not None:
                wanted.promised = max(wanted.promised, position)
                self._pour(wanted)
                self._watch(wanted)

        self._order(promise)
        with self._progress:
            while (source := self._sources.get(stream)) is not None and source.position < position:
                self._progress.wait()

    def start(self) -> None:
        for source in self._sources.values():
            self._watch(source)
        self._thread.start()

    def taken(self, stream: int, position: int) -> None:
        """Home has everything before `position`."""

        def credit() -> None:
            source = self._sources.get(stream)
            if source is not None:
                source.taken = max(source.taken, min(position, source.position))
                self._pour(source)
                self._watch(source)

        self._order(credit)

    def closed(self, stream: int) -> None:
        """Nobody reads it at home: the job gets EPIPE."""

        def close() -> None:
            source = self._sources.get(stream)
            if source is not None:
                self._end(source)

        self._order(close)

    def wait_until_drained(self) -> None:
        """Until every stream ended and was handed to the session."""
        self._is_drained.wait()

    def _order(self, action: Callable[[], None]) -> None:
        self._orders.put(action)
        with contextlib.suppress(BlockingIOError):
            os.write(self._waker_fd, b"\0")

    def _run(self) -> None:
        while self._sources:
            for key, _ in self._selector.select():
                if key.fd == self._wake_fd:
                    os.read(self._wake_fd, 4096)
                    while not self._orders.empty():
                        self._orders.get()()
                elif isinstance(key.data, _Source) and key.data.is_watched:
                    self._read(key.data)
        self._is_drained.set()

    def _room(self, source: _Source) -> int:
        return max(source.taken + self._window, source.promised) - source.position

    def _watch(self, source: _Source) -> None:
        has_room = self._room(source) > 0
        if has_room and not source.is_watched:
            self._selector.register(source.fd, selectors.EVENT_READ, source)
        elif not has_room and source.is_watched:
            self._selector.unregister(source.fd)
        source.is_watched = has_room

    def _pour(self, source: _Source) -> None:
        while source.ahead and self._room(source) > 0:
            self._read(source)

    def _read(self, source: _Source) -> None:
        most = min(stdio.CHUNK, self._room(source))
        with self._progress:  # what left the pipe counts as sent: it will be, whatever the job does
            content = bytes(source.ahead[:most])
            del source.ahead[:most]
            if not content:
                try:
                    content = os.read(source.fd, most)
                except BlockingIOError:  # who emptied it was faster
                    return
                except OSError:  # a terminal says EIO when its last user is gone
                    content = b""
                self._positions[source.stream] += len(content)
        if not content:
            self._end(source)
            return
        self._before_shown()
        self._send(stdio.Output(source.stream, source.position, content))
        source.position += len(content)
        with self._progress:
            self._progress.notify_all()
        self._watch(source)

    def _end(self, source: _Source) -> None:
        if source.is_watched:
            self._selector.unregister(source.fd)
        with self._progress:
            os.close(source.fd)
            del self._sources[source.stream]
            self._progress.notify_all()
        self._before_shown()  # that it closed a stream is seen too
        self._send(stdio.OutputEnd(source.stream))


def _take_up(master_fd: int) -> None:
    """The kernel takes up what was typed, and shows it, behind our back; who looks for something to read at
    the other end waits for that."""
    slave_fd = fcntl.ioctl(master_fd, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    select.select([slave_fd], [], [], 0)
    os.close(slave_fd)


class InputPump:
    """Writes what home sends; blocks when the job does not read, and gives credit when it did."""

    def __init__(self, send: Send, *, is_terminal: bool = False, position: int = 0) -> None:
        """`position`: what was written for the job in former lives."""
        self._send = send
        self._is_terminal = is_terminal
        self._chunks: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._received = position
        self._written = position
        self._begun_at = position
        self._fd = -1
        self._lock = threading.Lock()

    def start(self, fd: int) -> None:
        """The pump closes `fd`, unless it is a terminal's master."""
        self._fd = fd
        threading.Thread(target=self._run, args=(fd,), name="input", daemon=True).start()

    def put(self, message: stdio.Input) -> None:
        """Ignores what came already."""
        fresh = message.content[max(0, self._received - message.position) :]
        if message.position <= self._received and fresh:
            self._received += len(fresh)
            self._chunks.put(fresh)

    def end(self) -> None:
        self._chunks.put(None)

    @contextlib.contextmanager
    def held(self) -> Iterator[int]:
        """How much is in its pipe or was read; until the end of it nothing is added."""
        with self._lock:
            if self._is_terminal:
                _take_up(self._fd)
            yield self._written

    def consumed(self) -> int:
        """After the job's end: how many bytes it had read of what was sent."""
        with self._lock:
            waiting = array.array("i", [0])
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._fd, termios.FIONREAD, waiting)
            return self._written - waiting[0]

    def _run(self, fd: int) -> None:
        position = self._begun_at
        is_open = True
        os.set_blocking(fd, False)
        while (chunk := self._chunks.get()) is not None:
            rest = memoryview(chunk)
            while rest and is_open:
                try:
                    with self._lock:
                        written = os.write(fd, rest)
                        self._written += written
                    rest = rest[written:]
                except BlockingIOError:
                    select.select([], [fd], [])
                except OSError:
                    is_open = False
            position += len(chunk)
            self._send(stdio.InputTaken(position, not is_open))
        if not self._is_terminal:
            self._close(fd)
        elif is_open:
            with contextlib.suppress(OSError):
                os.write(fd, b"\x04")

    def _close(self, fd: int) -> None:
        """The job sees the end; we keep an end to read from, to see later what it left unread."""
        with self._lock:
            with contextlib.suppress(OSError):
                self._fd = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.close(fd)
