"""Jobs with their engine, dumped in one starter and restored in another.

Owns: that home, mirror, channel and shim of the new one fit what the job remembers. Leaves to others: kinds
of kernel objects (tests/interpose_c/checkpoint), the undo journal (tests/shadow).
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from hpool.interpose_c.executables import KEEPER
from hpool.shadow.home import epochs

HERE: Final = Path(__file__).parent
NOBODY: Final = 65534
PYTHON: Final = "/usr/bin/python3"


class Carried:
    """One job over all its lives, its directory at home, and what it said."""

    def __init__(self, top: Path) -> None:
        self.directory = top / "home"
        self.journal = top / "journal"
        self.image = top / "image"
        for place in (self.directory, self.journal, self.image):
            place.mkdir()
        self.out = bytearray()
        self.epoch = 0
        self._argv: tuple[str, ...] = ()
        self._read_fd, self._write_fd = os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._process: subprocess.Popen[bytes] | None = None
        self._reports: Any = None

    def _read(self) -> None:
        while piece := os.read(self._read_fd, 1 << 16):
            self.out += piece

    def start(self, *argv: str, restore: bool = False) -> None:
        outside = [NOBODY, NOBODY] if os.geteuid() == 0 else [os.geteuid(), os.getegid()]
        if not restore:
            self._argv = argv
            for name in ("meta", "pages"):
                (self.image / name).touch()
        if os.geteuid() == 0:
            for path in (self.directory, self.journal, *self.directory.rglob("*"), *self.image.iterdir()):
                os.chown(path, NOBODY, NOBODY)
        reports, report = os.pipe()
        null = os.open("/dev/null", os.O_RDONLY)
        config = {
            "outside": outside,
            "directory": str(self.directory),
            "journal": str(self.journal),
            "image": {name: str(self.image / name) for name in ("meta", "pages")},
            "report": report,
            "stdin": null,
            "argv": self._argv,
            "restore": restore,
            "epoch": self.epoch,
        }
        self._process = subprocess.Popen(
            [sys.executable, HERE / "carried_starter.py", json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=self._write_fd,
            stderr=self._write_fd,
            pass_fds=[report, null],
        )
        os.close(report)
        os.close(null)
        self._reports = os.fdopen(reports)
        said = self._await("Started", "Failed", "NoneType")
        assert said[0] == "Started", (said, self.out.decode())

    def _await(self, *words: str) -> list[Any]:
        for line in self._reports:
            said: list[Any] = json.loads(line)
            if said[0] in words:
                return said
        raise AssertionError(f"the starter ended without any of {words}: {self.out.decode()}")

    def await_output(self, text: str) -> None:
        """Until the job has written so; fails when the starter ends before."""
        assert self._process is not None
        while text.encode() not in self.out:
            assert self._process.poll() is None, self.out.decode()
            self._reader.join(0.002)

    def dump(self, *, kill: bool) -> int:
        """The epoch that it belongs to."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(b"kill\n" if kill else b"stay\n")
        self._process.stdin.flush()
        said = self._await("dumped", "refused", "end")
        assert said[0] == "dumped", said
        self.epoch = said[1]
        if kill:
            assert self._await("end")
            self._process.wait()
        return self.epoch

    def lose(self) -> None:
        """The machine is gone, from one moment to the next."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def restore(self) -> None:
        self.start(restore=True)

    def end(self) -> int:
        """Its exit code; all it wrote is at home."""
        said = self._await("end")
        assert said[2:] == [0, ""], said
        assert self._process is not None
        self._process.wait()
        os.close(self._write_fd)
        self._reader.join(60)
        return int(said[1])


@pytest.fixture
def carried() -> Iterator[Carried]:
    if not KEEPER.exists() or not Path("/proc/sys/kernel/ns_last_pid").exists():
        pytest.skip("no hpool-keeper, or a kernel without CONFIG_CHECKPOINT_RESTORE")
    with tempfile.TemporaryDirectory(dir="/var") as top:
        Path(top).chmod(0o755)
        yield Carried(Path(top))


OPEN_FILES = """
import os, time
data = open("data", "w+")
data.write("begun\\n"); data.flush()
log = open("log", "a")
given = open("given")
first = given.readline()
gone = open("gone", "w+")
gone.write("still here"); gone.flush(); os.unlink("gone")
here = os.open(".", os.O_RDONLY)
print("ready", flush=True)
while not os.path.exists("go"):
    time.sleep(0.01)
data.write("went on\\n"); data.seek(0)
log.write("one line\\n"); log.close()
gone.seek(0)
exe = os.path.basename(os.readlink("/proc/self/exe"))
print(first + given.readline() + data.read() + gone.read(), exe[:7], flush=True)
data.close()
with open("new", "w") as new:
    new.write("new")
os.rename("new", "newer")
print(sorted(os.listdir(here)), os.path.getsize("given"), flush=True)
"""


def test_what_was_open_goes_on_in_another_mirror(carried: Carried) -> None:
    (carried.directory / "given").write_text("a first line\nand a second\n")
    (carried.directory / "program.py").write_text(OPEN_FILES)
    carried.start(PYTHON, "program.py")
    carried.await_output("ready")
    assert carried.dump(kill=True) == 1
    assert (carried.directory / "data").read_text() == "begun\n"
    carried.restore()
    (carried.directory / "go").touch()
    assert carried.end() == 0
    assert (carried.directory / "data").read_text() == "begun\nwent on\n"
    assert (carried.directory / "log").read_text() == "one line\n"
    assert (carried.directory / "newer").read_text() == "new"
    said = carried.out.decode()
    assert "a first line\nand a second\nbegun\nwent on\nstill here python3" in said
    assert "['data', 'given', 'go', 'log', 'newer', 'program.py'] 26" in said


BUSY = """
import hashlib, mmap, os, sqlite3, subprocess, sys, threading, time
SIZE = 40 << 20
big = open("big", "r+b")
view = mmap.mmap(big.fileno(), 1 << 20)
base = sqlite3.connect("base.db", check_same_thread=False)
base.execute("create table if not exists t (n integer primary key)")
base.commit()
loose = os.open(".", os.O_TMPFILE | os.O_RDWR)
os.write(loose, b"without a name")
loop = "i=0; while read line; do i=$((i+1)); echo $i $line >> lines; done"
child = subprocess.Popen(["/bin/sh", "-c", loop], stdin=subprocess.PIPE)
rounds = int(sys.argv[1])
def stats():
    for n in range(rounds * 200):
        os.stat("big"); os.path.exists(f"absent{n}"); os.access("base.db", os.R_OK)
threads = [threading.Thread(target=stats) for _ in range(3)]
for each in threads: each.start()
sums = []
for n in range(rounds):
    big.seek(n * SIZE // rounds)
    sums.append(hashlib.sha256(big.read(SIZE // rounds)).hexdigest())
    view[n] = n % 251
    base.execute("insert into t values (?)", (n,)); base.commit()
    child.stdin.write(b"line %d\\n" % n); child.stdin.flush()
    with open(f"made{n % 7}", "w") as made: made.write(str(n))
    os.rename(f"made{n % 7}", "made")
    print("round", n, flush=True)
    while n == rounds - 2 and not os.path.exists("finish"):
        time.sleep(0.01)
for each in threads: each.join()
child.stdin.close(); child.wait(); view.flush()
counted = base.execute("select count(*), sum(n) from t").fetchone()
print(hashlib.sha256("".join(sums).encode()).hexdigest(), counted,
      os.pread(loose, 100, 0), open("made").read(), os.path.getsize("lines"), flush=True)
"""
ROUNDS: Final = 60


def _prepare_busy(carried: Carried) -> str:
    """What the job says in the end."""
    content = bytes(range(256)) * ((40 << 20) // 256)
    content = b"".join(hashlib.sha256(content[:64] + bytes([n % 256])).digest() * 2048 for n in range(640))
    (carried.directory / "big").write_bytes(content)
    (carried.directory / "program.py").write_text(BUSY)
    piece = len(content) // ROUNDS
    told = "".join(
        hashlib.sha256(content[n * len(content) // ROUNDS :][:piece]).hexdigest() for n in range(ROUNDS)
    )
    lines = "".join(f"{n + 1} line {n}\n" for n in range(ROUNDS))
    last = hashlib.sha256(told.encode()).hexdigest()
    return f"{last} ({ROUNDS}, {ROUNDS * (ROUNDS - 1) // 2}) b'without a name' {ROUNDS - 1} {len(lines)}"


def _check_busy(carried: Carried, said: str) -> None:
    out = carried.out.decode()
    assert said in out
    lines = (carried.directory / "lines").read_text().splitlines()
    assert lines == [f"{n + 1} line {n}" for n in range(ROUNDS)]
    with sqlite3.connect(carried.directory / "base.db") as base:
        assert base.execute("pragma integrity_check").fetchone() == ("ok",)
        assert base.execute("select count(*) from t").fetchone() == (ROUNDS,)
    assert (carried.directory / "made").read_text() == str(ROUNDS - 1)
    assert (carried.directory / "big").read_bytes()[:ROUNDS] == bytes(n % 251 for n in range(ROUNDS))


def test_a_job_in_the_middle_of_everything_moves_again_and_again(carried: Carried) -> None:
    said = _prepare_busy(carried)
    carried.start(PYTHON, "program.py", str(ROUNDS))
    for n in (3, 17, 33, 50):
        carried.await_output(f"round {n}\n")
        carried.dump(kill=True)
        carried.restore()
    (carried.directory / "finish").touch()
    assert carried.end() == 0
    _check_busy(carried, said)


def test_what_came_after_the_last_epoch_is_undone_when_the_machine_is_lost(carried: Carried) -> None:
    said = _prepare_busy(carried)
    carried.start(PYTHON, "program.py", str(ROUNDS))
    for n in (10, 25):
        carried.await_output(f"round {n}\n")
        epoch = carried.dump(kill=False)
        carried.await_output(f"round {n + 9}\n")
        carried.lose()
        outcome = epochs.roll_back(carried.journal, epoch)
        assert outcome.is_whole and outcome.is_changed, outcome.sentence
        carried.restore()
    (carried.directory / "finish").touch()
    assert carried.end() == 0
    _check_busy(carried, said)
