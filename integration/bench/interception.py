"""What one system call costs under the shim: at home and through the loader in one run.

Without a mirror: the price of interception itself, once the call sites are rewritten (a plain
program, dynamic and static) or from the start on (a relinked one). Then as a job, with its mirror, in
process and traced.
Usage: python integration/bench/interception.py [rounds]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
HPOOL: Final = f"{sys.prefix}/bin/hpool"
LOADER: Final = ROOT / "interpose_c" / "bin" / "hpool-loader"
SOURCE: Final = Path(__file__).with_suffix(".c")


def measure(argv: list[str], executable: str) -> dict[str, float]:
    """Best nanoseconds by kind of call."""
    done = subprocess.run(argv, executable=executable, capture_output=True, text=True, check=True)
    return {name: float(ns) for name, _, ns in (line.rpartition(" ") for line in done.stdout.splitlines())}


def best(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {name: min(ns, other.get(name, ns)) for name, ns in one.items()}


def build(directory: str, name: str, *command: str) -> str:
    program = f"{directory}/{name}"
    subprocess.run([*command, "-O2", "-o", program, SOURCE], check=True)
    return program


def as_job(front: str, program: str, *arguments: str) -> dict[str, float]:
    """In this user's own pool, by one front end."""
    argv = [HPOOL, "run", "--quiet", "--intercept", front, "--", program]
    return measure([*argv, *arguments], HPOOL)


def by_front(rounds: int, program: str, big: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for front in ("shim", "trace"):
            now = as_job(front, program, big)
            found[front] = best(now, found.get(front, now))
    return found


def print_fronts(found: dict[str, dict[str, float]]) -> None:
    print(f"\n{'as a job':<14}{'shim':>10}{'trace':>10}{'a stop':>10}")
    for name, shim_ns in found["shim"].items():
        trace_ns = found["trace"][name]
        stops = {"getppid": 0, "open+close": 2}.get(name, 1)
        stop = f"{(trace_ns - shim_ns) / stops:>8.0f}ns" if stops else f"{'none':>10}"
        print(f"{name:<14}{shim_ns:>8.0f}ns{trace_ns:>8.0f}ns{stop}")


def main(rounds: int) -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as directory:
        big = f"{directory}/file"
        Path(big).write_bytes(bytes(65536))
        plain = build(directory, "plain", "gcc")
        static = build(directory, "static", "gcc", "-static")
        relinked = build(directory, "relinked", HPOOL, "cc", "-static")
        ways = {"native": plain, "static": static, "relinked": relinked}
        found: dict[str, dict[str, float]] = {}
        for _ in range(rounds):
            for way, program in ways.items():
                alone = measure([program, big], program)
                inside = measure([f"hpool:{program}", program, big], str(LOADER))
                found[way] = best(alone, found.get(way, alone))
                found[f"{way}, shim"] = best(inside, found.get(f"{way}, shim", inside))
        jobs = by_front(rounds, plain, big)
    print(f"{'':<14}{'dynamic':^30}{'static':^30}{'relinked static':^30}")
    print(f"{'call':<14}" + f"{'home':>10}{'shim':>10}{'more':>10}" * len(ways))
    for name in found["native"]:
        print(f"{name:<14}", end="")
        for way in ways:
            alone_ns, inside_ns = found[way][name], found[f"{way}, shim"][name]
            print(f"{alone_ns:>8.0f}ns{inside_ns:>8.0f}ns{inside_ns - alone_ns:>8.0f}ns", end="")
        print()
    print_fronts(jobs)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
