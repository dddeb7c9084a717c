"""Who called whom when a process crashed: from registers, mappings, a piece of stack, the files at home.

Owns: the walk by call frame information (.eh_frame), by frame pointers where there is none, and names of
functions. Leaves to others: the crash (api.crash), the report. The files are those that are at home now.
"""

from __future__ import annotations

import bisect
import functools
import os
import struct
from typing import Any, Final, NamedTuple

from hpool.shadow.api.crash import Crash, Mapping

MOST_FRAMES: Final = 64
# DWARF's numbers of x86-64 registers.
_NAMES: Final = (
    "rax",
    "rdx",
    "rcx",
    "rbx",
    "rsi",
    "rdi",
    "rbp",
    "rsp",
    *(f"r{n}" for n in range(8, 16)),
    "rip",
)
_RSP, _RBP, _RIP = 7, 6, 16
_KEPT: Final = (3, 6, 12, 13, 14, 15)  # a function gives these back as it found them


class Frame(NamedTuple):
    address: int
    path: str  # "" if no file lies there
    offset: int  # as `addr2line -e path` wants it
    function: str  # with "+0x12", or ""
    how: str  # "registers", "frame information", "frame pointer"


def backtrace(crash: Crash) -> list[Frame]:
    """Innermost first; ends where the trail is lost."""
    registers: dict[int, int] = {n: crash.registers[name] for n, name in enumerate(_NAMES)}
    frames: list[Frame] = []
    how, is_first = "registers", True
    while len(frames) < MOST_FRAMES:
        rip = registers[_RIP]
        # A return address may be the next function's first byte: look at the call before it.
        look_at = rip if is_first else rip - 1
        frames.append(_frame(crash, look_at, how)._replace(address=rip))
        try:
            caller = _by_information(crash, registers, look_at)
            how = "frame information"
            if caller is None and is_first and not crash.mapping_of(rip):
                caller, how = _by_return_address(crash, registers), "return address"
            if caller is None:
                caller, how = _by_pointer(crash, registers), "frame pointer"
        except (LookupError, struct.error):
            break
        if caller is None or caller[_RSP] <= registers[_RSP] or not caller[_RIP]:
            break
        registers, is_first = caller, False
    return frames


def _word(crash: Crash, address: int) -> int:
    """From the piece of stack; raises LookupError beyond it."""
    at = address - crash.stack_start
    if at < 0 or at + 8 > len(crash.stack):
        raise LookupError(address)
    (word,) = struct.unpack_from("<Q", crash.stack, at)
    return int(word)


def _by_return_address(crash: Crash, registers: dict[int, int]) -> dict[int, int] | None:
    """A jump to nowhere: a call left its return address on top."""
    back = _word(crash, registers[_RSP])
    mapping = crash.mapping_of(back)
    if mapping is None or "x" not in mapping.permissions:
        return None
    return registers | {_RIP: back, _RSP: registers[_RSP] + 8}


def _by_pointer(crash: Crash, registers: dict[int, int]) -> dict[int, int] | None:
    base = registers[_RBP]
    back = _word(crash, base + 8)
    if crash.mapping_of(back) is None:
        return None
    return registers | {_RIP: back, _RBP: _word(crash, base), _RSP: base + 16}


def _by_information(crash: Crash, registers: dict[int, int], address: int) -> dict[int, int] | None:
    mapping = crash.mapping_of(address)
    module = None if mapping is None else _module(mapping.path)
    if mapping is None or module is None:
        return None
    rules = module.rules(_in_file(module, crash, mapping, address))
    if rules is None:
        return None
    cfa_rule = rules["cfa"]
    if cfa_rule.expr is not None:
        return None
    cfa = registers[cfa_rule.reg] + cfa_rule.offset
    caller = {n: registers[n] for n in range(17)}
    caller[_RSP] = cfa
    for number in (*_KEPT, _RIP):
        rule = rules.get(number)
        if rule is None or rule.type in {"SAME_VALUE", "UNDEFINED"}:
            if number == _RIP:
                return None
        elif rule.type == "OFFSET":
            caller[number] = _word(crash, cfa + rule.arg)
        elif rule.type == "REGISTER":
            caller[number] = registers[rule.arg]
        elif number == _RIP:
            return None
    return caller


def _frame(crash: Crash, address: int, how: str) -> Frame:
    mapping = crash.mapping_of(address)
    if mapping is None or not mapping.path.startswith("/"):
        return Frame(address, mapping.path if mapping else "", 0, "", how)
    module = _module(mapping.path)
    if module is None:
        return Frame(address, mapping.path, address - mapping.start + mapping.offset, "", how)
    offset = _in_file(module, crash, mapping, address)
    return Frame(address, mapping.path, offset, module.function(offset), how)


def _in_file(module: Module, crash: Crash, mapping: Mapping, address: int) -> int:
    """The address the file's own tables use."""
    return module.virtual(address - mapping.start + mapping.offset)


class Module:
    """One ELF file at home."""

    def __init__(self, path: str) -> None:
        from elftools.elf.elffile import ELFFile

        self._stream = open(path, "rb")  # noqa: SIM115 - as long as the module
        self._elf: Any = ELFFile(self._stream)
        self._loads = [
            (segment["p_offset"], segment["p_filesz"], segment["p_vaddr"])
            for segment in self._elf.iter_segments()
            if segment["p_type"] == "PT_LOAD"
        ]

    def virtual(self, file_offset: int) -> int:
        for offset, size, address in self._loads:
            if offset <= file_offset < offset + size:
                return int(file_offset - offset + address)
        return file_offset

    def rules(self, address: int) -> dict[Any, Any] | None:
        """The row of frame information that holds at an address."""
        starts, entries = self._information
        place = bisect.bisect_right(starts, address) - 1
        if place < 0:
            return None
        entry = entries[place]
        if address >= entry["initial_location"] + entry["address_range"]:
            return None
        table = entry.get_decoded().table
        row = None
        for each in table:
            if each["pc"] > address:
                break
            row = each
        # A signal frame's rules are expressions, which end the walk in _by_information.
        return None if row is None else {_RIP: None} | row

    @functools.cached_property
    def _information(self) -> tuple[list[int], list[Any]]:
        if self._elf.get_section_by_name(".eh_frame") is None:
            return [], []
        from elftools.dwarf.callframe import FDE

        dwarf = self._elf.get_dwarf_info(relocate_dwarf_sections=False, follow_links=False)
        entries = [entry for entry in dwarf.EH_CFI_entries() if isinstance(entry, FDE)]
        entries.sort(key=lambda entry: int(entry["initial_location"]))
        return [entry["initial_location"] for entry in entries], entries

    def function(self, address: int) -> str:
        place = bisect.bisect_right(self._symbols, (address, 1 << 64, "")) - 1
        if place < 0:
            return ""
        start, size, name = self._symbols[place]
        if address >= start + max(size, 1):
            return ""
        return f"{name}+{address - start:#x}"

    @functools.cached_property
    def _symbols(self) -> list[tuple[int, int, str]]:
        found = []
        for section in (".symtab", ".dynsym"):
            table = self._elf.get_section_by_name(section)
            if table is None:
                continue
            found += [
                (int(symbol["st_value"]), int(symbol["st_size"]), symbol.name)
                for symbol in table.iter_symbols()
                if symbol["st_info"]["type"] in {"STT_FUNC", "STT_GNU_IFUNC"} and symbol["st_value"]
            ]
            if found:
                break
        return sorted(found)


@functools.cache
def _module(path: str) -> Module | None:
    from elftools.common.exceptions import ELFError

    try:
        return Module(path) if os.path.isfile(path) else None
    except (OSError, ELFError):
        return None
