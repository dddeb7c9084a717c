"""`hpool inspect PROGRAM`: how it would be run, and why.

Owns: following scripts to their interpreters, and the words for it. Leaves to others: what an executable is
(interpose_c/kinds.py), running. Looks only, starts nothing.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from hpool.matchmaker.model.errors import HpoolError

if TYPE_CHECKING:
    from hpool.interpose_c.kinds import Kind
    from hpool.interpose_c.relinked import Note

DEEPEST_CHAIN: Final = 5  # the kernel's limit for scripts that name scripts
HEAD_BYTES: Final = 4096


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
    for _ in range(DEEPEST_CHAIN + 1):
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


def _elf_report(path: str) -> Iterator[str]:
    from hpool.interpose_c.kinds import LARGE_ALIGNMENT, read

    kind = read(path)
    if kind.foreign:
        yield f"  ELF, {kind.foreign}"
        yield "how it would be run:"
        yield "  not at all: hpool runs x86-64 programs (execve says ENOEXEC)"
        return
    words = [kind.linkage, "at a fixed address" if kind.is_fixed else "position-independent", kind.made_by]
    yield f"  ELF, x86-64, {', '.join(word for word in dict.fromkeys(words) if word)}"
    if kind.interpreter:
        there = "" if os.path.exists(kind.interpreter) else " (MISSING: it cannot be started)"
        relative = "" if kind.interpreter.startswith("/") else " (looked for from the working directory)"
        yield f"  its ELF interpreter: {kind.interpreter}{relative}{there}"
    if kind.run_path:
        yield f"  looks for libraries first in: {kind.run_path}"
    if kind.needed:
        yield f"  needs: {' '.join(kind.needed)}"
    if kind.executable_stack:
        yield "  wants a stack that can be executed: it gets one"
    if kind.alignment > LARGE_ALIGNMENT:
        yield f"  its segments are aligned to {kind.alignment // 1024} KiB: kept"
    if kind.relinked:
        yield f"  {relinked_words(kind.relinked)}"
        if kind.interpreter and kind.relinked.is_done:
            yield "  those of its libraries are taken while it runs (link with -static to have none of these)"
    yield "how it would be run:"
    yield from _front_end(kind)
    if kind.interpreter:
        yield "  program, ELF interpreter and libraries come from here; the other machine needs none of them"
    else:
        yield "  static: no library could be preloaded; the loader does not need one"
    yield from _refusals(path, kind)


def _front_end(kind: Kind) -> Iterator[str]:
    if kind.writes_gs:
        yield "  by a tracer from its first call on, some microseconds a call: its code writes %gs (wrgsbase)"
        yield "  with --intercept shim: in process, until it does so, then it crashes: the shim needs %gs"
    else:
        yield "  in process: the loader maps the shim beside it; every call passes the table (hpool syscalls)"
    for reason in kind.turns:
        yield f"  {reason}: by a tracer from then on, some microseconds a call"
    if kind.is_fixed:
        yield "  its addresses are fixed: should the loader be in their way, it starts again elsewhere"
    if kind.made_by == "packed by UPX":
        yield "  it unpacks itself: code made while it runs is not rewritten, 1.2 microseconds a call"


def relinked_words(note: Note) -> str:
    if not note.is_known:
        return f"relinked by another hpool (note version {note.version}): runs as a program that is not"
    if not note.is_done:
        return "linked with libhpool.a, not post-linked: runs as a program that is not (hpool cc --post-link)"
    left = f", {note.left} are taken while it runs" if note.left else ""
    return (
        f"relinked (note version {note.version}): {note.covered} of its own system calls go to the shim{left}"
    )


def _refusals(path: str, elf: Kind) -> Iterator[str]:
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
