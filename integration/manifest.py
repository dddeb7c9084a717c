"""The small programs: which there are and what each wants around it.

Owns: reading the directives in a program's first comment (`args:`, `stdin:`,
`env:`, `prepare:`, `link:`, `timeout:`, `fronts:`) and compiling the C ones, with any
compiler. Leaves to others: running them (judge.py).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from integration import fixture

PROGRAMS_DIR: Final = Path(__file__).parent / "programs"
# A real interpreter binary; `python3` may be a wrapper.
PYTHON: Final = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else os.path.realpath(sys.executable)
COMPILED: Final = (".c", ".cc")
HELPERS: Final = ("say.py",)
FRONTS: Final = ("auto", "shim", "trace")
DIRECTIVE: Final = re.compile(
    r"^(?: \*|#|)\s*(args|stdin|env|prepare|link|timeout|fronts):(.*)$", re.MULTILINE
)
FIRST_COMMENT: Final = re.compile(r'/\*.*?\*/|""".*?"""|(?:^#.*\n)+', re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """How the C and C++ programs become executables: compilers' commands and what is said to it besides."""

    name: str
    command: tuple[str, ...] = ("gcc",)
    flags: tuple[str, ...] = ()
    cxx: tuple[str, ...] = ("g++",)

    @property
    def plain(self) -> Toolchain:
        """The same without hpool."""
        return STATIC if "-static" in self.flags else DYNAMIC


HPOOL_CC: Final = (f"{sys.prefix}/bin/hpool", "cc")
HPOOL_CXX: Final = (f"{sys.prefix}/bin/hpool", "c++")
DYNAMIC: Final = Toolchain("dynamic")
STATIC: Final = Toolchain("static", flags=("-static",))
RELINKED: Final = Toolchain("relinked", HPOOL_CC, (), HPOOL_CXX)
RELINKED_STATIC: Final = Toolchain("relinked-static", HPOOL_CC, ("-static",), HPOOL_CXX)


@dataclass(frozen=True, slots=True)
class Program:
    """One behaviour. `stdin` None: it gets /dev/null. `fronts`: the values of --intercept that serve it."""

    source: Path
    about: str
    args: tuple[str, ...] = ()
    stdin: bytes | None = None
    env: tuple[tuple[str, str], ...] = ()
    extras: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    timeout_s: float = 60.0
    fronts: tuple[str, ...] = FRONTS

    @property
    def name(self) -> str:
        return self.source.stem

    def fill(self, directory: Path) -> None:
        """Lays out what the program finds."""
        fixture.lay_out(directory, self.extras)

    def argv(self, directory: str) -> list[str]:
        """How it is started when the built programs are in `directory`."""
        match self.source.suffix:
            case ".c" | ".cc":
                return [f"{directory}/{self.name}", *self.args]
            case ".py":
                return [PYTHON, f"{directory}/{self.source.name}", *self.args]
            case _:
                return [f"{directory}/{self.source.name}", *self.args]


def read(source: Path) -> Program:
    """A program with its directives; ValueError for a directive that cannot be read."""
    found = FIRST_COMMENT.search(source.read_text())
    comment = found.group(0) if found else ""
    words: dict[str, list[str]] = {}
    for key, value in DIRECTIVE.findall(comment):
        words.setdefault(key, []).append(value.removeprefix(" "))
    texts = (line.strip('/*"# ') for line in comment.splitlines() if not line.startswith("#!"))
    about = next((text for text in texts if text), "")
    stdin = words.get("stdin")
    variables = (_unescape(line).partition("=") for line in words.get("env", []))
    return Program(
        source=source,
        about=about,
        args=tuple(shlex.split(" ".join(words.get("args", [])))),
        stdin=_unescape(stdin[0]).encode() if stdin else None,
        env=tuple((name, value) for name, _, value in variables),
        extras=tuple(" ".join(words.get("prepare", [])).split()),
        link=tuple(" ".join(words.get("link", [])).split()),
        timeout_s=float(words.get("timeout", ["60"])[0]),
        fronts=tuple(" ".join(words.get("fronts", FRONTS)).split()),
    )


def _unescape(text: str) -> str:
    return text.replace("\\n", "\n")


def all_programs() -> list[Program]:
    sources = [path for pattern in ("*.c", "*.cc", "*.py", "*.sh") for path in PROGRAMS_DIR.glob(pattern)]
    return sorted(
        (read(path) for path in sources if path.name not in HELPERS), key=lambda program: program.name
    )


def build(programs: list[Program], directory: Path, toolchain: Toolchain = DYNAMIC) -> None:
    """Compiles or copies every program into `directory`, world-readable, two at a time."""
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROGRAMS_DIR / "say.py", directory)
    waiting = [program for program in programs if program.source.suffix in COMPILED]
    running: list[tuple[Program, subprocess.Popen[bytes]]] = []
    while waiting or running:
        while waiting and len(running) < 2:
            program = waiting.pop()
            running.append((program, subprocess.Popen(_compile(program, directory, toolchain))))
        program, compiler = running.pop(0)
        if compiler.wait() != 0:
            raise RuntimeError(f"{program.source} does not compile")
    for program in programs:
        if program.source.suffix not in COMPILED:
            shutil.copy(program.source, directory)
            (directory / program.source.name).chmod(0o755)


class Submitter(Protocol):
    """Of judge.Home, what building needs."""

    @property
    def directory(self) -> str: ...

    def outside(self, path: str) -> Path: ...

    def own(self, directory: str) -> None: ...


def built(home: Submitter, toolchain: Toolchain = DYNAMIC) -> str:
    """The submitter's directory of all programs made with `toolchain`; builds at the first call."""
    directory = f"{home.directory}/programs" + ("" if toolchain == DYNAMIC else f"-{toolchain.name}")
    if not home.outside(directory).exists():
        unfinished = home.outside(f"{directory}.making")
        build(all_programs(), unfinished, toolchain)
        unfinished.rename(home.outside(directory))
        home.own(directory)
    return directory


def _compile(program: Program, directory: Path, toolchain: Toolchain) -> list[str]:
    flags = ["-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-result"]
    return [
        *(toolchain.command if program.source.suffix == ".c" else toolchain.cxx),
        *flags,
        *toolchain.flags,
        "-o",
        str(directory / program.name),
        str(program.source),
        "-pthread",
        *program.link,
    ]
