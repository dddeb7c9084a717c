"""What kind of program an executable file is, and which front end it will get: looked at, never run.

Owns: reading ELF headers and code for what decides. Leaves to others: the words (`hpool inspect`), the
decision itself while it runs (csrc/front, csrc/keeper), which follows the same reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hpool.interpose_c.relinked import Note

MACHINES: Final = {
    "EM_386": "32-bit x86",
    "EM_AARCH64": "aarch64",
    "EM_ARM": "32-bit ARM",
    "EM_RISCV": "RISC-V",
}
LARGE_ALIGNMENT: Final = 4096
# wrfsbase has another register field; this one writes %gs, where the shim keeps a thread's block. What is
# common to all its forms is looked for first: a plain search runs through libraries ten times faster.
WRITES_GS: Final = re.compile(rb"\xf3[\x40-\x4f]?\x0f\xae[\xd8-\xdf]")
GROUP_15: Final = b"\x0f\xae"
FILTERS: Final = ("libseccomp.so",)
WINE: Final = ("wine", "wine64", "wine-preloader", "wine64-preloader")
PACKER: Final = b"UPX!"
HEAD_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Kind:
    """What matters of one ELF program. `foreign`: the machine it was built for, when it is none of ours."""

    foreign: str
    linkage: str  # "dynamic", "static", "static position-independent", "shared object"
    made_by: str  # "" nothing special
    is_fixed: bool
    interpreter: str
    needed: tuple[str, ...]
    run_path: str
    executable_stack: bool
    alignment: int
    writes_gs: bool
    turns: tuple[str, ...]  # what it does, when run, that only the tracer serves
    relinked: Note | None


def read(path: str) -> Kind:
    """Raises ELFError for what is none."""
    from elftools.elf.dynamic import DynamicSegment
    from elftools.elf.elffile import ELFFile
    from elftools.elf.segments import InterpSegment

    from hpool.interpose_c.relinked import find_note

    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
        elf = ELFFile(file)
        machine = str(elf.header.e_machine)
        foreign = "" if machine == "EM_X86_64" and elf.elfclass == 64 else MACHINES.get(machine, machine)
        interpreter = run_path = ""
        needed: list[str] = []
        executable_stack, alignment, has_dynamic = False, 0, False
        for segment in elf.iter_segments():
            if isinstance(segment, InterpSegment):
                interpreter = segment.get_interp_name()
            if segment.header.p_type == "PT_GNU_STACK":
                executable_stack = bool(segment.header.p_flags & 1)
            if segment.header.p_type == "PT_LOAD":
                alignment = max(alignment, segment.header.p_align)
            if not isinstance(segment, DynamicSegment):
                continue
            has_dynamic = True
            for tag in segment.iter_tags():
                if tag.entry.d_tag == "DT_NEEDED":
                    needed.append(str(getattr(tag, "needed", "")))
                elif tag.entry.d_tag in {"DT_RUNPATH", "DT_RPATH"}:
                    run_path = getattr(tag, "runpath", "") or getattr(tag, "rpath", "")
        is_fixed = elf.header.e_type == "ET_EXEC"
        return Kind(
            foreign=foreign,
            linkage=_linkage(interpreter, is_fixed, has_dynamic, needed),
            made_by=_made_by(elf, head, interpreter),
            is_fixed=is_fixed,
            interpreter=interpreter,
            needed=tuple(needed),
            run_path=run_path,
            executable_stack=executable_stack,
            alignment=alignment,
            writes_gs=any(segment_writes_gs(each) for each in elf.iter_segments()),
            turns=tuple(_turns(path, needed)),
            relinked=find_note(elf) if not foreign else None,
        )


def _linkage(interpreter: str, is_fixed: bool, has_dynamic: bool, needed: list[str]) -> str:
    if interpreter:
        return "dynamic"
    if is_fixed or not has_dynamic:
        return "static"
    return "shared object" if needed else "static position-independent"


def _made_by(elf: Any, head: bytes, interpreter: str) -> str:
    if PACKER in head:
        return "packed by UPX"
    if elf.get_section_by_name(".gopclntab") is not None:
        return "made by Go"
    if interpreter and Path(interpreter).name.startswith("ld-musl"):
        return "musl"
    return ""


def _turns(path: str, needed: list[str]) -> Iterator[str]:
    if any(name.startswith(FILTERS) for name in needed):
        yield "sets filters on its system calls (libseccomp)"
    if Path(path).name in WINE or any(name.startswith("libwine") for name in needed):
        yield "takes %gs (Wine)"


def segment_writes_gs(segment: Any) -> bool:
    """Is there `wrgsbase` in it, as far as bytes tell? (Data among code may look like it.)"""
    if segment.header.p_type != "PT_LOAD" or not segment.header.p_flags & 1:
        return False
    code: bytes = segment.data()
    at = code.find(GROUP_15)
    while at >= 0:
        if WRITES_GS.search(code, max(0, at - 2), at + 3):
            return True
        at = code.find(GROUP_15, at + 1)
    return False
