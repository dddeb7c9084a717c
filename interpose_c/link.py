"""`hpool cc`, `hpool c++`: a compiler driver that leads the user's own.

Owns: which command makes an executable, what is added to it, the post-linking afterwards. Leaves
to others: everything else that is said to the compiler, which goes through untouched, as do its
messages and its exit status; rewriting (postlink.py).

Whether a command links an executable, and how, is asked of the compiler itself (`-###`), which
knows its options, response files and specs better than we could.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from hpool.matchmaker.model.errors import HpoolError, NoCompiler, NotRelinkable

LIBRARY: Final = Path(__file__).resolve().parent / "lib" / "libhpool.a"
# How many sites there is room for: what to ask the library for, smallest first (csrc/relinked.mk).
ROOM_DYNAMIC: Final = "hp_relinked_small"
ROOM_STATIC: Final = "hp_relinked"
ROOM_LARGE: Final = "hp_relinked_large"
COMPILERS: Final = {
    "cc": ("HPOOL_CC", ("gcc", "cc", "clang")),
    "c++": ("HPOOL_CXX", ("g++", "c++", "clang++")),
}
LINKERS: Final = ("collect2", "ld", "ld.bfd", "ld.gold", "ld.lld", "lld", "ld.mold", "mold", "gold")
MACHINE: Final = "elf_x86_64"
# Said to a linker: the result is no program, or has a layout that nobody else should add to.
NO_PROGRAM: Final = frozenset(
    {"-shared", "--shared", "-Bshareable", "-r", "-i", "--relocatable", "-N", "--omagic"}
)
OWN_LAYOUT: Final = ("-T", "--script", "-dT", "--oformat")
# The plain cases of commands that link nothing: no need to ask.
NO_LINK: Final = frozenset({"-c", "-S", "-E", "-M", "-MM", "-fsyntax-only", "-shared", "-r", "-###"})
USAGE: Final = """Usage: hpool {name} [--with COMPILER] ARGUMENTS OF THE COMPILER ...
       hpool {name} --post-link PROGRAM ...
       hpool {name} --library

Compiles and links as {compiler} does (or $%s), so `make CC="hpool cc"` works too. An executable it
links runs at home as any other, without hpool, and under `hpool run` without being rewritten there.

  --with COMPILER    lead this one, such as clang
  --post-link        do to a program that was linked by hand what is done after a link:
                       cc -o x ... -Wl,-u,hp_relinked $(hpool {name} --library) && hpool {name} --post-link x
  --library          print where libhpool.a is
"""


@dataclass(frozen=True, slots=True)
class Link:
    """What the compiler said it would do at last."""

    output: Path
    is_static: bool


def main(name: str, words: Sequence[str]) -> int:
    """`hpool cc WORDS`; the exit status. Does not return when the compiler alone is wanted."""
    try:
        return _main(name, list(words))
    except HpoolError as error:
        print(f"hpool {name}: {error} [{error.code}]", file=sys.stderr)
        return error.exit_code


def _main(name: str, words: list[str]) -> int:
    variable, candidates = COMPILERS[name]
    match words:
        case [] | ["--help"]:
            usage = (USAGE % variable).format(name=name, compiler=candidates[0])
            print(usage, end="", file=sys.stdout if words else sys.stderr)
            return 0 if words else 2
        case ["--library"]:
            print(LIBRARY)
            return 0
        case ["--post-link", *programs]:
            return _post_link_by_hand(programs)
        case ["--with", compiler, *rest]:
            command, words = shlex.split(compiler), rest
        case _:
            command = shlex.split(os.environ.get(variable, "")) or [_first_found(candidates)]
    if not command or shutil.which(command[0]) is None:
        raise NoCompiler(name=command[0] if command else "")
    if not NO_LINK.isdisjoint(words):
        _become([*command, *words])
    link = planned_link([*command, *words])
    if link is None:
        _become([*command, *words])
    return _link(command, words, link)


def _first_found(candidates: tuple[str, ...]) -> str:
    return next((each for each in candidates if shutil.which(each)), candidates[0])


def _become(command: list[str]) -> NoReturn:
    sys.stdout.flush()
    os.execvp(command[0], command)


def planned_link(command: list[str]) -> Link | None:
    """What `command` would link, if that is an x86-64 executable in a file of its own."""
    asked = subprocess.run([*command, "-###"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if asked.returncode != 0:
        return None
    links = []
    for line in asked.stderr.decode(errors="surrogateescape").splitlines():
        if not line.startswith(" "):
            continue
        try:
            words = shlex.split(line)
        except ValueError:
            continue
        if words and os.path.basename(words[0]).removesuffix(".exe") in LINKERS:
            links.append(words[1:])
    return read_link(links[-1]) if links else None


def read_link(words: list[str]) -> Link | None:
    """Reads what is said to the linker; None: it makes no executable of ours."""
    output, machine = "a.out", MACHINE  # some specs leave it out (musl-gcc's)
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == "-o":
            output = following
        elif word == "-m":
            machine = following
        elif word.startswith("-m"):
            machine = word[2:]
        elif word in NO_PROGRAM or word.startswith(OWN_LAYOUT):
            return None
    if machine != MACHINE or (os.path.exists(output) and not os.path.isfile(output)):
        return None
    is_static = "-dynamic-linker" not in words and "--dynamic-linker" not in words
    return Link(Path(output), is_static or "-static" in words)


def additions(room: str) -> list[str]:
    """For the end of the command line; to the linker, so that no -x or --language of it counts."""
    return [word for each in ("-u", room, str(LIBRARY)) for word in ("-Xlinker", each)]


def _link(command: list[str], words: list[str], link: Link) -> int:
    from hpool.interpose_c.postlink import post_link

    room = ROOM_STATIC if link.is_static else ROOM_DYNAMIC
    while True:
        status = subprocess.run([*command, *words, *additions(room)], check=False).returncode
        if status != 0:
            return status if status > 0 else 128 - status
        try:
            if not stat.S_ISREG(link.output.stat().st_mode):
                return 0
            result = post_link(link.output)
        except FileNotFoundError:
            return 0  # the compiler's business
        except NotRelinkable as error:
            # an ordinary program: nobody's build shall fail for it
            print(f"hpool: {error} [{error.code}]", file=sys.stderr)
            return 0
        if room == ROOM_LARGE or len(result.covered) < result.room:
            return 0
        room = ROOM_LARGE


def _post_link_by_hand(programs: list[str]) -> int:
    from hpool.interpose_c.postlink import post_link

    status = 0
    for program in programs:
        try:
            result = post_link(Path(program))
            print(f"{program}: {len(result.covered)} system calls led past a gate, {len(result.left)} left")
        except NotRelinkable as error:
            print(f"hpool: {error} [{error.code}]", file=sys.stderr)
            status = 1
    return status
