"""What one system call costs under the shim: native and through the loader in one run, as ratios.

Without a mirror: the price of interception itself, once the call sites are
rewritten. Usage: python integration/bench/interception.py [rounds]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
LOADER: Final = ROOT / "interpose_c" / "bin" / "hpool-loader"
SOURCE: Final = Path(__file__).with_suffix(".c")


def measure(argv: list[str], executable: str) -> dict[str, float]:
    """Best nanoseconds by kind of call."""
    done = subprocess.run(argv, executable=executable, capture_output=True, text=True, check=True)
    return {name: float(ns) for name, _, ns in (line.rpartition(" ") for line in done.stdout.splitlines())}


def best(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {name: min(ns, other.get(name, ns)) for name, ns in one.items()}


def main(rounds: int) -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as directory:
        program, big = f"{directory}/calls", f"{directory}/file"
        subprocess.run(["gcc", "-O2", "-o", program, SOURCE], check=True)
        Path(big).write_bytes(bytes(65536))
        native: dict[str, float] = {}
        inside: dict[str, float] = {}
        for _ in range(rounds):
            native = best(measure([program, big], program), native)
            inside = best(measure([f"hpool:{program}", program, big], str(LOADER)), inside)
    print(f"{'call':<14}{'native':>10}{'shim':>10}{'more':>10}{'ratio':>8}")
    for name, ns in native.items():
        print(f"{name:<14}{ns:>8.0f}ns{inside[name]:>8.0f}ns{inside[name] - ns:>8.0f}ns", end="")
        print(f"{inside[name] / ns:>8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
