"""Plain Linux is the judge: one run natively, one under hpool, everything compared.

Owns: the working directory between runs, what a run left (output, exit code,
tree of files) and the comparison. Leaves to others: what is run (manifest),
and where (pool.py's homes).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from integration.manifest import Program

DIED = b"hpool: the job died of "
RECENT_S = 3600.0  # a younger mtime came from a clock, an older one was set on purpose


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. `code` as a shell shows it: 128 + signal when killed."""

    code: int
    stdout: bytes
    stderr: bytes
    seconds: float = field(default=0.0, compare=False)


class Home(Protocol):
    """Where a submitter's commands run; pool.py has two kinds."""

    def outside(self, path: str) -> Path:
        """How this process reaches a path of the submitter's."""

    def run(
        self, argv: list[str], cwd: str, *, env: dict[str, str], stdin: bytes | None, timeout_s: float
    ) -> Ended: ...

    def hpool(self, argv: list[str], *options: str) -> list[str]:
        """The command line that runs `argv` as a job."""

    def own(self, directory: str) -> None:
        """Gives everything below to the submitter."""

    @property
    def env(self) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True)
class Leaf:
    """What is at one name. `mtime_ns` is None when it came from the clock."""

    kind: str
    mode: int
    size: int
    content: str
    names: int
    mtime_ns: int | None
    xattrs: tuple[tuple[str, bytes], ...] = ()


def snapshot(top: Path) -> dict[bytes, Leaf]:
    """Every name below `top`, with hard links as groups of equal `content` labels."""
    root, found, first_name = os.fsencode(top), dict[bytes, Leaf](), dict[int, bytes]()
    for parent, directories, files in os.walk(root):
        for name in sorted(directories + files):
            path = parent + b"/" + name
            found[path[len(root) + 1 :]] = _leaf(path, first_name, root)
    return found


def _leaf(path: bytes, first_name: dict[int, bytes], root: bytes) -> Leaf:
    st = os.lstat(path)
    kind = stat.filemode(st.st_mode)[0]
    content, size = "", st.st_size
    if stat.S_ISLNK(st.st_mode):
        content = repr(os.readlink(path))
    elif stat.S_ISREG(st.st_mode):
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        if st.st_nlink > 1:
            content += f" with {first_name.setdefault(st.st_ino, path[len(root) + 1 :])!r}"
    else:
        size = 0  # of a directory: how a file system counts it is its own affair
    old = abs(time.time() - st.st_mtime) > RECENT_S
    names = 0 if kind == "d" else st.st_nlink
    return Leaf(
        kind, stat.S_IMODE(st.st_mode), size, content, names, st.st_mtime_ns if old else None, _xattrs(path)
    )


def _xattrs(path: bytes) -> tuple[tuple[str, bytes], ...]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return ()
    return tuple(
        (n, os.getxattr(path, n, follow_symlinks=False)) for n in sorted(names) if n.startswith("user.")
    )


def differences(
    expected: Ended, got: Ended, tree: dict[bytes, Leaf], got_tree: dict[bytes, Leaf]
) -> list[str]:
    """What of `got` is not as `expected`, one line each; empty: a job cannot tell it is away."""
    lines = []
    if expected.code != got.code:
        lines.append(f"exit code: expected {expected.code}, got {got.code}")
    lines += _text_differences("stdout", expected.stdout, got.stdout)
    lines += _text_differences("stderr", expected.stderr, got.stderr)
    for name in sorted(tree.keys() | got_tree.keys()):
        here, there = tree.get(name), got_tree.get(name)
        if here is None or there is None:
            lines.append(f"{name!r}: {'missing' if there is None else 'should not be there'}")
        elif here != there:
            fields = [f for f in Leaf.__slots__ if getattr(here, f) != getattr(there, f)]
            lines += [
                f"{name!r} {f}: expected {getattr(here, f)!r}, got {getattr(there, f)!r}" for f in fields
            ]
    return lines


def _text_differences(what: str, expected: bytes, got: bytes) -> list[str]:
    if expected == got:
        return []
    here, there = expected.split(b"\n"), got.split(b"\n")
    lines = [
        f"{what} line {number}: expected {a[:200]!r}, got {b[:200]!r}"
        for number, (a, b) in enumerate(zip(here, there, strict=False), 1)
        if a != b
    ]
    if len(here) != len(there):
        lines.append(f"{what}: expected {len(here)} lines, got {len(there)}")
    return lines[:12]


def lay_out(home: Home, directory: str, fill: Callable[[Path], None]) -> None:
    """An empty directory at the same path each time, filled and given to the submitter."""
    place = home.outside(directory)
    if place.exists():
        _remove(place)
    place.mkdir(parents=True)
    fill(place)
    home.own(directory)


def _remove(place: Path) -> None:
    try:
        shutil.rmtree(place)
    except OSError:  # deeper than names can tell, or directories without permissions
        os.system(f"chmod -R u+rwX {place} 2>/dev/null; rm -rf {place}")


def run_both(
    home: Home, program: Program, programs_dir: str, directory: str, *, intercept: str | None = None
) -> list[str]:
    """Runs one program natively and as a job, with this front end (None: the pool's); the differences."""
    argv, env = program.argv(programs_dir), home.env | dict(program.env)

    def once(command: list[str]) -> tuple[Ended, dict[bytes, Leaf]]:
        lay_out(home, directory, program.fill)
        ended = home.run(command, directory, env=env, stdin=program.stdin, timeout_s=program.timeout_s)
        return ended, snapshot(home.outside(directory))

    expected, tree = once(argv)
    options = () if intercept is None else ("--intercept", intercept)
    got, got_tree = once(home.hpool(argv, *options))
    if got.code > 128:  # hpool says so; a shell would have, too
        said = b"".join(line for line in got.stderr.splitlines(True) if not line.startswith(DIED))
        got = replace(got, stderr=said)
    return differences(expected, got, tree, got_tree)


SENTENCE = re.compile(rb"^hpool: [^\n]{20,300}\[[A-Z]+-\d{3}\]$", re.MULTILINE)


def says_one_sentence(ended: Ended, code: int) -> None:
    found = SENTENCE.findall(ended.stderr)
    assert (ended.code, len(found)) == (code, 1), ended
    assert b"Traceback" not in ended.stderr
