"""The post-linker: leads a linked program's system calls past the gates that libhpool.a reserved.

Owns: reading the program, the stubs, writing the result in place of the old file. Leaves to
others: which sites can be led (sites.py), the compiler around it (link.py). A file that is
refused stays as it was; so does its size, always.
"""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from elftools.dwarf.callframe import FDE
from elftools.elf.constants import P_FLAGS, SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from hpool.interpose_c.relinked import (
    DONE,
    GATE_BYTES,
    HEADER,
    NUMBER_BYTES,
    VERSION,
    Alone,
    Note,
    find_alone,
    find_note,
)
from hpool.interpose_c.sites import JUMP_BYTES, SYSCALL, Function, Left, Site, find_sites
from hpool.matchmaker.model.errors import NotRelinkable

STUB_BYTES: Final = 64
BACK_OFFSET: Final = 60
EMPTY: Final = 0xCC
DEEPEST_LINK: Final = 40
ENTRY_OFFSET: Final = 24  # of e_entry in an ELF header
PROGRAM_TYPES: Final = ("ET_EXEC", "ET_DYN")
# What one of the readers below may raise for a damaged file is not listed anywhere.
DAMAGE: Final = (Exception,)


@dataclass(frozen=True, slots=True)
class Relinked:
    """What became of a program's system calls."""

    covered: tuple[Site, ...]
    left: tuple[Left, ...]
    room: int  # sites there was room for


@dataclass(frozen=True, slots=True)
class Segment:
    address: int
    end: int  # of what the file holds of it
    offset: int
    flags: int


class Image:
    """A program's bytes by the addresses they are loaded at."""

    def __init__(self, content: bytes, segments: list[Segment]) -> None:
        self.content = bytearray(content)
        self._segments = segments

    def offset(self, address: int, length: int, flags: int) -> int:
        """Where `length` bytes at `address` stand in the file. ValueError: not all in one such segment."""
        for segment in self._segments:
            if segment.address <= address and address + length <= segment.end:
                if segment.flags & flags != flags:
                    break
                at = segment.offset + address - segment.address
                if at + length > len(self.content):
                    break
                return at
        raise ValueError(f"{length} bytes at {address:#x} are not where they should be")

    def read(self, address: int, length: int, flags: int) -> bytes:
        at = self.offset(address, length, flags)
        return bytes(self.content[at : at + length])

    def write(self, address: int, data: bytes, flags: int) -> None:
        at = self.offset(address, len(data), flags)
        self.content[at : at + len(data)] = data


def post_link(path: Path) -> Relinked:
    """Leads what can be led past a gate; raises NotRelinkable and leaves the file as it is."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotRelinkable(path=str(path), reason=error.strerror or str(error)) from None
    try:
        changed, result = relink(content)
    except ValueError as error:
        raise NotRelinkable(path=str(path), reason=str(error)) from None
    if changed != content:
        try:
            _replace(path, changed)
        except OSError as error:
            raise NotRelinkable(path=str(path), reason=error.strerror or str(error)) from None
    return result


def relink(content: bytes) -> tuple[bytes, Relinked]:
    """The same on bytes; ValueError says in one sentence why not."""
    image, note, alone, functions, sections = _read(content)
    if not note.is_known:
        raise ValueError(f"libhpool.a is of another version of hpool ({note.version}, not {VERSION})")
    if note.is_done:
        raise ValueError("it has been done already")
    sites: list[Site] = []
    left: list[Left] = []
    for address, code in sections:
        found, others = find_sites(code, address, functions)
        sites += found
        left += others
    if alone is not None:  # its calls are its own affair: it copies itself, and jumps would not follow
        sites = [site for site in sites if not alone.begin <= site.address < alone.end]
        left = [each for each in left if not alone.begin <= each.address < alone.end]
        _begin_with(image, alone)
    return _lead(image, note, sites, left)


def _begin_with(image: Image, alone: Alone) -> None:
    """The program begins there, and goes on where it began before."""
    image.offset(alone.entry, 1, P_FLAGS.PF_X)  # else there is no beginning there
    (program,) = struct.unpack_from("<Q", image.content, ENTRY_OFFSET)
    note = alone.led_to(program)
    image.content[alone.file_offset : alone.file_offset + len(note)] = note
    struct.pack_into("<Q", image.content, ENTRY_OFFSET, alone.entry)


def _read(
    content: bytes,
) -> tuple[Image, Note, Alone | None, list[Function], list[tuple[int, bytes]]]:
    try:
        elf = ELFFile(BytesIO(content))
        if elf.elfclass != 64 or not elf.little_endian or elf.header.e_machine != "EM_X86_64":
            raise ValueError("it is not for x86-64")
        if elf.header.e_type not in PROGRAM_TYPES:
            raise ValueError("it is no executable")
        note = find_note(elf)
        if note is None:
            raise ValueError("it was linked without libhpool.a")
        sections = list(_code(elf))
        functions = _functions(elf) if any(SYSCALL in code for _, code in sections) else []
        return Image(content, _segments(elf)), note, find_alone(elf), functions, sections
    except ValueError:
        raise
    except DAMAGE as error:
        raise ValueError(f"it is damaged ({type(error).__name__}: {error})") from None


def _segments(elf: ELFFile) -> list[Segment]:
    return [
        Segment(each["p_vaddr"], each["p_vaddr"] + each["p_filesz"], each["p_offset"], each["p_flags"])
        for each in elf.iter_segments("PT_LOAD")
    ]


def _code(elf: ELFFile) -> Iterator[tuple[int, bytes]]:
    needed = SH_FLAGS.SHF_ALLOC | SH_FLAGS.SHF_EXECINSTR
    for section in elf.iter_sections("SHT_PROGBITS"):
        if section["sh_flags"] & needed == needed:
            yield section["sh_addr"], section.data()


def _functions(elf: ELFFile) -> list[Function]:
    """By the tables for unwinding, which survive stripping, and by symbols; sorted, one for each start."""
    found: dict[int, Function] = {}
    if elf.has_dwarf_info():
        for entry in elf.get_dwarf_info(relocate_dwarf_sections=False).EH_CFI_entries():
            if isinstance(entry, FDE):
                start = entry.header["initial_location"]
                found[start] = Function(start, start + entry.header["address_range"])
    for section in elf.iter_sections("SHT_SYMTAB"):
        assert isinstance(section, SymbolTableSection)
        for symbol in section.iter_symbols():
            if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_size"]:
                start = symbol["st_value"]
                end = found[start].end if start in found else start + symbol["st_size"]
                found[start] = Function(start, end, symbol.name)
    return sorted(found.values(), key=lambda function: function.start)


def _lead(image: Image, note: Note, sites: list[Site], left: list[Left]) -> tuple[bytes, Relinked]:
    room = note.room
    if note.file_bytes < HEADER.size + room * NUMBER_BYTES:
        raise ValueError("its note is cut off")
    if image.read(note.stubs, room * STUB_BYTES, P_FLAGS.PF_X).strip(bytes([EMPTY])):
        raise ValueError("the room for its stubs is not empty")
    if any(image.read(note.gates, room * GATE_BYTES, P_FLAGS.PF_W)):
        raise ValueError("its gates are not shut")
    numbers: list[int] = []
    covered: list[Site] = []
    for site in sites:
        if len(covered) == room:
            left.append(Left(site.address, "no room for another stub"))
            continue
        gate = numbers.index(site.number) if site.number in numbers else len(numbers)
        stub = note.stubs + len(covered) * STUB_BYTES
        try:
            code = make_stub(site, stub, note.gates + gate * GATE_BYTES)
            jump = _relative(b"\xe9", site.start, stub)
        except ValueError as error:
            left.append(Left(site.address, str(error)))
            continue
        image.write(stub, code, P_FLAGS.PF_X)
        image.write(site.start, jump, P_FLAGS.PF_X)
        covered.append(site)
        if gate == len(numbers):
            numbers.append(site.number)
    header = HEADER.pack(
        *HEADER.unpack_from(image.content, note.file_offset)[:4], len(numbers), len(covered), len(left), DONE
    )
    header += struct.pack(f"<{len(numbers)}H", *numbers)
    image.content[note.file_offset : note.file_offset + len(header)] = header
    return bytes(image.content), Relinked(tuple(covered), tuple(left), room)


def make_stub(site: Site, at: int, gate: int) -> bytes:
    """64 bytes; ValueError when something is out of reach or does not fit."""
    code = site.moved_to(at)
    for opcode, target in (
        (b"\x48\x8b\x0d", gate),  # mov gate(%rip), %rcx: a system call clobbers it anyway
        (b"\xe3\x0d", None),  # jrcxz, over the next two: flags are not touched
        (b"\x48\x8d\x0d", site.address + len(SYSCALL)),  # lea behind(%rip), %rcx
        (b"\xff\x25", gate),  # jmp *gate(%rip)
        (b"\xe9", site.address),  # jmp to the syscall
    ):
        code += opcode if target is None else _relative(opcode, at + len(code), target)
    if len(code) > BACK_OFFSET:
        raise ValueError("what would move is too long")
    back = struct.pack("<i", site.address + len(SYSCALL) - at)
    return code.ljust(BACK_OFFSET, bytes([EMPTY])) + back


def _relative(opcode: bytes, at: int, target: int) -> bytes:
    distance = target - (at + len(opcode) + 4)
    if not -(1 << 31) <= distance < 1 << 31:
        raise ValueError("out of a jump's reach")
    return opcode + struct.pack("<i", distance)


def _replace(path: Path, content: bytes) -> None:
    """All or nothing, also when the disk is full."""
    real = path
    for _ in range(DEEPEST_LINK):  # not realpath: what /proc/PID/root leads to is no other name
        if not real.is_symlink():
            break
        real = real.parent / os.readlink(real)
    handle, name = tempfile.mkstemp(prefix=f".{real.name[:100]}.", dir=real.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            os.fchmod(handle, real.stat().st_mode & 0o7777)
        os.replace(name, real)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


assert len(_relative(b"\xe9", 0, 0)) == JUMP_BYTES
