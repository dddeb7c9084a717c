"""A debugger's eye on one process of the job: everything the kernel is asked, by ptrace.

Owns: attaching to the threads that are there and those that come, the entries, letting go. Uses
python-ptrace (the extra `trace`) for what it knows of the kernel's interface. Leaves to others: who wants
it (witness), words.

It runs in a process of its own, forked from the starter: every stop costs it 20 us of Python, which the
threads that serve the job must not wait for. When the starter's end of the pipe closes, or the starter
dies, it lets go; if it is killed, the kernel does. In either case the job goes on.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
import time
from collections.abc import Callable
from typing import Any, Final

from hpool.interpose_c import table
from hpool.shadow.api import seen
from hpool.shadow.api.seen import BEGUN, OWN, PASSED, SeenCall

try:
    from ptrace.binding import func as binding
except ImportError:  # the extra is not installed on this machine
    binding = None

SEIZE, INTERRUPT, LISTEN = 0x4206, 0x4207, 0x4208
EVENT_STOP, EVENT_EXEC = 128, 4
SYSCALL_STOP: Final = signal.SIGTRAP | 0x80
WALL: Final = 0x40000000
SYS_FORK: Final = 57
ROWS: Final = table.by_number()  # read now: later the installation may be out of reach
_LIBC: Final = ctypes.CDLL(None)
SHIM_STACK_BYTES: Final = 128 << 10  # below %gs: arch.h, HP_STACK_BYTES
STOPPING: Final = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})
TELL_EVERY_S: Final = 0.05
TEXT_MOST: Final = 200
BYTES_SHOWN: Final = 32
LENGTH: Final = struct.Struct("<I")

Tell = Callable[[list[SeenCall]], None]


class CannotAttach(Exception):
    """The text says why."""


class Eye:
    """On one process, in the calling process, until it is told or nothing is left to be seen."""

    def __init__(self, host_pid: int, job_pid: int, numbers: Callable[[int], int], tell: Tell) -> None:
        self._host_pid = host_pid
        self._job_pid = job_pid
        self._numbers = numbers
        self._tell = tell
        self._inside: dict[int, int] = {}
        self._begun: dict[int, SeenCall | None] = {}
        self._waiting: list[SeenCall] = []
        self._told_s = time.monotonic()
        self._memory = -1

    def look(self, stop_fd: int) -> str:
        """Why it is over. `stop_fd` at its end of file means: let go."""
        if binding is None:
            return "the machine lacks python-ptrace (hpool's extra `trace`)"
        # waitpid waits for children and tracees alike: this child ends when we are to let go.
        # Not os.fork: libraries that had threads before we were forked want to be asked about it.
        bell = int(_LIBC.syscall(SYS_FORK))
        if bell == 0:
            os.closerange(0, stop_fd)
            os.closerange(stop_fd + 1, 1 << 20)
            while os.read(stop_fd, 1):
                pass
            os._exit(0)
        try:
            self._attach()
        except CannotAttach as error:
            return str(error)
        finally:
            os.close(stop_fd)
        while self._begun:
            try:
                pid, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                break
            if pid == bell:
                self._let_go()
                break
            self._stopped(pid, status)
            self._flush(force=False)
        self._flush(force=True)
        return "process ended" if not self._begun else "told to"

    # --- attaching and letting go ----------------------------------------------------------

    def _attach(self) -> None:
        self._memory = _open_memory(self._host_pid)
        options = binding.PTRACE_O_TRACESYSGOOD | binding.PTRACE_O_TRACECLONE | binding.PTRACE_O_TRACEEXEC
        known: set[int] = set()
        # Threads may be born meanwhile, by threads that are not stopped yet: until nobody is new.
        while new := {int(task) for task in _tasks(self._host_pid)} - known:
            known |= new
            for tid in new:
                try:
                    binding.ptrace(SEIZE, tid, 0, options)
                    binding.ptrace(INTERRUPT, tid)
                except binding.PtraceError as error:
                    if not self._begun:
                        raise CannotAttach(_why(error)) from error
                    continue  # ended meanwhile, or came to us by its parent
                self._begun[tid] = None
        if not self._begun:
            raise CannotAttach("it is gone")

    def _let_go(self) -> None:
        for tid in list(self._begun):
            with contextlib.suppress(binding.PtraceError):
                binding.ptrace(INTERRUPT, tid)
        deadline_s = time.monotonic() + 5
        while self._begun and time.monotonic() < deadline_s:
            try:
                pid, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                return
            if not os.WIFSTOPPED(status):
                self._begun.pop(pid, None)
                continue
            number = os.WSTOPSIG(status)
            is_delivery = status >> 16 == 0 and number != SYSCALL_STOP
            with contextlib.suppress(binding.PtraceError):
                binding.ptrace_detach(pid, number if is_delivery else 0)
            self._begun.pop(pid, None)

    # --- stops ---------------------------------------------------------------------------

    def _stopped(self, tid: int, status: int) -> None:
        if not os.WIFSTOPPED(status):
            self._begun.pop(tid, None)
            return
        self._begun.setdefault(tid, None)  # a thread that was born under our eyes
        number, event = os.WSTOPSIG(status), status >> 16
        command, passed_on = binding.PTRACE_SYSCALL, 0
        if number == SYSCALL_STOP:
            self._call(tid)
        elif event == EVENT_STOP and number in STOPPING:
            command = LISTEN  # stopped as a shell stops it: so it stays
        elif event == EVENT_EXEC:
            os.close(self._memory)
            self._memory = _open_memory(self._host_pid)
        elif event == 0:
            passed_on = number
        with contextlib.suppress(binding.PtraceError):  # killed meanwhile
            binding.ptrace(command, tid, 0, passed_on)

    def _call(self, tid: int) -> None:
        now_ns = time.monotonic_ns()
        try:
            regs = binding.ptrace_getregs(tid)
        except binding.PtraceError:
            return
        begun = self._begun.get(tid)
        if begun is None:
            entry = self._entry(tid, regs, now_ns)
            self._begun[tid] = entry
            self._waiting.append(entry)
            return
        self._begun[tid] = None
        result = regs.rax - (1 << 64) if regs.rax >> 63 else regs.rax
        texts = self._texts(begun.number, begun.arguments, result)
        self._waiting.append(
            begun._replace(
                flags=begun.flags & ~BEGUN,
                result=result,
                duration_ns=now_ns - begun.start_ns,
                texts=texts,
            )
        )

    def _entry(self, tid: int, regs: Any, now_ns: int) -> SeenCall:
        arguments = (regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9)
        on_shim_stack = 0 <= regs.gs_base - regs.rsp < SHIM_STACK_BYTES
        if tid not in self._inside:
            self._inside[tid] = self._numbers(tid)
        number = regs.orig_rax & 0xFFFFFFFF
        return SeenCall(
            start_ns=now_ns,
            duration_ns=0,
            result=0,
            arguments=arguments,
            number=number,
            flags=BEGUN | PASSED | (OWN if on_shim_stack else 0),
            pid=self._job_pid,
            tid=self._inside[tid],
            asked=0,
            trips=0,
            texts=self._texts(number, arguments, None),
        )

    # --- the process's memory ---------------------------------------------------------------

    def _texts(self, number: int, arguments: tuple[int, ...], result: int | None) -> dict[int, bytes]:
        """Names before the call, bytes after it, as the shim's own entries have them."""
        row = ROWS.get(number)
        texts: dict[int, bytes] = {}
        for place, kind in enumerate(row.arguments if row is not None else ()):
            if result is None and kind in {"path", "str"}:
                text = self._read(arguments[place], TEXT_MOST).partition(b"\0")[0]
            elif result is not None and kind == "buf" and result > 0:
                text = self._read(arguments[place], min(result, BYTES_SHOWN))
            else:
                continue
            if text and len(texts) < 2:
                texts[place] = text
        return texts

    def _read(self, address: int, length: int) -> bytes:
        # A name may end right before memory that is not there.
        for size in (length, 4096 - address % 4096):
            with contextlib.suppress(OSError, OverflowError):
                return os.pread(self._memory, min(size, length), address)
        return b""

    def _flush(self, *, force: bool) -> None:
        now_s = time.monotonic()
        if not force and now_s - self._told_s < TELL_EVERY_S and len(self._waiting) < seen.BATCH_MOST:
            return
        self._told_s = now_s
        while self._waiting:
            self._tell(self._waiting[: seen.BATCH_MOST])
            del self._waiting[: seen.BATCH_MOST]


def _open_memory(pid: int) -> int:
    try:
        return os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise CannotAttach(error.strerror or str(error)) from error


def _tasks(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _why(error: Any) -> str:
    number = getattr(error, "errno", 0)
    if number == 1:
        return "something else traces it already, or the machine forbids it (EPERM)"
    return os.strerror(number) if number else str(error)
