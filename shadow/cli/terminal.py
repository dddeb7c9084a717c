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
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

import grpc

from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.model.errors import ShadowLost
from hpool.matchmaker.model.inheriting import OutputLost
from hpool.shadow.api import attach, stdio
from hpool.shadow.api.job import Outcome
from hpool.shadow.cli.describe import terminal_size
from hpool.shadow.cli.replay import Input, Sent, Shown

TWICE_WITHIN_S: Final = 1.0
_FORWARDED: Final = (signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


Reattach = Callable[[str], "tuple[str, str] | Outcome | None"]


class Terminal:
    """Attached to one job from construction to its end."""

    def __init__(
        self,
        address: str,
        secret: str,
        *,
        raw: bool,
        on_progress: Callable[[str, str], None],
        on_restart: Callable[[str], None],
        reattach: Reattach,
    ) -> None:
        """`reattach`: where the job's next shadow is, and its secret, when the one at this address is gone;
        or how the job ended; None: nobody knows."""
        self._is_raw = raw
        self._on_progress = on_progress
        self._on_restart = on_restart
        self._reattach = reattach
        self._outgoing: queue.SimpleQueue[attach.FromTerminal | None] = queue.SimpleQueue()
        self._address = address
        self._call = self._attach(address, secret)
        self._is_claimed = self._is_started = self._has_run = False
        self._interrupted_at_s = -TWICE_WITHIN_S
        self._input = Input(0, self._say)
        self._shown = {stdio.STDOUT: Shown(), stdio.STDERR: Shown()}
        self._sent = Sent(self._say, list(self._shown.values()))
        self.ended_by: int | None = None
        self.input_lost = False
        self.output_lost: OutputLost | None = None
        self.remarks: list[str] = []
        self.refusals: list[attach.Refusal] = []
        self.died: list[attach.Died] = []
        self.protections: tuple[str, ...] = ()

    def run(self) -> Outcome:
        """Until the job's end. Raises ShadowLost."""
        with self._signals(), raw_mode(self._is_raw):
            while True:
                try:
                    for message in self._call:
                        if isinstance(message, attach.Ended):
                            self._outgoing.put(None)  # hangs up: the shadow waits for it
                            return message.outcome
                        self._obey(message)
                    why = "it ended the conversation early"
                except grpc.RpcError:
                    why = "the connection to it broke"
                found = None if self.ended_by is not None else self._reattach(self._address)
                if found is None:
                    raise ShadowLost(why)
                if isinstance(found, Outcome):
                    return found
                self._outgoing.put(None)
                self._outgoing = queue.SimpleQueue()
                self._address = found[0]
                self._call = self._attach(*found)  # it begins with a Restart

    def end(self, number: int) -> None:
        """Ends the job because of this signal."""
        self.ended_by = number
        self._outgoing.put(stdio.Kill())

    def status_of(self, outcome: Outcome) -> int:
        """The exit code to pass on: the job's own first, then that of output that was lost."""
        return outcome.shell_status or (0 if self.output_lost is None else self.output_lost.exit_code)

    @property
    def differs(self) -> str:
        """Which outputs were not what had been shown before the job began again; empty: none."""
        names = {stdio.STDOUT: "stdout", stdio.STDERR: "stderr"}
        return " and ".join(
            names[stream] for stream, shown in self._shown.items() if not shown.is_same or shown.is_behind
        )

    def _say(self, message: attach.FromTerminal) -> None:
        self._outgoing.put(message)

    def _attach(self, address: str, secret: str) -> Any:
        outgoing = self._outgoing
        return attach.ATTACH.on(rpc.sync_channel(address))(
            iter(outgoing.get, None), metadata=((attach.ATTACH_KEY, secret),)
        )

    # --- what the shadow says -----------------------------------------------------------

    def _obey(self, message: attach.ToTerminal) -> None:
        match message:
            case stdio.Output(stream, position, content):
                if self._show(stream, self._shown[stream].new_of(content)):
                    self._outgoing.put(stdio.OutputTaken(stream, position + len(content)))
                    self._sent.look()
                else:
                    self._shown[stream].is_wanted = False
                    self._outgoing.put(stdio.OutputClosed(stream))
            case stdio.InputTaken(position, closed):
                self._input.grant(position + stdio.input_window(position), is_wanted=not closed)
            case stdio.InputConsumed(position):
                self._input.leave_at(position)
            case attach.Progress(state, machine, input_window):
                self._on_progress(state, machine)
                self._is_claimed = state != "waiting" or self._has_run
                if state == "started" and not self._is_started:
                    self._is_started = self._has_run = True
                    self._input.begin(input_window)
                    if self._is_raw:  # it may have changed while the job ran nowhere
                        self._outgoing.put(stdio.Resize(terminal_size()))
                    self._sent.begin()
            case attach.Restart(run, sentence):
                self._outgoing.put(attach.Restarted(run))
                self._sent.begin_again(message.signals)
                self._begin_again(sentence, message.input, (message.output, message.error))
            case stdio.Protections(names):
                self.protections = names
            case attach.Refusal():
                self.refusals.append(message)
            case attach.Died():
                self.died.append(message)
            case stdio.Remark(text):
                self.remarks.append(text)

    def _show(self, fd: int, content: bytes) -> bool:
        """False: nobody reads it any more, or it cannot be kept (a full disk)."""
        rest = memoryview(content)
        while rest:
            try:
                rest = rest[os.write(fd, rest) :]
            except BlockingIOError:
                select.select([], [fd], [])
            except BrokenPipeError:
                return False
            except OSError as error:
                self.output_lost = OutputLost(
                    "stdout" if fd == stdio.STDOUT else "stderr", error.strerror or str(error)
                )
                return False
        return True

    def _begin_again(self, sentence: str, given: int = 0, said: tuple[int, int] = (0, 0)) -> None:
        """Streams go on from there; what was shown already is not shown again."""
        self._on_restart(sentence)
        self._is_started = False
        self.died.clear()
        for shown, position in zip(self._shown.values(), said, strict=True):
            shown.begin_again(position)
        if not self._input.can_begin_again(given):
            self.input_lost = True
            self._outgoing.put(stdio.Kill())
        self._input.begin_again(given)
        for stream, shown in self._shown.items():
            if not shown.is_wanted:
                self._outgoing.put(stdio.OutputClosed(stream))

    # --- what the user says ---------------------------------------------------------------

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
            self._sent.put(number)
        self._interrupted_at_s = now_s

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        self._sent.put(number)

    def _resized(self, _number: int, _frame: FrameType | None) -> None:
        self._outgoing.put(stdio.Resize(terminal_size()))


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
        with contextlib.suppress(termios.error):  # it is gone
            termios.tcsetattr(0, termios.TCSADRAIN, before)
