"""What a dump and a restore cost: how long the job stands still, how long until it runs again.

No home and no engine are involved: the keeper and the loader, as in tests/interpose_c/checkpoint. The
image lies in memory. What a plain start takes stands beside a restore. Needs gcc.

Usage: python -m integration.bench.checkpoint [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.interpose_c.checkpoint.world import HERE, ROOT, USERNS, World, memory_directory

GIGABYTE: Final = """
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	size_t words = (argc > 1 ? strtoul(argv[1], NULL, 10) : 0) * 131072;
	unsigned long *memory = malloc(words * 8), state = 1, sum = 0;
	for (size_t n = 0; n < words; n++)
		memory[n] = state = state * 6364136223846793005ul + 1;
	printf("ready\\n");
	fflush(stdout);
	usleep(8000000);
	for (size_t n = 0; n < words; n++)
		sum ^= memory[n];
	printf("%lu\\n", sum);
}
"""


def worlds(made: Path) -> Iterator[World]:
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        Path(place).chmod(0o777)
        for image in memory_directory():
            yield World(
                made / "userns.so",
                ROOT / "build" / "bare" / "hpool-loader-bare",
                place=Path(place),
                image=image,
            )


def build(made: Path) -> None:
    subprocess.run(
        ["make", "-s", "-f", ROOT / "interpose_c" / "csrc" / "loader.mk", "PASSTHROUGH=1"], check=True
    )
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", made / "userns.so", USERNS], check=True)
    (made / "memory.c").write_text(GIGABYTE)
    subprocess.run(["gcc", "-O2", "-o", made / "memory", made / "memory.c"], check=True)
    threads = HERE / "programs" / "threads.c"
    subprocess.run(["gcc", "-O1", "-D_GNU_SOURCE", "-pthread", "-o", made / "threads", threads], check=True)


def touch_memory(place: Path) -> None:
    """A virtual machine may have nothing behind its free memory: the first touch is the host's affair."""
    warm = place / "warm"
    with warm.open("wb") as file:
        for _ in range(1200):
            file.write(bytes(1 << 20))
    warm.unlink()


def measure(made: Path, name: str, *arguments: str) -> tuple[float, float, float]:
    """Milliseconds: frozen, until it runs again, until it ran first."""
    for world in worlds(made):
        if name.startswith("/"):
            program = name
        else:
            program = f"/work/{name}"
            (world.place / name).write_bytes((made / name).read_bytes())
            (world.place / name).chmod(0o755)
        world.start(program, *arguments)
        world.await_output("ready\n")
        if arguments == LARGE:
            touch_memory(world.image)
        world.dump()
        world.restore()
        ended = world.end()
        assert ended.code == 0, ended
        first_us, again_us = world.started_us
        return world.frozen_us[0] / 1000, again_us / 1000, first_us / 1000
    raise AssertionError


LARGE: Final = ("1024",)
SLEEPER: Final = "import time; print('ready', flush=True); time.sleep(1)"
CASES: Final = {
    "C, one thread": ("memory", "0"),
    "python3": ("/usr/bin/python3", "-c", SLEEPER),
    "C, 201 threads": ("threads",),
    "1 GiB resident": ("memory", *LARGE),
}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as directory:
        build(Path(directory))
        print(f"{'median of ' + str(rounds):18} {'frozen ms':>10} {'restored ms':>12} {'started ms':>11}")
        for name, argv in CASES.items():
            runs = [measure(Path(directory), *argv) for _ in range(rounds)]
            frozen, again, first = (statistics.median(column) for column in zip(*runs, strict=True))
            print(f"{name:18} {frozen:10.1f} {again:12.1f} {first:11.1f}", flush=True)


if __name__ == "__main__":
    main()
