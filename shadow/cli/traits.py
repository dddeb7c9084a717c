"""What in a program's file tells that only the tracer serves it.

Owns: reading the bytes. Leaves to others: what is said about it (inspect). A guess from the file: what a
program generates or loads later is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

# wrgsbase, of a 32-bit and a 64-bit register (Intel SDM): F3 [REX] 0F AE /3, register form.
WRGSBASE: Final = re.compile(rb"\xf3[\x40-\x4f]?\x0f\xae[\xd8-\xdf]")
ELF_EXECUTABLE_FLAG: Final = 1


def executable_bytes(path: str) -> Iterator[bytes]:
    """The segments that are code."""
    from elftools.elf.elffile import ELFFile

    with open(path, "rb") as file:
        for segment in ELFFile(file).iter_segments("PT_LOAD"):
            if segment["p_flags"] & ELF_EXECUTABLE_FLAG:
                yield segment.data()


def front_end(path: str, needed: tuple[str, ...]) -> Iterator[str]:
    """Which front end, and why, line by line."""
    names = " ".join(needed)
    if any(WRGSBASE.search(code) for code in executable_bytes(path)):
        yield "  has an instruction that sets %gs, which is the shim's: run it with --intercept trace"
        return
    yield "  in process: the loader maps the shim beside it; every call passes the table (hpool syscalls)"
    if "libseccomp" in names:
        yield "  sets seccomp filters (libseccomp): traced from the first one on"
    if "libwine" in names:
        yield "  takes %gs (Wine): traced from then on"
