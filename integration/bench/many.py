"""Many jobs of one submitter at once: how many operations a second does the machine that is their home serve?

Owns: the jobs, a start of all at the same moment, the sum. Leaves to others: the pool, the counting (the
jobs' own profiles). `python -m integration.bench.many`. Home, the execute machine and the commands share this
machine's processors, so home alone serves more than what is printed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import IO, Any, Final

from integration.bench.contest import worker
from integration.bench.work import Size, texts
from integration.judge import lay_out
from integration.pool import HPOOL, StrictPool

AIM: Final = 10_000
# Each says that it is there and waits for a line: all begin at once.
LOADS: Final = {
    "small": "mkdir d{n}; echo ready; read go; exec ../worker small d{n} {files}",
    "grep": "echo ready; read go; exec grep -rc needle . > /dev/null",
    "stat": "echo ready; read go; for i in $(seq {files}); do test -e s$((i % 40))/absent{n}-$i; done; true",
}


def started(pool: StrictPool, script: str) -> subprocess.Popen[bytes]:
    argv = pool.home.hpool(["/bin/sh", "-c", script], "-q")
    return pool.home.popen(argv, pool.home.work, stdin=subprocess.PIPE)


def pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None
    return end


def operations(pool: StrictPool, jobs: int) -> Iterator[dict[str, Any]]:
    """The profiles of the last jobs."""
    listed = pool.home.run([HPOOL, "queue", "--history", "--limit", str(jobs)], pool.home.work)
    for line in listed.stdout.decode().splitlines()[-jobs:]:
        answer = pool.home.run([HPOOL, "profile", "--json", line.split()[0]], pool.home.work)
        yield json.loads(answer.stdout)


def measure(pool: StrictPool, load: str, jobs: int, files: int) -> None:
    lay_out(pool.home, pool.home.work, lambda place: texts(place, Size(searched=400)))
    running = [started(pool, LOADS[load].format(n=number, files=files)) for number in range(jobs)]
    for job in running:
        if pipe(job.stdout).readline() != b"ready\n":
            raise RuntimeError(pipe(job.stderr).read().decode())
    began_s = time.monotonic()
    for job in running:
        pipe(job.stdin).write(b"go\n")
        pipe(job.stdin).close()
    for job in running:
        if status := job.wait():
            raise RuntimeError(f"status {status}: {pipe(job.stderr).read().decode()}")
    took_s = time.monotonic() - began_s
    found = list(operations(pool, jobs))
    done = sum(int(each["operations"]) for each in found)
    waits = sum(int(each["round_trips"]) for each in found)
    print(f"| {load} | {jobs} | {done} | {waits} | {took_s:.2f} | {done / took_s:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=64)
    parser.add_argument("--files", type=int, default=1000, help="of each job")
    parser.add_argument("--only", default=",".join(LOADS))
    options = parser.parse_args()
    print(f"Aim: {AIM} operations a second.\n")
    print("| load | jobs | operations | waits | s, all of them | operations a second |")
    print("|---|---|---|---|---|---|")
    with StrictPool(slots=options.jobs) as pool:
        shutil.copy(worker(), pool.home.outside(f"{pool.home.directory}/worker"))
        for load in options.only.split(","):
            measure(pool, load, options.jobs, options.files)


if __name__ == "__main__":
    main()
