"""The user's end of a running job: this process's streams, signals and window.

Owns: descriptors 0 to 2 and the terminal's mode while the job runs. Leaves to others: what the job is
(describe), where it runs (the pool), sentences at the end (run).
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

import grpc

from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.model.errors import ShadowLost
from hpool.shadow.api import attach, stdio
from hpool.shadow.api.job import Outcome
from hpool.shadow.cli.describe import terminal_size

TWICE_WITHIN_S: Final = 1.0
_FORWARDED: Final = (signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


class Terminal:
    """Attached to one job from construction to its end."""

    def __init__(
        self, address: str, secret: str, *, raw: bool, on_progress: Callable[[str, str], None]
    ) -> None:
        self._is_raw = raw
        self._on_progress = on_progress
        self._outgoing: queue.SimpleQueue[attach.FromTerminal | None] = queue.SimpleQueue()
        self._call: Any = attach.ATTACH.on(rpc.sync_channel(address))(
            iter(self._outgoing.get, None), metadata=((attach.ATTACH_KEY, secret),)
        )
        self._is_claimed = False
        self._is_started = False
        self._interrupted_at_s = -TWICE_WITHIN_S
        self._credit = threading.Condition()
        self._input_limit = 0
        self._input_is_wanted = True
        self._input_file = InputFile(0)
        self.ended_by: int | None = None
        self.remarks: list[str] = []
        self.refusals: list[attach.Refusal] = []
        self.died: list[attach.Died] = []
        self.protections: tuple[str, ...] = ()

    def run(self) -> Outcome:
        """Until the job's end. Raises ShadowLost."""
        with self._signals(), raw_mode(self._is_raw):
            try:
                for message in self._call:
                    if isinstance(message, attach.Ended):
                        self._outgoing.put(None)  # hangs up: the shadow waits for it
                        return message.outcome
                    self._obey(message)
            except grpc.RpcError as error:
                raise ShadowLost("the connection to it broke") from error
            raise ShadowLost("it ended the conversation early")

    def end(self, number: int) -> None:
        """Ends the job because of this signal."""
        self.ended_by = number
        self._outgoing.put(stdio.Kill())

    # --- what the shadow says -----------------------------------------------------------

    def _obey(self, message: attach.ToTerminal) -> None:
        match message:
            case stdio.Output(stream, position, content):
                if _write_all(stream, content):
                    self._outgoing.put(stdio.OutputTaken(stream, position + len(content)))
                else:
                    self._outgoing.put(stdio.OutputClosed(stream))
            case stdio.InputTaken(position, closed):
                with self._credit:
                    self._input_limit = max(self._input_limit, position + stdio.INPUT_WINDOW)
                    self._input_is_wanted = not closed
                    self._credit.notify()
            case stdio.InputConsumed(position):
                with self._credit:
                    self._input_is_wanted = False
                    self._credit.notify()
                self._input_file.leave_at(position)
            case attach.Progress(state, machine, input_window):
                self._on_progress(state, machine)
                self._is_claimed = state != "waiting"
                if state == "started" and not self._is_started:
                    self._is_started = True
                    self._input_limit = input_window
                    threading.Thread(target=self._read_input, name="input", daemon=True).start()
            case stdio.Protections(names):
                self.protections = names
            case attach.Refusal():
                self.refusals.append(message)
            case attach.Died():
                self.died.append(message)
            case stdio.Remark(text):
                self.remarks.append(text)

    # --- what the user says ---------------------------------------------------------------

    def _read_input(self) -> None:
        """Reads stdin no further than the window: what the job does not take stays for others."""
        position = 0
        while True:
            with self._credit:
                while self._input_limit <= position and self._input_is_wanted:
                    self._credit.wait()
                if not self._input_is_wanted:
                    return
                room = self._input_limit - position
            try:
                content = os.read(0, min(stdio.CHUNK, room))
            except BlockingIOError:  # somebody left it non-blocking
                select.select([0], [], [])
                continue
            except OSError:
                content = b""
            if not content:
                self._outgoing.put(stdio.InputEnd())
                return
            self._outgoing.put(stdio.Input(position, content))
            position += len(content)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._interrupted) for number in (signal.SIGINT,)}
        for number in (signal.SIGTERM, signal.SIGHUP):
            # nohup and the like mean it.
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, lambda number, _: self.end(number))
        for number in _FORWARDED:
            before[number] = signal.signal(number, self._forward)
        before[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, self._resized)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupted(self, number: int, _frame: FrameType | None) -> None:
        """Ctrl-C: once for the job, twice within a second for us."""
        now_s = time.monotonic()
        if not self._is_claimed or now_s - self._interrupted_at_s < TWICE_WITHIN_S:
            self.end(number)
        else:
            self._outgoing.put(stdio.Signal(number))
        self._interrupted_at_s = now_s

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        self._outgoing.put(stdio.Signal(number))

    def _resized(self, _number: int, _frame: FrameType | None) -> None:
        self._outgoing.put(stdio.Resize(terminal_size()))


class InputFile:
    """stdin, if it is a file: left where the job had read to, as at home, for whoever reads on."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._start: int | None = None
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.fstat(fd).st_mode):
                self._start = os.lseek(fd, 0, os.SEEK_CUR)

    def leave_at(self, position: int) -> None:
        if self._start is not None:
            os.lseek(self._fd, self._start + position, os.SEEK_SET)


@contextlib.contextmanager
def raw_mode(wanted: bool) -> Iterator[None]:
    """Keys go to the job's terminal untouched; the mode is put back whatever happens."""
    if not wanted or not os.isatty(0):
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(0)
    tty.setraw(0, termios.TCSADRAIN)  # the default throws away what was typed ahead
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def _write_all(fd: int, content: bytes) -> bool:
    """False: nobody reads it any more."""
    rest = memoryview(content)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            select.select([], [fd], [])
        except BrokenPipeError:
            return False
        except OSError as error:
            # Output that cannot be kept (a full disk) must not look like success.
            print(f"hpool: writing to descriptor {fd}: {error.strerror}", file=sys.stderr)
            return False
    return True
