"""A crash as the dying process told it, and what its signal says.

Owns: the bytes of shm.h's struct hp_crash and of the engine's note, as values. Everything in them was
written by the job: lengths are checked, meaning is not. Leaves to others: the report (cli.report),
keeping it (store).
"""

from __future__ import annotations

import signal
import struct
import zlib
from typing import Final, NamedTuple

from hpool.matchmaker.model.errors import BadMessage

CONTENT_MOST: Final = 400 << 10
REGISTERS: Final = (
    *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
    *("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip", "eflags"),
)
LAST_CALLS: Final = 32
FIRST_PROCESS: Final = 2  # PID 1 of a job is its keeper
NO_CALL: Final = 0xFFFFFFFF
PSEUDO_CALLS: Final = {470, 471}  # a verdict of the tracer's, the end of a watched call
_LENGTHS: Final = struct.Struct("<4I")
_HEAD: Final = struct.Struct("<4i3Q18QQ16s")
_CALL: Final = struct.Struct("<2I6Qq")
HEAD_BYTES: Final = _HEAD.size + LAST_CALLS * _CALL.size


class Call(NamedTuple):
    """One of the last calls of the thread; `result` None: it was not over."""

    number: int
    arguments: tuple[int, ...]
    result: int | None


class Mapping(NamedTuple):
    """One line of /proc/PID/maps."""

    start: int
    end: int
    permissions: str
    offset: int
    path: str


class Crash(NamedTuple):
    signal: int
    code: int
    pid: int
    tid: int
    address: int
    trap: int
    error: int
    registers: dict[str, int]
    in_hpool: bool
    thread_name: str
    calls: tuple[Call, ...]
    program: str
    mappings: tuple[Mapping, ...]
    stack_start: int
    stack: bytes

    @classmethod
    def parse(cls, content: bytes) -> Crash:
        """Raises BadMessage."""
        try:
            return _parse(content)
        except (zlib.error, struct.error, ValueError) as error:
            raise BadMessage("the machine", f"a crash: {error}") from error

    @property
    def signal_name(self) -> str:
        return name_of(self.signal)

    @property
    def cause(self) -> str:
        """The signal in words."""
        if self.code <= 0:
            sender, user = self.address & 0xFFFFFFFF, self.address >> 32
            own = (
                "by itself (abort, raise or kill)"
                if sender == self.pid
                else f"by process {sender}, user {user}"
            )
            return f"sent {own}"
        words = _CODES.get((self.signal, self.code), _GENERAL.get(self.code, f"code {self.code}"))
        if self.signal == signal.SIGSEGV and self.code == _SI_KERNEL:
            return (
                "a bad address of no kind the processor tells (not canonical), or no stack left for a handler"
            )
        if self.signal in _WITH_ADDRESS:
            words += f" at {self.address:#x}"
        if self.signal == signal.SIGSEGV and self.trap == 14:
            words += _access(self.error)
        return words

    @property
    def sentence(self) -> str:
        return f"{self.signal_name}: {self.cause}" + (", in hpool's own code" if self.in_hpool else "")

    def mapping_of(self, address: int) -> Mapping | None:
        return next((each for each in self.mappings if each.start <= address < each.end), None)


def name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _parse(content: bytes) -> Crash:
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(content, CONTENT_MOST)
    if not unpacker.eof:
        raise ValueError("cut off, or too long")
    lengths = _LENGTHS.unpack_from(raw)
    if _LENGTHS.size + sum(lengths) != len(raw) or lengths[0] != HEAD_BYTES:
        raise ValueError("lengths")
    parts, at = [], _LENGTHS.size
    for length in lengths:
        parts.append(raw[at : at + length])
        at += length
    head, program, maps, stack = parts
    number, code, pid, tid, address, trap, error, *rest = _HEAD.unpack_from(head)
    registers = dict(zip(REGISTERS, rest[:18], strict=True))
    calls = (_call(head, _HEAD.size + place * _CALL.size) for place in range(LAST_CALLS))
    return Crash(
        *(number, code, pid, tid, address, trap, error, registers, bool(rest[18])),
        rest[19].split(b"\0")[0].decode("utf-8", "replace"),
        tuple(call for call in calls if call is not None),
        program.decode("utf-8", "surrogateescape"),
        tuple(filter(None, map(_mapping, maps.split(b"\n")))),
        max(0, registers["rsp"] - 128),
        stack,
    )


def _call(head: bytes, at: int) -> Call | None:
    number, done, *words = _CALL.unpack_from(head, at)
    if number in {NO_CALL, *PSEUDO_CALLS}:
        return None
    return Call(number, tuple(words[:6]), words[6] if done else None)


def _mapping(line: bytes) -> Mapping | None:
    """None for a line that was cut off."""
    words = line.decode("utf-8", "surrogateescape").split(None, 5)
    if len(words) < 5:
        return None
    start, _, end = words[0].partition("-")
    return Mapping(
        int(start, 16), int(end, 16), words[1], int(words[2], 16), words[5] if len(words) > 5 else ""
    )


_SI_KERNEL: Final = 0x80
_WITH_ADDRESS: Final = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP}
_GENERAL: Final = {_SI_KERNEL: "by the kernel"}
_CODES: Final[dict[tuple[int, int], str]] = {
    (signal.SIGSEGV, 1): "nothing is mapped",
    (signal.SIGSEGV, 2): "the mapping does not allow it",
    (signal.SIGSEGV, 3): "beyond the bounds",
    (signal.SIGSEGV, 4): "a protection key does not allow it",
    (signal.SIGBUS, 1): "misaligned",
    (signal.SIGBUS, 2): "beyond the end of a mapped file",
    (signal.SIGBUS, 3): "hardware error of the object",
    (signal.SIGBUS, 4): "memory error, action required",
    (signal.SIGBUS, 5): "memory error, action optional",
    (signal.SIGILL, 1): "illegal instruction",
    (signal.SIGILL, 2): "illegal operand (an instruction this processor does not have, or ud2)",
    (signal.SIGILL, 3): "illegal addressing mode",
    (signal.SIGILL, 4): "illegal trap",
    (signal.SIGILL, 5): "privileged instruction",
    (signal.SIGFPE, 1): "integer division by zero",
    (signal.SIGFPE, 2): "integer overflow",
    (signal.SIGFPE, 3): "floating point division by zero",
    (signal.SIGFPE, 4): "floating point overflow",
    (signal.SIGFPE, 5): "floating point underflow",
    (signal.SIGFPE, 6): "inexact floating point result",
    (signal.SIGFPE, 7): "invalid floating point operation",
    (signal.SIGTRAP, 1): "breakpoint",
    (signal.SIGTRAP, 2): "single step",
    (signal.SIGSYS, 1): "a seccomp filter of the program's own",
}


def _access(error: int) -> str:
    if error & 16:
        return " (executing)"
    return " (writing)" if error & 2 else " (reading)"
