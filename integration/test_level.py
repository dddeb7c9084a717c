"""A job that is shown a processor of some level only: it goes on where a processor has no more than that."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from integration.pool import HPOOL, MACHINE, StrictPool
from integration.rooms import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.root]
FLAGS = Path("/proc/cpuinfo").read_text().partition("\nflags")[2].partition("\n")[0].split()
BEYOND = [flag for flag in FLAGS if flag.startswith(("avx", "amx", "sha", "vaes", "bmi", "fma", "f16c"))]

# What main thread, another thread, a child and a program executed anew find; once for each line given.
SEEN = r"""
#include <cpuid.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *who)
{
	unsigned a, b = 0, c, d, level = 1, seven = 0, nothing = 0;
	__get_cpuid(1, &a, &b, &c, &d);
	__get_cpuid_count(7, 0, &nothing, &seven, &nothing, &nothing);
	if (c & bit_SSE4_2 && c & bit_POPCNT)
		level = 2;
	if (level == 2 && c & bit_AVX && c & bit_FMA && seven & bit_AVX2 && seven & bit_BMI2)
		level = 3;
	if (level == 3 && seven & bit_AVX512F && seven & bit_AVX512VL)
		level = 4;
	printf("%s level %u aes %d sha %d erms %d libc %d %d\n", who, level, !!(c & bit_AES), !!(seven & bit_SHA),
		!!(seven & 1 << 9), !!__builtin_cpu_supports("avx2"), !!__builtin_cpu_supports("sse4.2"));
	fflush(stdout);
}

static void *run(void *who)
{
	say(who);
	return NULL;
}

int main(int argc, char **argv)
{
	char line[80];
	pthread_t thread;
	volatile int *wild = (int *)0x8000000000000000; /* a fault as CPUID's is */
	if (argc > 1)
		return say(argv[1]), 0;
	while (fgets(line, sizeof line, stdin)) {
		say("main");
		pthread_create(&thread, NULL, run, "thread");
		pthread_join(thread, NULL);
		if (fork() == 0)
			return say("child"), 0;
		wait(NULL);
		if (fork() == 0)
			execl("/proc/self/exe", argv[0], "anew", NULL);
		wait(NULL);
		if (fork() == 0)
			*wild = 1;
		int status = 0;
		wait(&status);
		printf("signal %d\n", WTERMSIG(status));
		printf("that was %s", line);
		fflush(stdout);
	}
	return 0;
}
"""


@pytest.mark.skipif("cpuid_fault" not in FLAGS, reason="this processor cannot hide what it has")
@pytest.mark.parametrize("intercept", ["shim", "trace"])
def test_every_process_sees_that_level_and_no_more(pool: StrictPool, intercept: str) -> None:
    pool.home.fresh_work({"seen.c": SEEN.encode()})
    assert pool.home.run(["gcc", "-O1", "-pthread", "-o", "seen", "seen.c"], pool.home.work).code == 0
    for level in (1, 2, 3):
        options = ("--cpu-level", f"x86-64-v{level}", "--intercept", intercept)
        ended = pool.home.job("./seen", options=options, stdin=b"it\n")
        libc = f"{int(level > 2)} {int(level > 1)}"
        said = [
            f"{who} level {level} aes 0 sha 0 erms 0 libc {libc}"
            for who in ("main", "thread", "child", "anew")
        ]
        assert (ended.code, ended.stdout.decode().splitlines()) == (0, [*said, "signal 11", "that was it"]), (
            ended
        )
    # libraries that choose by it come to the same results
    program = "import hashlib, zlib; print(hashlib.sha512(b'x' * 99999).hexdigest(), zlib.crc32(b'y' * 9999))"
    native = pool.home.run(["/usr/bin/python3", "-c", program], pool.home.work)
    ended = pool.home.job("/usr/bin/python3", "-c", program, options=("--cpu-level", "x86-64-v2"))
    assert (ended.code, ended.stdout) == (0, native.stdout), ended


@pytest.mark.skipif("cpuid_fault" not in FLAGS or "avx2" not in FLAGS, reason="nothing to hide, or no way to")
def test_it_goes_on_where_a_processor_has_no_more_than_that(own_pool: StrictPool) -> None:
    own_pool.home.fresh_work({"seen.c": SEEN.encode()})
    assert own_pool.home.run(["gcc", "-O1", "-pthread", "-o", "seen", "seen.c"], own_pool.home.work).code == 0
    command = own_pool.home.hpool(["./seen"], "--cpu-level", "x86-64-v2")
    process = own_pool.home.popen(command, own_pool.home.work, stdin=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None

    def give() -> list[bytes]:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"it\n")
        process.stdin.flush()
        return [process.stdout.readline() for _ in range(6)]

    before = give()
    own_pool.start_another("older", lacks=" ".join(BEYOND))
    own_pool.start_another("cannot", lacks="cpuid_fault")
    own_pool.vacate(MACHINE)
    assert give() == before
    queue = own_pool.home.run([HPOOL, "queue"]).stdout.decode()
    assert re.search(r"running .* older ", queue), queue
    own_pool.roles["older"].terminate()
    wait_until(lambda: give() == before, "it goes on", 60)
    assert ": job " not in own_pool.log("cannot")
    process.stdin.close()
    assert process.wait(60) == 0
