"""The work that remote.py measures: what lies at home, the command, and how large.

Owns: the list, and its sizes. Leaves to others: where it runs and how long that takes. Every command runs in
the directory that was filled for it, and finds there all that rivals have to carry; the programs themselves
are installed where rivals run, and come from home where hpool does.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from integration import fixture

WORKER: Final = "../worker"  # beside the working directory: worker.c
PYTHON: Final = "/usr/bin/python3"
IMPORTS: Final = (
    "import json, re, subprocess, threading, email, http.client, sqlite3, decimal, unittest, asyncio"
)
NOT_NEEDED: Final = shutil.ignore_patterns("test", "tests", "config-3*", "idlelib", "lib2to3", "*-packages")


@dataclass(frozen=True)
class Size:
    """How much of everything. `TOY` is for tests: it shows that all works, not how fast."""

    megabytes: int = 256
    reads: int = 1000
    found: int = 5000
    searched: int = 2000
    transactions: int = 200
    written: int = 1000
    compiled: int = 20

    def times(self, files: int, bytes_: int) -> Size:
        """How cost grows."""
        counts = (self.found, self.searched, self.transactions, self.written, self.compiled)
        return Size(self.megabytes * bytes_, self.reads, *(count * files for count in counts))


TOY: Final = Size(megabytes=4, reads=20, found=60, searched=30, transactions=5, written=10, compiled=2)


@dataclass(frozen=True)
class Work:
    """`aims_s`: by added round trip in ms, at full size. `warm_aims_s`: with the memory of a former run."""

    name: str
    argv: Callable[[Size], list[str]]
    fill: Callable[[Path, Size], None]
    aims_s: dict[int, float]
    warm_aims_s: dict[int, float] | None = None
    repeats: bool = False
    """A second run over what the first has left is the same work."""
    env: tuple[tuple[str, str], ...] = ()
    """{here} in a value is the working directory."""
    options: tuple[str, ...] = ()
    """Of `hpool run`."""


def nothing(_place: Path, _size: Size) -> None:
    """Needs no files."""


def large(place: Path, size: Size) -> None:
    block = fixture.random_bytes(1 << 20, seed=3)
    with open(place / "large", "wb") as file:
        for number in range(size.megabytes):
            file.write(number.to_bytes(8, "little") + block[8:])


def library(place: Path, _size: Size) -> None:
    asked = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    stdlib = subprocess.run(
        [PYTHON, "-I", "-c", asked], check=True, capture_output=True, text=True
    ).stdout.strip()
    shutil.copytree(
        stdlib, place / "lib" / Path(stdlib).name, ignore=NOT_NEEDED, ignore_dangling_symlinks=True
    )


def tree(place: Path, size: Size) -> None:
    for number in range(size.found):
        directory = place / f"d{number % 50}/e{number % 7}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"f{number}").write_bytes(b"x")


def texts(place: Path, size: Size) -> None:
    words = random.Random(5)
    line = b"%016x some words that nobody looks for, %08x\n"
    for number in range(size.searched):
        directory = place / f"s{number % 40}"
        directory.mkdir(exist_ok=True)
        lines = [
            line % (words.getrandbits(64), words.getrandbits(32)) for _ in range(words.randrange(20, 110))
        ]
        if number % 100 == 7:
            lines.append(b"here is the needle\n")
        (directory / f"t{number}").write_bytes(b"".join(lines))


def inserts(place: Path, size: Size) -> None:
    lines = ["create table t (n integer primary key, v text);"]
    lines += [f"insert into t values ({n}, 'value {n * n}');" for n in range(size.transactions)]
    (place / "inserts.sql").write_text("\n".join(lines) + "\n")


def sources(place: Path, size: Size) -> None:
    for number in range(size.compiled):
        text = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <errno.h>\n"
        text += f"int f{number}(const char *s)\n{{\n\tchar *e;\n\tlong n = strtol(s, &e, 10);\n"
        text += f'\tif (errno || *e)\n\t\tfprintf(stderr, "bad %s\\n", s);\n\treturn (int)n + {number};\n}}\n'
        (place / f"c{number}.c").write_text(text)


WORK: Final = {
    work.name: work
    for work in (
        Work("read", lambda _: [WORKER, "read", "large"], large, {10: 1.4, 1: 0.6, 0: 0.40}, repeats=True),
        Work(
            "write",
            lambda size: [WORKER, "write", "out", str(size.megabytes)],
            nothing,
            {10: 1.6, 1: 0.75, 0: 0.60},
        ),
        Work(
            "random",
            lambda size: [WORKER, "random", "large", str(size.reads)],
            large,
            {10: 1.5, 1: 0.6, 0: 0.13},
            repeats=True,
        ),
        Work(
            "python",
            lambda _: [PYTHON, "-c", IMPORTS],
            library,
            {10: 1.2, 1: 0.45, 0: 0.25},
            {10: 0.45, 1: 0.30, 0: 0.25},
            repeats=True,
            env=(("PYTHONHOME", "{here}"),),
        ),
        Work(
            "find",
            lambda _: ["/usr/bin/find", ".", "-type", "f", "-size", "+0", "-name", "*7"],
            tree,
            {10: 0.20, 1: 0.07, 0: 0.05},
            repeats=True,
        ),
        Work(
            "grep",
            lambda _: ["/bin/grep", "-r", "needle", "."],
            texts,
            {10: 0.30, 1: 0.12, 0: 0.10},
            repeats=True,
        ),
        Work(
            "sqlite",
            lambda _: ["/usr/bin/sqlite3", "db", ".read inserts.sql"],
            inserts,
            {10: 0.15, 1: 0.10, 0: 0.10},
        ),
        Work(
            "sqlite strict",
            lambda _: ["/usr/bin/sqlite3", "db", ".read inserts.sql"],
            inserts,
            {10: 8.3, 1: 1.1, 0: 0.12},
            options=("--sync", "strict"),
        ),
        Work(
            "small",
            lambda size: [WORKER, "small", ".", str(size.written)],
            nothing,
            {10: 0.30, 1: 0.10, 0: 0.08},
        ),
        Work(
            "compile",
            lambda size: ["/bin/sh", "-c", "for n in c*.c; do gcc -O1 -c $n || exit 1; done"],
            sources,
            {10: 1.0, 1: 0.80, 0: 0.75},
        ),
    )
}
