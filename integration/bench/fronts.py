"""What each front end costs: a call passed on, a hit, a fault, a stop, and whole jobs as ratios to native.

Owns: the table per front end. Leaves to others: the pool, the jobs (jobs.py), what interception alone
costs without a mirror (interception.py). `python -m integration.bench.fronts` prints the table, `--readme`
writes it between the marks of interpose_c/README.md. On a busy machine the figures say little: the load is
printed with them.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from integration import fixture
from integration.bench.jobs import IMPORTS, instance, project, tree
from integration.judge import lay_out
from integration.manifest import DYNAMIC, RELINKED_STATIC, STATIC, Toolchain
from integration.pool import PersonalPool, RoomHome

HERE: Final = Path(__file__).parent
README: Final = HERE.parent.parent / "interpose_c" / "README.md"
ROUNDS: Final = 5
OWN: Final = "CPU-bound, 0.5 s (QAP 12)"  # the job that each toolchain compiles
JOBS: Final[list[tuple[str, list[str], Callable[[Path], None]]]] = [
    (OWN, ["./qap", "q12.dat"], instance),
    ("Python, many imports", ["/usr/bin/python3", "-c", IMPORTS], fixture.lay_out),
    ("find, 5,000 files", ["/usr/bin/find", ".", "-type", "f", "-size", "+0"], tree),
    ("make -j2, 7 files", ["/usr/bin/make", "-s", "-B", "-j2", "-C", "project"], project),
]


@dataclass(slots=True)
class Front:
    name: str
    toolchain: Toolchain
    intercept: str  # "" natively
    ns: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def command(self, home: RoomHome, argv: list[str]) -> list[str]:
        return home.hpool(argv, "--intercept", self.intercept) if self.intercept else argv

    @property
    def builds_own(self) -> bool:
        return self.toolchain != DYNAMIC


def compiled(front: Front, source: Path, target: Path) -> None:
    command = [*front.toolchain.command, *front.toolchain.flags, "-O2", "-w", "-o", str(target), str(source)]
    subprocess.run(command, check=True)


def lay_out_calls(place: Path) -> None:
    fixture.lay_out(place)
    for turn in range(ROUNDS):
        for number in range(200):
            for top, name, size in (("names", "here", 1), ("contents", "file", 16384)):
                directory = place / f"turn{turn}" / top / f"{number:03d}"
                directory.mkdir(parents=True)
                (directory / name).write_bytes(bytes(size))


def measure_calls(home: RoomHome, fronts: list[Front]) -> None:
    """In turns, so that a busy moment meets them all; the best of each."""
    lay_out(home, home.work, lay_out_calls)
    for front in fronts:
        for name in ("hits", "faults"):
            compiled(front, HERE / f"{name}.c", home.outside(f"{home.work}/{name}-{front.name}"))
    home.own(home.work)
    for turn in range(ROUNDS):
        for front in fronts:
            for name in ("hits", "faults"):
                argv = front.command(home, [f"./{name}-{front.name}", f"turn{turn}"])
                ended = home.run(argv, home.work, timeout_s=120)
                if ended.code != 0:
                    raise RuntimeError(f"{argv} ended with {ended.code}: {ended.stderr!r}")
                for line in ended.stdout.decode().splitlines():
                    what, _, took = line.rpartition(" ")
                    front.ns[what] = min(front.ns.get(what, float(took)), float(took))


def measure_jobs(home: RoomHome, fronts: list[Front]) -> None:
    start = "`true`"
    for name, argv, fill in [(start, ["/bin/true"], fixture.lay_out), *JOBS]:
        lay_out(home, home.work, fill)
        home.own(home.work)
        for _ in range(ROUNDS):
            for front in fronts:
                if front.builds_own and name not in (start, OWN):
                    continue
                if name == OWN:
                    source = HERE.parent / "corpus" / "qap.c"
                    compiled(front, source, home.outside(f"{home.work}/qap"))
                ended = home.run(front.command(home, argv), home.work, timeout_s=120)
                if ended.code != 0:
                    raise RuntimeError(f"{argv} ended with {ended.code}: {ended.stderr!r}")
                front.seconds.setdefault(name, []).append(ended.seconds)


def table(fronts: list[Front]) -> list[str]:
    native, *others = fronts
    rule = "|---" * (len(others) + 2) + "|"
    lines = [f"| ns | native | {' | '.join(front.name for front in others)} |", rule]
    for what, ns in native.ns.items():
        lines.append(f"| {what} | {ns:.0f} | {' | '.join(f'{front.ns[what]:.0f}' for front in others)} |")
    by_name = {front.name: front for front in fronts}
    stop = by_name["trace"].ns["stat"] - by_name["shim"].ns["stat"]
    cells = ["a stopped call, beyond the shim's", *[""] * len(others), f"{stop:.0f}"]
    lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"| job, native 1, without the start | s | {' | '.join(f.name for f in others)} |", rule]
    for name, _, _ in JOBS:
        itself = statistics.median(native.seconds[name])
        cells = [ratio(native, front, name) for front in others]
        lines.append(f"| {name} | {itself:.3f} | {' | '.join(cells)} |")
    return lines


def ratio(native: Front, front: Front, name: str) -> str:
    """What `hpool run true` takes is not the job's."""
    if name not in front.seconds:
        return ""
    start_s = min(front.seconds["`true`"]) - min(native.seconds["`true`"])
    return f"{(min(front.seconds[name]) - start_s) / min(native.seconds[name]):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readme", action="store_true", help=f"write the table into {README.name}")
    options = parser.parse_args()
    fronts = [
        Front("native", DYNAMIC, ""),
        Front("shim", DYNAMIC, "shim"),
        Front("relinked", RELINKED_STATIC, "shim"),
        Front("static", STATIC, "shim"),
        Front("trace", DYNAMIC, "trace"),
    ]
    loads = [os.getloadavg()[0]]
    with PersonalPool() as pool:
        measure_calls(pool.home, fronts)
        loads.append(os.getloadavg()[0])
        measure_jobs(pool.home, fronts)
    lines = table(fronts)
    loads.append(os.getloadavg()[0])
    print("\n".join(lines), f"load: {', '.join(f'{load:.1f}' for load in loads)}", sep="\n\n")
    if options.readme:
        text = README.read_text()
        marks = r"(?<=<!-- fronts:begin -->\n).*?(?=<!-- fronts:end -->)"
        README.write_text(re.sub(marks, "\n".join(lines) + "\n", text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
