"""The working directory every small program starts in.

Owns: what stands in it, byte for byte the same each time. Leaves to others:
when it is laid out (judge.py) and what a program does to it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

OLD_NS: Final = 1_577_934_245_678_901_234  # 2020-01-02: a time no clock of today gives
BIG_BYTES: Final = 3 * 1024 * 1024 + 17
HUGE_BYTES: Final = 50 * 1024 * 1024


def lay_out(directory: Path, extras: tuple[str, ...] = ()) -> None:
    """Fills an empty directory with the standard files and the named extras."""
    _files(directory)
    _directories(directory)
    _links(directory)
    for extra in extras:
        EXTRAS[extra](directory)
    _make_old(directory)


def random_bytes(length: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(length)


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    path.write_bytes(content)
    path.chmod(mode)


def _files(directory: Path) -> None:
    _write(directory / "small.txt", b"alpha\nbeta\ngamma\n")
    _write(directory / "lines.txt", b"".join(b"line %04d\n" % n for n in range(1000)))
    _write(directory / "empty", b"")
    _write(directory / "big.bin", random_bytes(BIG_BYTES, seed=1))
    _write(directory / "readonly.txt", b"look, do not touch\n", 0o444)
    _write(directory / "secret.txt", b"nobody reads this\n", 0o000)
    _write(directory / "script.sh", b'#!/bin/sh\necho "script: $0 $*"\n', 0o755)
    _write(directory / "notexec.sh", b"#!/bin/sh\necho no\n")
    with open(directory / "sparse.bin", "wb") as sparse:
        sparse.write(b"A" * 4096)
        sparse.seek(512 * 1024)
        sparse.write(b"B" * 4096)
        sparse.truncate(1024 * 1024)


def _directories(directory: Path) -> None:
    (directory / "dir/sub/deep").mkdir(parents=True)
    (directory / "tree/1/2/3").mkdir(parents=True)
    (directory / "emptydir").mkdir()
    for name in "abc":
        _write(directory / "dir" / name, f"file {name}\n".encode())
    _write(directory / "dir/sub/deep/leaf.txt", b"leaf\n")
    _write(directory / "tree/1/2/3/end", b"the end\n")
    odd = directory / "odd"
    odd.mkdir()
    for raw in (
        b"caf\xe9",
        b"\xff\xfe",
        b"sp ace",
        b"tab\tname",
        b"new\nline",
        "日本".encode(),
        b"-n",
        b"\\back",
    ):
        with open(os.fsencode(odd) + b"/" + raw, "wb") as file:
            file.write(raw)


def _links(directory: Path) -> None:
    for name, target in {
        "link": "small.txt",
        "dirlink": "dir",
        "chain1": "chain2",
        "chain2": "dirlink/../chain3",
        "chain3": "small.txt",
        "loop1": "loop2",
        "loop2": "loop1",
        "dangling": "nowhere",
    }.items():
        (directory / name).symlink_to(target)
    _write(directory / "hard1", b"one file\n")
    os.link(directory / "hard1", directory / "dir/hard2")


def _many(directory: Path) -> None:
    many = directory / "many"
    many.mkdir()
    for number in range(5000):
        (many / f"name-{number:05d}").write_bytes(b"" if number % 10 else b"%d\n" % number)


def _huge(directory: Path) -> None:
    block = random_bytes(1024 * 1024, seed=2)
    with open(directory / "huge.bin", "wb") as huge:
        for number in range(HUGE_BYTES // len(block)):
            huge.write(number.to_bytes(8, "little") + block[8:])


def _sources(directory: Path) -> None:
    project = directory / "project"
    project.mkdir()
    parts = [f"part{number}" for number in range(6)]
    for number, part in enumerate(parts):
        _write(project / f"{part}.c", f'#include "all.h"\nint {part}(void) {{ return {number}; }}\n'.encode())
    declarations = "".join(f"int {part}(void);\n" for part in parts)
    _write(project / "all.h", declarations.encode())
    calls = " + ".join(f"{part}()" for part in parts)
    _write(
        project / "main.c",
        f'#include <stdio.h>\n#include "all.h"\nint main(void) {{ printf("%d\\n", {calls}); }}\n'.encode(),
    )
    objects = " ".join(f"{part}.o" for part in ["main", *parts])
    _write(
        project / "Makefile",
        f"app: {objects}\n\tgcc -o $@ $^\n%.o: %.c all.h\n\tgcc -O1 -c -o $@ $<\n".encode(),
    )


def _ways_out(directory: Path) -> None:
    ways = directory / "ways_out"
    ways.mkdir()
    for number in range(24):
        (ways / str(number)).symlink_to("/tmp")
    (ways / "mounts").symlink_to("/proc/mounts")
    (ways / "status").symlink_to("/proc/self/status")


EXTRAS: Final[dict[str, Callable[[Path], None]]] = {
    "many": _many,
    "huge": _huge,
    "sources": _sources,
    "ways_out": _ways_out,
}


def _make_old(directory: Path) -> None:
    """Bottom up, so that no later change makes a directory young again."""
    raw = os.fsencode(directory)
    for parent, directories, files in os.walk(raw, topdown=False):
        for name in files + directories:
            os.utime(parent + b"/" + name, ns=(OLD_NS, OLD_NS), follow_symlinks=False)
    os.utime(raw, ns=(OLD_NS, OLD_NS))
