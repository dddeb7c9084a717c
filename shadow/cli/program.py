"""Finding the program as execvp would, and saying at once why it could not be run.

Owns: the search, and the errors a shell would give as 126 and 127. Leaves to others: running it. What
passes here may still fail on the other machine; what fails here would have failed at home.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Mapping
from typing import Final

from hpool.matchmaker.model.errors import (
    InterpreterMissing,
    ProgramIsDirectory,
    ProgramNotExecutable,
    ProgramNotFound,
    ProgramWrongKind,
    WorkingDirectoryGone,
)

_DEFAULT_PATH: Final = b"/bin:/usr/bin"  # what execvp uses without PATH
HEAD_BYTES: Final = 4096
_EM_X86_64: Final = 62
_ELF_HEADER: Final = struct.Struct("<32xQ14xHH")  # e_phoff, e_phentsize, e_phnum
_PROGRAM_HEADER: Final = struct.Struct("<I4xQ16xQ16x")  # p_type, p_offset, p_filesz
_PT_INTERP: Final = 3
_MACHINES: Final = {
    3: "32-bit x86",
    8: "MIPS",
    20: "PowerPC",
    21: "64-bit PowerPC",
    22: "s390",
    40: "32-bit ARM",
    183: "64-bit ARM (aarch64)",
    243: "RISC-V",
    258: "LoongArch",
}


def working_directory() -> bytes:
    """Raises WorkingDirectoryGone."""
    try:
        directory = os.getcwdb()
    except OSError as error:
        raise WorkingDirectoryGone(error.strerror or "it was removed") from error
    if not directory.startswith(b"/"):
        raise WorkingDirectoryGone("it lies outside of the root directory")
    return directory


def find_program(name: bytes, directory: bytes, environ: Mapping[bytes, bytes]) -> bytes:
    """The absolute path execvp would execute. Raises the error that fits."""
    shown = os.fsdecode(name)
    if not name:
        raise ProgramNotFound(shown, "")
    if b"/" in name:
        path = os.path.join(directory, name)
        check_program(path)
        return path
    refused: ProgramNotExecutable | None = None
    for place in environ.get(b"PATH", _DEFAULT_PATH).split(b":"):
        path = os.path.join(directory, place or b".", name)
        try:
            check_program(path)
            return path
        except (ProgramNotFound, ProgramIsDirectory):
            continue
        except ProgramNotExecutable as error:
            refused = refused or error
    if refused is not None:
        raise refused
    raise ProgramNotFound(shown, " on PATH")


def check_program(path: bytes) -> None:
    """Raises what execve would fail with, as a sentence."""
    shown = os.fsdecode(path)
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise ProgramNotFound(shown, "") from None
    except OSError as error:
        raise ProgramNotExecutable(shown, error.strerror or str(error)) from error
    if stat.S_ISDIR(found.st_mode):
        raise ProgramIsDirectory(shown)
    if not stat.S_ISREG(found.st_mode):
        raise ProgramWrongKind(shown, "it is not a regular file")
    if not os.access(path, os.X_OK, effective_ids=True):
        raise ProgramNotExecutable(shown, "you have no permission to execute it")
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        # The kernel executes what it may not read; home cannot send what it may not read.
        raise ProgramNotExecutable(shown, f"it cannot be read: {error.strerror}") from error
    _check_head(shown, head, found.st_size)


def _check_head(shown: str, head: bytes, size_bytes: int) -> None:
    if head.startswith(b"#!"):
        interpreter = head[2:].split(b"\n")[0].strip(b" \t").split(None, 1)
        if interpreter and not os.path.exists(interpreter[0]):
            raise InterpreterMissing(shown, os.fsdecode(interpreter[0]))
        return
    if not head.startswith(b"\x7fELF"):
        # A shell would run it as a script of its own; execve says ENOEXEC.
        if not head:
            raise ProgramWrongKind(shown, "the file is empty")
        raise ProgramWrongKind(shown, "it is neither an ELF program nor a script with #!")
    if len(head) < _ELF_HEADER.size:
        raise ProgramWrongKind(shown, "its ELF header is cut short")
    order = "little" if head[5] == 1 else "big"
    machine = int.from_bytes(head[18:20], "little" if order == "little" else "big")
    if head[4] != 2 or machine != _EM_X86_64:
        built_for = _MACHINES.get(machine, f"machine type {machine}")
        raise ProgramWrongKind(shown, f"it was built for {built_for}, not for x86-64")
    at, each_bytes, number = _ELF_HEADER.unpack_from(head)
    if at + each_bytes * number > size_bytes:
        raise ProgramWrongKind(shown, "it is cut short")
    if each_bytes < _PROGRAM_HEADER.size:
        return
    for start in range(at, min(at + each_bytes * number, len(head) - each_bytes + 1), each_bytes):
        kind, name_at, name_bytes = _PROGRAM_HEADER.unpack_from(head, start)
        name = head[name_at : name_at + name_bytes].rstrip(b"\0")
        if kind == _PT_INTERP and name_at + name_bytes <= len(head) and not os.path.exists(name):
            raise InterpreterMissing(shown, os.fsdecode(name))
