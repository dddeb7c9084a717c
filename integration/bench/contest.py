"""One pool, one far machine, one round-trip time: a piece of work done there in every way.

Owns: the order of things, what each way remembers from one run to the next, comparing with the native run.
Leaves to others: the work (work), the wire (wire), sshfs and staging (rivals), tables (remote).

hpool's seconds are the job's: from its arrival at the machine, program and libraries fetched, to home having
every byte. Submitting and matching come on top (`overhead`), as mounting does with sshfs.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from integration.bench import rivals
from integration.bench.wire import SlowWire
from integration.bench.work import Size, Work
from integration.judge import Leaf, lay_out, snapshot
from integration.pool import StrictPool
from integration.rooms import Room, wait_until

HERE: Final = Path(__file__).parent
CACHE: Final = ".cache/hpool/executables"
STATS: Final = re.compile(
    rb"hpool: ([\d.]+) s on \w+, ([\d.]+) s before it, ([\d.]+) s after it: .*?; (\d+) round trips?;"
)
NATIVE_LIMIT_S: Final = 600.0


@dataclass(frozen=True)
class Run:
    """`seconds` None: it took longer than anybody waits."""

    seconds: float | None
    round_trips: int | None = None
    complaint: str = ""


@dataclass
class Row:
    work: Work
    runs: dict[str, Run] = field(default_factory=dict)

    def seconds(self, way: str) -> float | None:
        return self.runs[way].seconds if way in self.runs else None


@dataclass(frozen=True)
class Left:
    """What a run printed and left: the same wherever it was done."""

    code: int
    out: bytes
    tree: dict[bytes, Leaf]

    def differs(self, other: Left) -> str:
        if self.code != other.code:
            return f"code {other.code}"
        if self.out != other.out:
            return "output differs"
        names = [name for name in self.tree.keys() | other.tree.keys() if self._at(name) != other._at(name)]
        return f"{len(names)} files differ, e.g. {sorted(names)[0]!r}" if names else ""

    def _at(self, name: bytes) -> tuple[object, ...] | None:
        leaf = self.tree.get(name)
        return None if leaf is None else (leaf.kind, leaf.size, leaf.content)


class Contest:
    """One pool, one far machine, one round-trip time. `bytes_per_s`: what the wire carries; 0: all it can."""

    def __init__(
        self,
        round_trip_ms: float,
        size: Size,
        *,
        rounds: int,
        patience_s: float,
        with_rivals: bool,
        bytes_per_s: float = 0,
    ) -> None:
        self.round_trip_ms, self.size, self.rounds, self.patience_s = round_trip_ms, size, rounds, patience_s
        self.bytes_per_s = bytes_per_s
        self._wires: list[SlowWire] = []

        def lay_wire(one: Room, two: Room, network: str) -> tuple[str, str]:
            self._wires.append(SlowWire(one, two, network, round_trip_ms, bytes_per_s=bytes_per_s))
            return self._wires[-1].addresses

        self.pool = StrictPool(wire=lay_wire, home_bytes=16 << 30)
        self.home = self.pool.home
        self._given: set[Path] = set()
        program = worker()
        shutil.copy(program, self.home.outside(f"{self.home.directory}/worker"))
        self.far: rivals.Far | None = None
        if with_rivals:
            network = f"10.232.{self.pool.number}"
            self.far = rivals.Far(self.pool.room, program, network, round_trip_ms, bytes_per_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.far is not None:
            self.far.close()
        self.pool.close()
        for wire in self._wires:
            wire.close()

    def wire(self) -> str:
        four_seconds = round(4e-6 * self.bytes_per_s)
        return str(self._wires[0].measure(megabytes=four_seconds or 256))

    # ---- one piece of work ----------------------------------------------------

    def measure(self, work: Work) -> Row:
        row = Row(work)
        native, row.runs["local"] = self.prepare(work)
        self._forget(everything=True)
        row.runs["hpool cold"] = self.away(work, native)
        warm = self._rounds(lambda: self.away(work, native))
        row.runs["hpool warm"] = warm

        def first() -> Run:
            self._forget(everything=False)
            return self.away(work, native)

        row.runs["hpool first"] = self._rounds(first)
        if self.far is not None:
            for name, options in (("sshfs", rivals.DEFAULT), ("tuned", rivals.TUNED)):
                row.runs[name], again = self._sshfs(work, native, options)
                if again is not None:
                    row.runs[f"{name} warm"] = again
            row.runs["staging"] = self._staging(work, native)
        return row

    def prepare(self, work: Work) -> tuple[Left, Run]:
        """What the work needs, and how it goes at home."""
        self._fill(work)
        return self._local(work)

    def _rounds(self, once: Callable[[], Run]) -> Run:
        """The middle one; a complaint of any."""
        runs = sorted((once() for _ in range(self.rounds)), key=lambda run: run.seconds or 1e9)
        wrong = [run for run in runs if run.complaint]
        return wrong[0] if wrong else runs[len(runs) // 2]

    def _fill(self, work: Work) -> None:
        lay_out(self.home, self.home.work, lambda place: work.fill(place, self.size))
        self._given = set(self.home.outside(self.home.work).rglob("*"))

    def _restore(self) -> None:
        """Takes away what a run has left; what was given keeps its place and times."""
        for path in self.home.outside(self.home.work).rglob("*"):
            if path not in self._given:
                path.unlink()

    def _env(self, work: Work) -> dict[str, str]:
        return self.home.env | {name: value.format(here=self.home.work) for name, value in work.env}

    def _left(self, code: int, out: bytes) -> Left:
        # find and grep print in the order of the directory, which is a file system's own affair
        lines = b"\n".join(sorted(out.splitlines()))
        return Left(code, lines, snapshot(self.home.outside(self.home.work)))

    def _local(self, work: Work) -> tuple[Left, Run]:
        times = []
        for _ in range(max(2, self.rounds)):
            self._restore()
            argv = ["../worker", "clock", *work.argv(self.size)]
            ended = self.home.run(argv, self.home.work, env=self._env(work), timeout_s=NATIVE_LIMIT_S)
            errors, seconds = rivals.clocked(ended.stderr)
            if ended.code != 0:
                raise RuntimeError(f"{work.name} fails natively: {errors.decode()}")
            times.append(seconds)
        return self._left(ended.code, ended.stdout), Run(sorted(times)[len(times) // 2])

    def away(self, work: Work, native: Left) -> Run:
        self._restore()
        # PYTHONHOME is for the job, not for the command
        command = [sys.executable, "-I", *self.home.hpool(work.argv(self.size), "--stats", *work.options)]
        ended = self.home.run(command, self.home.work, env=self._env(work), timeout_s=self.patience_s + 60)
        self._settle()
        found = STATS.search(ended.stderr)
        if found is None:
            return Run(None, complaint=ended.stderr.decode(errors="replace").strip() or "no statistics")
        seconds = sum(float(number) for number in found.groups()[:3])
        return Run(seconds, int(found[4]), native.differs(self._left(ended.code, ended.stdout)))

    def _sshfs(self, work: Work, native: Left, options: tuple[str, ...]) -> tuple[Run, Run | None]:
        """In a fresh mount, and once more in the same one if that is the same work again."""
        assert self.far is not None
        self._restore()
        self.far.mount(options)
        runs: list[Run] = []
        left: list[tuple[int, bytes]] = []
        try:
            for _ in range(2 if work.repeats else 1):
                ended = self.far.run(work.argv(self.size), dict(work.env), self.patience_s)
                runs.append(Run(ended[3] if ended else None))
                left += [ended[:2]] if ended else []
        finally:
            self.far.unmount()
        runs = [
            Run(run.seconds, complaint=native.differs(self._left(*what)))
            for run, what in zip(runs, left, strict=False)
        ] or runs
        return runs[0], runs[1] if len(runs) > 1 else None

    def _staging(self, work: Work, native: Left) -> Run:
        assert self.far is not None
        self._restore()
        ended = self.far.stage(work.argv(self.size), dict(work.env), self.patience_s)
        if ended is None:
            return Run(None)
        code, out, _, seconds = ended
        return Run(seconds, complaint=native.differs(self._left(code, out)))

    # ---- what the machine remembers -------------------------------------------

    def _settle(self) -> None:
        """The machine keeps programs for the next job after this one is over."""
        wait_until(lambda: not self._busy(), "the starter's end")

    def _busy(self) -> bool:
        said = self.pool.log("sandbox")
        return len(re.findall(r"slot \d+: job \S+ of ", said)) > said.count(" is over, ")

    def _forget(self, *, everything: bool) -> None:
        """All, or what former runs of a program asked for while programs themselves stay."""
        directory = self.pool.machine.outside(f"{self.pool.machine.home}/{CACHE}")
        for path in directory.iterdir() if directory.exists() else ():
            if everything or path.name.startswith("memory-"):
                path.unlink()

    def overhead(self) -> Run:
        """`hpool run true` as a whole: submitting, matching, a machine claimed, the end told."""
        return self._rounds(lambda: Run(self.home.job("/bin/true").seconds))


@functools.cache
def worker() -> Path:
    program = Path(tempfile.mkdtemp(prefix="hpool-worker-")) / "worker"
    subprocess.run(["gcc", "-O2", str(HERE / "worker.c"), "-o", str(program)], check=True)
    return program
