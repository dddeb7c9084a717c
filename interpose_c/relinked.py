"""What a relinked program says of itself: the note of include/hpool/relinked.h, typed.

Owns: finding and reading it in an ELF file. Leaves to others: filling it in (postlink.py),
what is said of it (`hpool inspect`), opening the gates (csrc/front/relinked.c).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from elftools.elf.elffile import ELFFile

NAME: Final = b"hpool\0"
NOTE: Final = struct.Struct("<III")  # Elf64_Nhdr: lengths of name and description, type
ALIGN: Final = 4
TYPE: Final = 0x4C504801
VERSION: Final = 1
# struct hp_relinked: version, room, stubs, gates, gate_count, covered, left, flags; then the numbers.
HEADER: Final = struct.Struct("<IIiiIIII")
DONE: Final = 1
GATE_BYTES: Final = 8
NUMBER_BYTES: Final = 2
# The second note: struct hp_alone_note of csrc/relinked/relinked.S.
ALONE_TYPE: Final = 0x4C504802
ALONE_VERSION: Final = 1
ALONE: Final = struct.Struct(
    "<IiiiQ"
)  # version; entry, begin, end as offsets; where the program began before


@dataclass(frozen=True, slots=True)
class Note:
    """Addresses are those of the file; of another version than ours only `version` counts."""

    version: int
    room: int
    stubs: int
    gates: int
    gate_count: int
    covered: int
    left: int
    flags: int
    file_offset: int  # of the header
    file_bytes: int

    @property
    def is_known(self) -> bool:
        return self.version == VERSION

    @property
    def is_done(self) -> bool:
        """The post-linker was here."""
        return bool(self.flags & DONE)

    @classmethod
    def parse(cls, description: bytes, address: int, file_offset: int) -> Self | None:
        """None: too short to be one."""
        if len(description) < HEADER.size:
            return None
        version, room, stubs, gates, gate_count, covered, left, flags = HEADER.unpack_from(description)
        return cls(
            version=version,
            room=room,
            stubs=address + stubs,
            gates=address + gates,
            gate_count=gate_count,
            covered=covered,
            left=left,
            flags=flags,
            file_offset=file_offset,
            file_bytes=len(description),
        )


@dataclass(frozen=True, slots=True)
class Alone:
    """Where what lets the program checkpoint itself lies in it (csrc/alone)."""

    version: int
    address: int
    entry: int
    begin: int
    end: int
    original: int  # 0: the post-linker was not here
    file_offset: int

    @classmethod
    def parse(cls, description: bytes, address: int, file_offset: int) -> Self | None:
        if len(description) < ALONE.size:
            return None
        version, entry, begin, end, original = ALONE.unpack_from(description)
        if version != ALONE_VERSION:
            return None
        return cls(
            version=version,
            address=address,
            entry=address + entry,
            begin=address + begin,
            end=address + end,
            original=original,
            file_offset=file_offset,
        )

    def led_to(self, program: int) -> bytes:
        """The note for a program that began there."""
        entry, begin, end = (each - self.address for each in (self.entry, self.begin, self.end))
        return ALONE.pack(self.version, entry, begin, end, (program - self.address) % (1 << 64))


def find_note(elf: ELFFile) -> Note | None:
    """Only in memory that is loaded: the shim sees no other."""
    return next((Note.parse(*found) for found in _notes(elf, TYPE)), None)


def find_alone(elf: ELFFile) -> Alone | None:
    return next((Alone.parse(*found) for found in _notes(elf, ALONE_TYPE)), None)


def _notes(elf: ELFFile, wanted: int) -> Iterator[tuple[bytes, int, int]]:
    """Descriptions of ours of that type, their addresses, their places in the file."""
    for segment in elf.iter_segments("PT_NOTE"):
        notes = segment.data()
        at = 0
        while at + NOTE.size <= len(notes) and segment["p_align"] <= ALIGN:
            name_bytes, bytes_, kind = NOTE.unpack_from(notes, at)
            name = at + NOTE.size
            description = name + _aligned(name_bytes)
            if kind == wanted and notes[name : name + name_bytes] == NAME:
                yield (
                    notes[description : description + bytes_],
                    segment["p_vaddr"] + description,
                    segment["p_offset"] + description,
                )
            at = description + _aligned(bytes_)


def _aligned(length: int) -> int:
    return (length + ALIGN - 1) & -ALIGN
