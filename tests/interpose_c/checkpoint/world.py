"""A job that can be dumped, killed and restored, without home around it: starter.py plays its starter.

Owns: how a test starts a job, dumps it, goes on from the image. Leaves to others: what is run, what is
expected.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
NOBODY: Final = 65534
SOMEBODY: Final = 1234
USERNS: Final = ROOT / "interpose_c" / "csrc" / "keeper" / "userns.c"
TIMEOUT_S: Final = 60.0


class Refused(Exception):
    """The dumper would not, and said why."""


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    signal: int
    out: str


@dataclass
class World:
    """One job over all its lives. It knows `place` as /work; the image lies in memory."""

    userns: Path
    loader: Path
    place: Path
    image: Path
    lazy_bytes: int | None = None  # from so much on memory follows when it is restored; None: all comes first
    ordinary: bool = False  # started by an ordinary user; else by whoever tests
    memory_bytes: int | None = None  # at most, of all processes
    descriptors: int | None = None  # at most, of each process; None: as many as whoever tests may have
    frozen_us: list[int] = field(default_factory=list)
    stopped_us: list[int] = field(default_factory=list)  # before that, while memory was copied live
    started_us: list[int] = field(default_factory=list)  # from the keeper's launch until all of it runs
    _old: str = ""
    _out: bytearray = field(default_factory=bytearray)
    _process: subprocess.Popen[bytes] | None = None
    _reports: Any = None
    _argv: Sequence[str] = ()
    _ends: tuple[int, int] = (-1, -1)
    _reader: threading.Thread | None = None

    def start(self, *argv: str) -> None:
        self._argv = argv
        for name in ("meta", "pages"):
            (self.image / name).touch()
        self._ends = os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._launch(restore=False)

    def _read(self) -> None:
        while piece := os.read(self._ends[0], 1 << 16):
            self._out += piece

    def _launch(self, *, restore: bool) -> None:
        become = self.ordinary and os.geteuid() == 0
        outside = [SOMEBODY if become else NOBODY] * 2 if os.geteuid() == 0 else [os.geteuid(), os.getegid()]
        reports, report = os.pipe()
        null = os.open("/dev/null", os.O_RDONLY)
        config = {
            "userns": str(self.userns),
            "loader": str(self.loader),
            "outside": outside,
            "become": become,
            "work": str(self.place),
            "report": report,
            "argv": self._argv,
            "restore": restore,
            "lazy_bytes": self.lazy_bytes,
            "descriptors": self.descriptors,
            "memory_bytes": self.memory_bytes,
            "image": {name: str(self.image / name) for name in ("meta", "pages")},
            "from": {name: str(self.image / f"{name}{self._old}") for name in ("meta", "pages")},
            "stdin": null,
        }
        self._process = subprocess.Popen(
            [sys.executable, HERE / "starter.py", json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=self._ends[1],
            stderr=self._ends[1],
            pass_fds=[report, null],
        )
        os.close(report)
        os.close(null)
        self._reports = os.fdopen(reports)
        said = self._await("Started", "Failed", "NoneType")
        assert said[0] == "Started", (said, self._out.decode())
        self.started_us.append(said[2])

    def _await(self, *words: str) -> list[Any]:
        for line in self._reports:
            said: list[Any] = json.loads(line)
            if said[0] in words:
                return said
        raise AssertionError(f"the starter ended without any of {words}: {self._out.decode()}")

    @property
    def output(self) -> bytes:
        return bytes(self._out)

    def await_output(self, text: str) -> None:
        """Until the job has written so."""
        assert self._reader is not None
        while text.encode() not in self._out and self._process is not None and self._process.poll() is None:
            self._reader.join(0.002)

    def dump(self, *, kill: bool = True, live: bool = True) -> None:
        """Writes the job's image; with `kill` that is its end. `live`: much memory is copied while it runs.
        Raises Refused."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write((b"kill" if kill else b"stay") + (b"\n" if live else b" plain\n"))
        self._process.stdin.flush()
        said = self._await("dumped", "refused", "end")
        if said[0] == "refused":
            raise Refused(said[1])
        assert said[0] == "dumped", said
        self.frozen_us.append(said[1])
        self.stopped_us.append(said[3])
        if kill:
            self._close()

    def stand_still(self, for_s: float) -> tuple[str, int]:
        """Then it goes on. Letters of proc(5) for its threads meanwhile; microseconds to stop them."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(b"still %.6f\n" % for_s)
        self._process.stdin.flush()
        said = self._await("stood", "end")
        assert said[0] == "stood", said
        return said[1], said[2]

    def crash(self, after_s: float) -> str:
        """A dump whose dumper is killed so soon; what came of it."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(b"crash %.6f\n" % after_s)
        self._process.stdin.flush()
        return str(self._await("dumped", "refused")[0])

    def restore(self) -> None:
        if self.lazy_bytes is not None:  # the image is needed still when the next is written
            self._old = ".old"
            for name in ("meta", "pages"):
                (self.image / name).rename(self.image / f"{name}{self._old}")
                (self.image / name).touch()
        self._launch(restore=True)

    def await_memory(self) -> int:
        """Microseconds from the keeper's launch until all of a restored job's is there."""
        return int(self._await("Restored")[2])

    def process_called(self, name: str) -> int:
        """The number of one of its processes, the keeper's included."""
        assert self._process is not None
        below = {self._process.pid}
        for stat in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda path: int(path.parent.name)):
            with contextlib.suppress(OSError):
                word, _, rest = stat.read_text().partition("(")[2].rpartition(")")
                pid = int(stat.parent.name)
                if int(rest.split()[1]) in below:
                    below.add(pid)
                    if word == name:
                        return pid
        raise AssertionError(f"there is no {name}")

    def lost(self) -> bool:
        """It has ended as if its machine had died: nobody says how. Else it ends in a way of its own."""
        said = self._await("NoneType", "end")
        self._close()
        return bool(said[0] == "NoneType")

    def end(self) -> Ended:
        said = self._await("end")
        self._close()
        os.close(self._ends[1])
        assert self._reader is not None
        self._reader.join(TIMEOUT_S)
        os.close(self._ends[0])
        return Ended(said[1], said[2], self._out.decode())

    def _close(self) -> None:
        assert self._process is not None and self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(TIMEOUT_S)
        self._reports.close()


def memory_directory() -> Iterator[Path]:
    """A directory in memory: where a starter keeps a raw image."""
    with tempfile.TemporaryDirectory(prefix="hpool-image-", dir="/dev/shm") as name:
        yield Path(name)
