"""`hpool inspect PROGRAM`: how it would be run, and why.

Owns: following scripts to their interpreters and programs to their libraries, and the words for it.
Leaves to others: running. Looks only, starts nothing.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from hpool.matchmaker.model.errors import HpoolError
from hpool.shadow.cli.traits import front_end

if TYPE_CHECKING:
    from hpool.interpose_c.relinked import Note

DEEPEST_CHAIN: Final = 5  # the kernel's limit for scripts that name scripts
HEAD_BYTES: Final = 4096


class Elf(NamedTuple):
    """What matters of one ELF program."""

    kind: str  # "executable" or "shared object"
    interpreter: str
    needed: tuple[str, ...]
    run_path: str
    is_go: bool
    is_stripped: bool
    relinked: Note | None


@click.command()
@click.argument("program")
def inspect(program: str) -> None:
    """Say how PROGRAM would be run under hpool, and why."""
    from hpool.shadow.cli.program import find_program, working_directory

    path = os.fsdecode(find_program(os.fsencode(program), working_directory(), os.environb))
    for line in report(path):
        click.echo(line)


def report(path: str) -> Iterator[str]:
    """Line by line. `path` passed check_program already."""
    for _ in range(DEEPEST_CHAIN):
        real = os.path.realpath(path)
        yield path if real == path else f"{path} -> {real}"
        yield from rights(real)
        with open(real, "rb") as file:
            head = file.read(HEAD_BYTES)
        if not head.startswith(b"#!"):
            break
        words = head[2:].split(b"\n")[0].decode(errors="surrogateescape").strip().split(None, 1)
        if not words:
            yield "  a script that names no interpreter: a shell would read it"
            return
        yield f"  script; its interpreter: {' '.join(words)}"
        path = words[0]
        if os.path.basename(path) == "env" and len(words) > 1:
            yield from _through_env(words[1])
    else:
        yield "  too many scripts in a row: the kernel would give up (ELOOP)"
        return
    yield from _elf_report(real)


def rights(real: str) -> Iterator[str]:
    """What the file's own rights would have done at home and cannot do away."""
    mode = os.stat(real).st_mode
    if mode & 0o6000:
        yield "  has set-uid or set-gid rights: it would run, without those rights"
    if b"security.capability" in [os.fsencode(name) for name in os.listxattr(real)]:
        yield "  has file capabilities: it would run, without them"


def read_elf(path: str) -> Elf:
    """Raises ELFError for what is none."""
    from elftools.elf.dynamic import DynamicSegment
    from elftools.elf.elffile import ELFFile
    from elftools.elf.segments import InterpSegment

    from hpool.interpose_c.relinked import find_note

    with open(path, "rb") as file:
        elf = ELFFile(file)
        interpreter = run_path = ""
        needed: list[str] = []
        for segment in elf.iter_segments():
            if isinstance(segment, InterpSegment):
                interpreter = segment.get_interp_name()
            if not isinstance(segment, DynamicSegment):
                continue
            for tag in segment.iter_tags():
                if tag.entry.d_tag == "DT_NEEDED":
                    needed.append(str(getattr(tag, "needed", "")))
                elif tag.entry.d_tag in {"DT_RUNPATH", "DT_RPATH"}:
                    run_path = getattr(tag, "runpath", "") or getattr(tag, "rpath", "")
        return Elf(
            kind="executable" if elf.header.e_type == "ET_EXEC" else "shared object",
            interpreter=interpreter,
            needed=tuple(needed),
            run_path=run_path,
            is_go=elf.get_section_by_name(".gopclntab") is not None,
            is_stripped=elf.get_section_by_name(".symtab") is None,
            relinked=find_note(elf),
        )


def _elf_report(path: str) -> Iterator[str]:
    elf = read_elf(path)
    how = "dynamic" if elf.interpreter else "static"
    fixed = "at a fixed address" if elf.kind == "executable" else "position-independent"
    yield f"  ELF, x86-64, {how}, {fixed}{', made by Go' if elf.is_go else ''}"
    if elf.interpreter:
        there = "" if os.path.exists(elf.interpreter) else " (MISSING: it cannot be started)"
        yield f"  its ELF interpreter: {elf.interpreter}{there}"
    if elf.run_path:
        yield f"  looks for libraries first in: {elf.run_path}"
    if elf.needed:
        yield f"  needs: {' '.join(elf.needed)}"
    if elf.relinked:
        yield f"  {relinked_words(elf.relinked)}"
        if elf.interpreter and elf.relinked.is_done:
            yield "  those of its libraries are taken while it runs (link with -static to have none of these)"
    yield "how it would be run:"
    yield from front_end(path, elf.needed)
    if elf.interpreter:
        yield "  program, ELF interpreter and libraries come from here; the other machine needs none of them"
    else:
        yield "  static: no library could be preloaded; the loader does not need one"
    yield from _refusals(path, elf)


def relinked_words(note: Note) -> str:
    if not note.is_known:
        return f"relinked by another hpool (note version {note.version}): runs as a program that is not"
    if not note.is_done:
        return "linked with libhpool.a, not post-linked: runs as a program that is not (hpool cc --post-link)"
    left = f", {note.left} are taken while it runs" if note.left else ""
    return (
        f"relinked (note version {note.version}): {note.covered} of its own system calls go to the shim{left}"
    )


def _refusals(path: str, elf: Elf) -> Iterator[str]:
    """What is known beforehand to fail or to do less."""
    names = " ".join(elf.needed)
    if "liburing" in names:
        yield "  uses io_uring: refused with ENOSYS, libraries fall back to ordinary calls"
    if "libaio" in names:
        yield "  uses native AIO: refused with ENOSYS"
    if "libcuda" in names or "libOpenCL" in names:
        yield "  uses a GPU: the sandbox offers none"
    if "libfuse" in names:
        yield "  mounts file systems: refused"
    if Path(path).name in {"gdb", "strace", "ltrace"}:
        yield "  traces programs: they stop on SIGSYS first (gdb: handle SIGSYS nostop noprint pass)"


def _through_env(rest: str) -> Iterator[str]:
    from hpool.shadow.cli.program import find_program, working_directory

    words = [word for word in shlex.split(rest) if not word.startswith("-") and "=" not in word]
    if not words:
        return
    try:
        found = os.fsdecode(find_program(os.fsencode(words[0]), working_directory(), os.environb))
    except HpoolError as error:
        yield f"  env would not find {words[0]}: {error.sentence}"
        return
    yield f"  env would find {words[0]} as {found}"
