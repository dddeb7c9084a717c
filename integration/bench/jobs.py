"""Native and `hpool run` on one machine, in one run, as ratios.

Owns: the jobs that are measured and the table. Leaves to others: the pool.
`python -m integration.bench.jobs` prints the table; `--readme` writes it
between the marks in README.md. Times vary with the machine: ratios count.
"""

from __future__ import annotations

import argparse
import math
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from integration import fixture
from integration.judge import lay_out
from integration.pool import PersonalPool, RoomHome

HERE: Final = Path(__file__).parent
README: Final = HERE.parent.parent / "README.md"
HIT_ROUNDS: Final = 5
ON_TMPFS: Final = "/dev/shm/hpool-hits"
IMPORTS: Final = "import asyncio, email.message, http.client, json, multiprocessing, sqlite3, ssl, unittest"


@dataclass(frozen=True)
class Measured:
    """One line of the table. `first_s` is None where the first run is like the others."""

    name: str
    native_s: float
    first_s: float | None
    hpool_s: float
    aim: str = ""


def instance(place: Path) -> None:
    corpus = HERE.parent / "corpus"
    command = [sys.executable, str(corpus / "qapgen.py"), "3", "4", "1"]
    (place / "q12.dat").write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    command = [sys.executable, str(corpus / "qapgen.py"), "2", "7", "1"]
    (place / "q14.dat").write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    subprocess.run(["gcc", "-O2", "-w", str(corpus / "qap.c"), "-o", str(place / "qap")], check=True)
    shutil.copy(corpus / "qap.c", place)


def tree(place: Path) -> None:
    for number in range(5000):
        directory = place / f"d{number % 50}/e{number % 7}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"f{number}").write_bytes(b"x")


def project(place: Path) -> None:
    fixture.EXTRAS["sources"](place)


def large(place: Path) -> None:
    block = fixture.random_bytes(1 << 20, seed=3)
    with open(place / "large", "wb") as file:
        for number in range(256):
            file.write(number.to_bytes(8, "little") + block[8:])


def nothing(place: Path) -> None:
    """Needs no files."""


SMALL_FILES: Final = "for n in range(1000): open(f'file{n}', 'w').write('some content\\n')"
JOBS: Final[list[tuple[str, list[str], Callable[[Path], None], str, bool]]] = [
    ("`true`, warm pool", ["/bin/true"], nothing, "under 0.3 s", False),
    ("CPU-bound, 0.5 s (QAP 12)", ["./qap", "q12.dat"], instance, "", False),
    ("CPU-bound, 10 s (QAP 14)", ["./qap", "q14.dat"], instance, "1.02 without the start", False),
    ("Python, many imports", ["/usr/bin/python3", "-c", IMPORTS], nothing, "1.5 on a second run", True),
    ("find, 5,000 files", ["/usr/bin/find", ".", "-type", "f", "-size", "+0"], tree, "", True),
    ("gcc, one file", ["/usr/bin/gcc", "-O2", "-w", "-c", "qap.c"], instance, "", True),
    ("make -j2, 7 files", ["/usr/bin/make", "-s", "-B", "-j2", "-C", "project"], project, "", True),
    ("write 1,000 small files", ["/usr/bin/python3", "-c", SMALL_FILES], nothing, "", False),
    ("read 256 MB", ["/usr/bin/md5sum", "large"], large, "", False),
    (
        "write 256 MB",
        ["/bin/dd", "if=/dev/zero", "of=out", "bs=1M", "count=256", "status=none"],
        nothing,
        "",
        False,
    ),
]


def measure(
    home: RoomHome, name: str, argv: list[str], fill: Callable[[Path], None], aim: str, cold: bool
) -> Measured:
    lay_out(home, home.work, fill)

    def seconds(command: list[str], rounds: int) -> float:
        times = []
        for _ in range(rounds):
            ended = home.run(command, home.work, timeout_s=300)
            if ended.code != 0:
                raise RuntimeError(f"{command} ended with {ended.code}: {ended.stderr!r}")
            times.append(ended.seconds)
        return statistics.median(times)

    rounds = 1 if "10 s" in name else 3
    native = seconds(argv, rounds)
    first = seconds(home.hpool(argv), 1) if cold else None
    return Measured(name, native, first, seconds(home.hpool(argv), rounds), aim)


def hits(home: RoomHome) -> list[str]:
    """The microbenchmark natively, on the mirror's kind of file system, as a job, in turns: each best."""
    lay_out(home, home.work, fixture.lay_out)
    program = home.outside(f"{home.work}/hits")
    subprocess.run(["gcc", "-O2", str(HERE / "hits.c"), "-o", str(program)], check=True)
    home.own(home.work)
    place = f"rm -rf {ON_TMPFS} && mkdir {ON_TMPFS} && cp -r hits small.txt big.bin dir {ON_TMPFS}"
    kinds = {
        "native": ["./hits"],
        "native on tmpfs": [
            "/bin/sh",
            "-c",
            f"{place} && cd {ON_TMPFS} && exec ./hits",
        ],
        "hpool": home.hpool(["./hits"]),
    }
    best: dict[str, dict[str, float]] = {kind: {} for kind in kinds}
    for _ in range(HIT_ROUNDS):
        for kind, command in kinds.items():
            ended = home.run(command, home.work, timeout_s=120)
            if ended.code != 0:
                raise RuntimeError(f"{command} ended with {ended.code}: {ended.stderr!r}")
            for line in ended.stdout.decode().splitlines():
                name, took = line.rsplit(" ", 1)
                best[kind][name] = min(best[kind].get(name, math.inf), float(took))
        home.run(["/bin/rm", "-r", ON_TMPFS], home.work)
    lines = [
        f"| a hit in the mirror, ns | {' | '.join(kinds)} | more than native | than on tmpfs |",
        "|---|---|---|---|---|---|",
    ]
    for name, value in best["native"].items():
        same, away = best["native on tmpfs"][name], best["hpool"][name]
        lines.append(
            f"| {name} | {value:.0f} | {same:.0f} | {away:.0f} | {away - value:+.0f} | {away - same:+.0f} |"
        )
    return lines


def table(measured: list[Measured]) -> list[str]:
    """The start of `hpool run` is the first job's; what it leaves is the job itself."""
    lines = [
        "| job | native, s | hpool first, s | hpool, s | ratio | ratio without the start | aim |",
        "|---|---|---|---|---|---|---|",
    ]
    start_s = measured[0].hpool_s - measured[0].native_s if measured[0].name == JOBS[0][0] else 0.0
    for line in measured:
        first = "" if line.first_s is None else f"{line.first_s:.2f}"
        ratio, itself = line.hpool_s / line.native_s, (line.hpool_s - start_s) / line.native_s
        lines.append(
            f"| {line.name} | {line.native_s:.3f} | {first} | {line.hpool_s:.3f} | {ratio:.2f}"
            f" | {itself:.2f} | {line.aim} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readme", action="store_true", help="write the tables into README.md")
    parser.add_argument("--only", default="", help="jobs whose name has this word; hits: the calls alone")
    options = parser.parse_args()
    with PersonalPool() as pool:
        warm = pool.home.run(pool.home.hpool(["/bin/true"]), pool.home.work)
        if warm.code != 0:
            raise SystemExit(f"hpool run true ended with {warm.code}: {warm.stderr.decode()}")
        print(f"first `hpool run true`, pool started: {warm.seconds:.2f} s\n", flush=True)
        measured = [measure(pool.home, *job) for job in JOBS if options.only in job[0]]
        lines = [
            *(table(measured) if measured else []),
            "",
            *(hits(pool.home) if options.only in ("", "hits") else []),
        ]
    print("\n".join(lines))
    if options.readme:
        text = README.read_text()
        marks = r"(?<=<!-- bench:begin -->\n).*?(?=<!-- bench:end -->)"
        README.write_text(re.sub(marks, "\n".join(lines) + "\n", text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
