"""Which system call instructions of a program can be led past a gate, and how.

Owns: the decision, from bytes and the ranges of functions. Leaves to others: where those
come from and what becomes of the plan (postlink.py), decoding and moving instructions (iced).

A call site is changed *in front of* its syscall instruction, which stays:

    mov $1, %eax        jmp stub            stub: mov $1, %eax
    syscall        ->   syscall                   (gate open: to the shim) jmp to the syscall

The jump covers the first five bytes of the last instruction, at least that long, before the
syscall; that one and what stands between go to the stub. As one instruction is covered, no
branch can lead into the middle of the jump: whoever branches behind it finds everything as
it was. Where that cannot be shown, the site is left to the shim, which takes it at run time.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from iced_x86 import (
    BlockEncoder,
    Code,
    Decoder,
    FlowControl,
    Instruction,
    InstructionInfoFactory,
    Mnemonic,
    OpAccess,
    OpKind,
    Register,
    RflagsBits,
)

SYSCALL: Final = b"\x0f\x05"
JUMP_BYTES: Final = 5
ANY_NUMBER: Final = 0xFFFF
RT_SIGRETURN: Final = 15  # unwinders know a signal's frame by the bytes of this call
# libc's handler for cancellation asks whether a thread was between two labels in these.
RANGE_CHECKED: Final = frozenset({"__syscall_cancel_arch", "__syscall_cp_asm"})
MOVED_MAX: Final = 33  # bytes; a conditional branch among them grows by four
WRITES: Final = frozenset(
    {OpAccess.WRITE, OpAccess.COND_WRITE, OpAccess.READ_WRITE, OpAccess.READ_COND_WRITE}
)
STACK: Final = frozenset({Register.RSP, Register.ESP, Register.SP, Register.SPL})
ACCUMULATOR: Final = frozenset({Register.RAX, Register.EAX, Register.AX, Register.AL, Register.AH})

_info: Final = InstructionInfoFactory()


@dataclass(frozen=True, slots=True)
class Function:
    """`[start, end)`, entered at `start`: decoding from there meets real instructions only."""

    start: int
    end: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """A syscall instruction at `address` that can be led past a gate from `start` on."""

    address: int
    start: int
    number: int  # ANY_NUMBER: known at run time only
    moved: tuple[Instruction, ...]

    def moved_to(self, address: int) -> bytes:
        """The instructions as they read at another address. ValueError: they cannot."""
        encoder = BlockEncoder(64)
        encoder.add_many(list(self.moved))
        return encoder.encode(address)


@dataclass(frozen=True, slots=True)
class Left:
    """A syscall instruction that stays for the shim."""

    address: int
    why: str


def find_sites(code: bytes, address: int, functions: Sequence[Function]) -> tuple[list[Site], list[Left]]:
    """All system calls of one executable section; `functions` sorted by start."""
    sites: list[Site] = []
    left: list[Left] = []
    starts = [function.start for function in functions]
    decoded: dict[int, list[Instruction]] = {}
    for match in re.finditer(re.escape(SYSCALL), code):
        at = address + match.start()
        index = bisect_right(starts, at) - 1
        function = functions[index] if index >= 0 else None
        if function is None or at >= function.end:
            left.append(Left(at, "in no known function"))
            continue
        if index not in decoded:
            decoded[index] = _decode(code, address, function)
        found = _judge(decoded[index], at, function)
        if isinstance(found, Site):
            sites.append(found)
        elif found is not None:
            left.append(found)
    return sites, left


def _decode(code: bytes, address: int, function: Function) -> list[Instruction]:
    decoder = Decoder(64, code[max(function.start - address, 0) : function.end - address], ip=function.start)
    return list(decoder)


def _judge(instructions: list[Instruction], at: int, function: Function) -> Site | Left | None:
    """None: the two bytes are no instruction, as far as can be seen from here."""
    position = bisect_right(instructions, at, key=_ip) - 1
    if any(each.code == Code.INVALID for each in instructions[: position + 1]):
        return Left(at, "behind bytes that are no code")
    if position < 0 or instructions[position].ip != at or instructions[position].code != Code.SYSCALL:
        return None
    moved = _window(instructions, position)
    if moved is None:
        return Left(at, "no instruction before it can hold a jump")
    number = _number(moved)
    if number == RT_SIGRETURN:
        return Left(at, "the return from a signal, known by its bytes")
    if number == ANY_NUMBER and _is_range_checked(function, instructions[:position]):
        return Left(at, "in code whose position libc looks at")
    if number == ANY_NUMBER and not _flags_are_dead(instructions, position + 1):
        return Left(at, "the flags may be used behind it")
    return Site(at, moved[0].ip, number, tuple(moved))


def _ip(instruction: Instruction) -> int:
    return int(instruction.ip)


def _window(instructions: list[Instruction], position: int) -> list[Instruction] | None:
    """The instructions that move: from one that can hold the jump up to the syscall; the
    shortest, unless some more make the call's number known."""
    end, shortest = instructions[position].ip, None
    for first in range(position - 1, -1, -1):
        each = instructions[first]
        if end - each.ip > MOVED_MAX or not _movable(each):
            break
        if len(each) < JUMP_BYTES:
            continue
        moved = instructions[first:position]
        if _number(moved) != ANY_NUMBER:
            return moved
        shortest = shortest or moved
    return shortest


def _movable(each: Instruction) -> bool:
    """Means the same elsewhere, leaves the stack as it is, runs on to the next."""
    if each.flow_control not in {FlowControl.NEXT, FlowControl.CONDITIONAL_BRANCH}:
        return False
    if each.mnemonic in {Mnemonic.JRCXZ, Mnemonic.JECXZ, Mnemonic.LOOP, Mnemonic.LOOPE, Mnemonic.LOOPNE}:
        return False
    if each.is_stack_instruction or each.is_privileged or each.has_lock_prefix:
        return False
    return not any(
        used.register in STACK and used.access in WRITES for used in _info.info(each).used_registers()
    )


def _number(moved: list[Instruction]) -> int:
    """What %rax holds at the end of straight-line code, if that is a constant."""
    number = ANY_NUMBER
    for each in moved:
        if not any(
            used.register in ACCUMULATOR and used.access in WRITES
            for used in _info.info(each).used_registers()
        ):
            continue
        number = ANY_NUMBER
        whole = each.op0_register in {Register.EAX, Register.RAX}
        if each.mnemonic == Mnemonic.MOV and whole and each.op1_kind in _IMMEDIATES:
            number = each.immediate(1) if 0 <= each.immediate(1) < ANY_NUMBER else ANY_NUMBER
        elif each.mnemonic == Mnemonic.XOR and whole and each.op1_register == each.op0_register:
            number = 0
    return number


_IMMEDIATES: Final = frozenset({OpKind.IMMEDIATE32, OpKind.IMMEDIATE32TO64, OpKind.IMMEDIATE64})


def _flags_are_dead(instructions: list[Instruction], position: int) -> bool:
    """Is every flag set anew before one is read? A function's caller and callee expect none."""
    waiting = RflagsBits.OF | RflagsBits.SF | RflagsBits.ZF | RflagsBits.AF | RflagsBits.CF | RflagsBits.PF
    for _ in range(16):
        if position == len(instructions):
            return False
        each = instructions[position]
        if each.code == Code.SYSCALL:
            position += 1
            continue
        if each.flow_control == FlowControl.UNCONDITIONAL_BRANCH:
            position = bisect_left(instructions, each.near_branch_target, key=_ip)
            if position == len(instructions) or instructions[position].ip != each.near_branch_target:
                return False
            continue
        if each.rflags_read & waiting:
            return False
        waiting &= ~each.rflags_modified
        if not waiting or each.flow_control in {FlowControl.RETURN, FlowControl.CALL}:
            return True
        if each.flow_control != FlowControl.NEXT:
            return False
        position += 1
    return False


def _is_range_checked(function: Function, before: list[Instruction]) -> bool:
    """By name or, without one, by how such a function begins: `mov (%rdi), %eax; test`."""
    if function.name in RANGE_CHECKED:
        return True
    for first, second in pairwise(before):
        if (
            first.mnemonic == Mnemonic.MOV
            and first.op0_register == Register.EAX
            and first.memory_base == Register.RDI
            and first.memory_displacement == 0
            and first.memory_index == Register.NONE
            and second.mnemonic == Mnemonic.TEST
        ):
            return True
    return False
