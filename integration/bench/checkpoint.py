"""What a dump and a restore cost: how long the job stands still, how long until it runs again.

No home and no engine are involved: the keeper and the loader, as in tests/interpose_c/checkpoint. The
image lies in memory. What a plain start takes stands beside a restore, how long the job was stopped in passes
that copied its memory while it ran beside the last stop. "It follows": its memory does, while the restored
job runs already and looks at all of it; `whole` is when all of it is there. Needs gcc, and for that row
/dev/userfaultfd.

CRIU is not beside it: Debian's (3.17.1) does not run on kernels of today, it expects another vdso
("Unexpected rt vDSO area bounds"), and needs privilege.

Usage: python -m integration.bench.checkpoint [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from tests.interpose_c.checkpoint.world import HERE, ROOT, USERNS, World, memory_directory

MEMORY: Final = r"""
/* MIB STEP FILE: so much memory, every STEPth page of it written to all the time; looks at all of it when
 * the file is there. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define WORDS 512
int main(int argc, char **argv)
{
	size_t pages = strtoul(argv[1], NULL, 10) * 256, step = strtoul(argv[2], NULL, 10), wrong = 0;
	unsigned long *memory = NULL, state = 1, rounds = 0;
	if (posix_memalign((void **)&memory, 4096, pages * 4096 + 4096))
		return 1;
	for (size_t n = 0; n < pages * WORDS; n++)
		memory[n] = n % WORDS ? (state = state * 6364136223846793005ul + 1) : 0;
	printf("ready\n");
	fflush(stdout);
	for (; access(argv[3], F_OK); rounds++, usleep(1000))
		for (size_t page = 0; page < pages; page += step)
			memory[page * WORDS]++;
	state = 1;
	for (size_t n = 0; n < pages * WORDS; n++) {
		unsigned long counted = n / WORDS % step == 0 ? rounds : 0;
		wrong += memory[n] != (n % WORDS ? (state = state * 6364136223846793005ul + 1) : counted);
	}
	printf("%lu\n", wrong);
	return wrong != 0;
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
    (made / "memory.c").write_text(MEMORY)
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


class Measured(NamedTuple):
    """Milliseconds: stands still at last, stopped before that, until it runs again, until all its memory is
    there, until it ran first."""

    frozen: float
    stopped: float
    again: float
    whole: float
    first: float


def measure(made: Path, case: Case) -> Measured:
    for world in worlds(made):
        program, *arguments = case.argv
        if not program.startswith("/"):
            (world.place / program).write_bytes((made / program).read_bytes())
            (world.place / program).chmod(0o755)
            program = f"/work/{program}"
        world.start(program, *arguments)
        world.await_output("ready\n")
        if case.is_large:
            touch_memory(world.image)
        world.dump(live=case.live)
        world.lazy_bytes = MUCH_BYTES if case.follows else None
        world.restore()
        whole_us = world.await_memory()
        (world.place / Path(STOP).name).touch()
        ended = world.end()
        assert ended.code == 0, ended
        first_us, again_us = world.started_us
        return Measured(
            world.frozen_us[0] / 1000,
            world.stopped_us[0] / 1000,
            again_us / 1000,
            whole_us / 1000,
            first_us / 1000,
        )
    raise AssertionError


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    argv: Sequence[str]
    live: bool = True
    is_large: bool = False
    follows: bool = False


SLEEPER: Final = "import time; print('ready', flush=True); time.sleep(1)"
STOP: Final = "/work/stop"
MUCH_BYTES: Final = 32 << 20  # of so much on it follows
LARGE: Final = ("memory", "1024")
CASES: Final = (
    Case("C, one thread", ("memory", "1", "100", STOP)),
    Case("python3", ("/usr/bin/python3", "-c", SLEEPER)),
    Case("C, 201 threads", ("threads",)),
    Case("1 GiB, all at once", (*LARGE, "100", STOP), live=False, is_large=True),
    Case("1 GiB, it follows", (*LARGE, "100", STOP), live=False, is_large=True, follows=True),
    Case("1 GiB, 1 % written to", (*LARGE, "100", STOP), is_large=True),
    Case("1 GiB, 10 % written to", (*LARGE, "10", STOP), is_large=True),
)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as directory:
        build(Path(directory))
        columns = ("frozen", "before", "restored", "whole", "started")
        print(f"{'median of ' + str(rounds) + ', ms':24}" + "".join(f"{column:>10}" for column in columns))
        for case in CASES:
            runs = [measure(Path(directory), case) for _ in range(rounds)]
            medians = (statistics.median(column) for column in zip(*runs, strict=True))
            print(f"{case.name:24}" + "".join(f"{median:10.1f}" for median in medians), flush=True)


if __name__ == "__main__":
    main()
