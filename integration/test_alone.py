"""`hpool dump` and `hpool restore`: a job in a file, and on from there, with nobody else of a pool."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from integration.pool import HPOOL, PersonalPool
from integration.rooms import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.root]

# A process of its own computes, a thread writes: both have to come back.
COUNTS = """
import hashlib, os, queue, subprocess, sys, threading
hasher = subprocess.Popen([sys.executable, "hashes.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
lines = queue.Queue()
def write():
    out = open("records", "a")
    while (line := lines.get()) is not None:
        out.write(line); out.flush()
writer = threading.Thread(target=write)
writer.start()
while line := sys.stdin.buffer.readline():
    hasher.stdin.write(line); hasher.stdin.flush()
    answer = hasher.stdout.readline().decode()
    lines.put(answer)
    print(answer, end="", flush=True)
lines.put(None)
writer.join()
hasher.stdin.close()
sys.exit(hasher.wait())
"""
HASHES = """
import hashlib, sys
state = b""
for number, line in enumerate(iter(sys.stdin.buffer.readline, b"")):
    state = hashlib.sha256(state + line).digest()
    print(number, state.hex(), flush=True)
sys.exit(7)
"""
READS = """
import os, sys, time
for turn in range(2):
    print(turn, b"".join(os.read(0, 1) for _ in range(30)), flush=True)
    while not os.path.exists("go"):
        time.sleep(0.01)
print(sys.stdin.read())
"""
LINES = 60


def expected(count: int) -> list[bytes]:
    state, said = b"", []
    for number in range(count):
        state = hashlib.sha256(state + b"line %d\n" % number).digest()
        said.append(b"%d %s\n" % (number, state.hex().encode()))
    return said


class Job:
    """Given line by line, and heard line by line."""

    def __init__(self, pool: PersonalPool, command: list[str], given: int = 0) -> None:
        self.pool = pool
        self._given = given
        self.process = pool.home.popen(command, pool.home.work, stdin=subprocess.PIPE)
        self.said: list[bytes] = []

    def give(self, count: int) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        for number in range(self._given, self._given + count):
            self.process.stdin.write(b"line %d\n" % number)
        self.process.stdin.flush()
        self.said += [self.process.stdout.readline() for _ in range(count)]
        self._given += count

    def close(self) -> int:
        assert self.process.stdin is not None and self.process.stderr is not None
        self.process.stdin.close()
        self.words = self.process.stderr.read()
        return self.process.wait(60)


def pid_of(pool: PersonalPool, words: str) -> int:
    """Of the job's process, as the machine counts."""

    def look() -> int:
        return next(
            (pid for pid, line in pool.room.processes() if line.endswith(words) and HPOOL not in line), 0
        )

    return int(wait_until(look, words))


def started(pool: PersonalPool) -> tuple[Job, Path]:
    work = pool.home.fresh_work({"counts.py": COUNTS.encode(), "hashes.py": HASHES.encode()})
    job = Job(pool, pool.home.hpool(["/usr/bin/python3", "counts.py"]))
    job.give(10)
    return job, work


def test_a_job_goes_on_from_a_file_with_nobody_else_of_the_pool(fresh: PersonalPool) -> None:
    job, work = started(fresh)
    image = f"{fresh.home.directory}/image"
    for epoch, words in ((1, "counts.py"), (2, "hashes.py")):
        done = fresh.home.run([HPOOL, "dump", str(pid_of(fresh, words)), "-o", image])
        assert (done.code, done.stderr) == (0, b""), done
        assert f"epoch {epoch}; it stood still for" in done.stdout.decode()
        job.give(10)
    shown = fresh.home.run([HPOOL, "image", "show", image])
    assert shown.code == 0 and shown.stdout.count(b"python3: runs") == 2, shown
    assert (
        b"2 threads" in shown.stdout
        and b"is whole" in fresh.home.run([HPOOL, "image", "verify", image]).stdout
    )
    for pid, line in fresh.room.processes():
        if "hpool.shadow.agent" in line or "hpool.matchmaker" in line:
            os.kill(pid, signal.SIGKILL)
    pid = pid_of(fresh, "counts.py")
    assert fresh.home.run([HPOOL, "dump", str(pid), "-o", image, "--stop"]).code == 0
    assert job.close() == 128 + signal.SIGKILL, job.words
    assert b"written to a file" in job.words
    assert not [line for _, line in fresh.room.processes() if "hashes.py" in line]
    again = Job(fresh, [HPOOL, "restore", image], given=30)
    again.give(LINES - 30)
    assert again.close() == 7, again.words
    assert again.words == b""
    assert job.said + again.said == expected(LINES)
    assert (work / "records").read_bytes() == b"".join(expected(LINES))


def test_a_file_as_input_is_read_on_from_where_the_job_was(fresh: PersonalPool) -> None:
    work = fresh.home.fresh_work({"reads.py": READS.encode(), "text": bytes(range(32, 127)) * 3000})
    text = fresh.home.outside(f"{fresh.home.work}/text")
    with text.open("rb") as source:
        job = fresh.home.popen(
            fresh.home.hpool(["/usr/bin/python3", "reads.py"]), fresh.home.work, stdin=source
        )
        assert job.stdout is not None
        said = job.stdout.readline()
        pid = pid_of(fresh, "reads.py")
        done = fresh.home.run([HPOOL, "dump", str(pid), "--stop"], fresh.home.work)
        assert done.code == 0, done
        said += job.communicate(timeout=60)[0]
    (work / "go").touch()
    (image,) = work.glob("hpool-*.image")
    with text.open("rb") as source:
        again = fresh.home.popen([HPOOL, "restore", image.name], fresh.home.work, stdin=source)
        said += again.communicate(timeout=60)[0]
    assert again.returncode == 0
    undisturbed = fresh.home.run(["/usr/bin/python3", "reads.py"], fresh.home.work, stdin=text.read_bytes())
    assert undisturbed.code == 0 and said == undisturbed.stdout


def test_what_cannot_be_is_said_in_a_sentence(fresh: PersonalPool) -> None:
    job, _ = started(fresh)
    pid, image = pid_of(fresh, "counts.py"), f"{fresh.home.directory}/image"

    def refused(code: str, words: str, *command: str) -> None:
        done = fresh.home.run([HPOOL, *command])
        said = done.stderr.decode()
        assert (done.code, done.stdout) == (125, b""), done
        assert words in said and code in said and said.count("\n") == 1, said

    refused("CKPT-006", "no process", "dump", str(1 << 23))
    refused("CKPT-007", "is no job", "dump", str(os.getpid()))
    refused("CKPT-010", "cannot be kept", "dump", str(pid), "-o", "/proc/image")
    refused("CKPT-003", "no image", "restore", f"{image}-of-nobody")
    assert fresh.home.run([HPOOL, "dump", "1.0", "-o", image]).code == 0
    job.give(1)
    assert job.close() == 7
    place = fresh.home.outside(image)
    largest = max((path for path in place.glob("chunks/*/*")), key=lambda path: path.stat().st_size)
    whole = largest.read_bytes()
    largest.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused("CKPT-001", "is damaged", "restore", image)
    largest.write_bytes(whole[: len(whole) // 2])
    refused("CKPT-001", "is damaged", "restore", image)
    largest.write_bytes(whole)
    for path in place.glob("epochs/*/job"):
        path.unlink()
    refused("CKPT-001", "is damaged", "restore", image)


def test_an_image_whose_files_have_changed_is_not_gone_on_with(fresh: PersonalPool) -> None:
    program = Path("/usr/bin/python3").resolve().read_bytes()
    work = fresh.home.fresh_work({"own-python": program, "waits.py": b"import time\ntime.sleep(600)\n"})
    (work / "own-python").chmod(0o755)
    job = fresh.home.popen(fresh.home.hpool(["./own-python", "waits.py"]), fresh.home.work)
    pid = pid_of(fresh, "waits.py")
    wait_until(
        lambda: fresh.home.run([HPOOL, "dump", str(pid), "-o", "image"], fresh.home.work).code == 0, "it"
    )
    job.terminate()
    job.communicate(timeout=60)
    os.utime(work / "own-python")
    done = fresh.home.run([HPOOL, "restore", "image"], fresh.home.work)
    assert done.code == 125 and b"CKPT-009" in done.stderr and b"own-python" in done.stderr, done


def test_a_job_does_not_end_for_an_image_that_finds_no_room(fresh: PersonalPool) -> None:
    job, _ = started(fresh)
    image = f"{fresh.home.directory}/image"
    fresh.room.check("mkdir", image)
    mode = f"size=256k,uid={fresh.room.uid},mode=700"
    fresh.room.check("mount", "-t", "tmpfs", "-o", mode, "none", image)
    pid = pid_of(fresh, "counts.py")
    done = fresh.home.run([HPOOL, "dump", str(pid), "-o", image, "--stop"])
    assert (done.code, done.stderr.count(b"\n")) == (125, 1), done
    assert b"No space left" in done.stderr, done
    job.give(10)
    image += ".other"
    assert fresh.home.run([HPOOL, "dump", str(pid), "-o", image, "--stop"]).code == 0
    assert job.close() != 0
    again = Job(fresh, [HPOOL, "restore", image], 20)
    again.give(LINES - 20)
    assert again.close() == 7, again.words
    assert job.said + again.said == expected(LINES)
