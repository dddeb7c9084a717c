"""Jobs that are written down while they run: moved elsewhere, or gone on with when their machine is lost."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from integration.pool import HPOOL, MACHINE, StrictPool
from integration.rooms import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.root]

# Reads, computes, writes, and says all of it: whatever is lost or done twice shows.
COPIES = """
import hashlib, mmap, os, sys
state = b""
table = mmap.mmap(os.open("table", os.O_RDONLY), 0, access=mmap.ACCESS_COPY)
out = open("records", "w")
for number, line in enumerate(sys.stdin):
    state = hashlib.sha256(state + line.encode()).digest()
    out.write(f"{number} {state.hex()}\\n"); out.flush()
    with open("last.new", "w") as last:
        last.write(str(number))
    os.rename("last.new", "last")
    print(number, state.hex(), flush=True)
print("stderr too", file=sys.stderr)
"""
LINES = 120


class Moving:
    """A job that is given its lines one by one, so that the test knows how far it is."""

    def __init__(self, pool: StrictPool, *options: str) -> None:
        self.pool = pool
        self.work = pool.home.fresh_work({"copies.py": COPIES.encode(), "table": b"mapped"})
        self.process = pool.home.popen(
            pool.home.hpool(["/usr/bin/python3", "copies.py"], *options),
            pool.home.work,
            stdin=subprocess.PIPE,
        )
        self.said: list[bytes] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._given = 0
        self.give(10)
        self.job_id = pool.home.run([HPOOL, "queue"]).stdout.decode().splitlines()[1].split()[0]

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.said += iter(self.process.stdout.readline, b"")

    def give(self, count: int) -> None:
        """And wait until the job has said something of each."""
        assert self.process.stdin is not None
        for number in range(self._given, self._given + count):
            self.process.stdin.write(b"line %d\n" % number)
        self.process.stdin.flush()
        self._given += count
        wait_until(lambda: len(self.said) >= self._given, "the job's output", 60)

    def where(self) -> str:
        """The machine it runs on."""
        heading, *rows = self.pool.home.run([HPOOL, "queue"]).stdout.decode().splitlines()
        (row,) = (row for row in rows if row.split()[0] == self.job_id)
        return row[heading.index("machine") :].split()[0]

    def ask(self, command: str) -> str:
        done = self.pool.home.run([HPOOL, command, self.job_id])
        assert done.code == 0, done
        return done.stdout.decode()

    def ends_as_if_nothing_had_been(self, words: bytes, times: int) -> None:
        self.give(max(LINES - self._given, 1))
        assert self.process.stdin is not None and self.process.stderr is not None
        self.process.stdin.close()
        said = self.process.stderr.read()
        assert self.process.wait(60) == 0, said
        self._reader.join(60)
        state, expected = b"", []
        for number in range(self._given):
            state = hashlib.sha256(state + b"line %d\n" % number).digest()
            expected.append(f"{number} {state.hex()}\n")
        assert b"".join(self.said) == "".join(expected).encode()
        assert (self.work / "records").read_text() == "".join(expected)
        assert (self.work / "last").read_text() == str(self._given - 1)
        assert said.count(words) == times, said
        assert re.search(rb"^stderr too$", said, re.MULTILINE), said


def test_a_job_that_is_vacated_again_and_again(own_pool: StrictPool) -> None:
    moving = Moving(own_pool)
    for number in range(1, 12):
        assert f"epoch {number} is kept" in moving.ask("vacate")
        moving.give(8)
    records = (moving.work / "records").read_text().splitlines()
    assert len(records) == 98
    moving.ends_as_if_nothing_had_been(b"has left", 11)


def test_what_is_given_while_it_leaves_is_read_once(own_pool: StrictPool) -> None:
    moving = Moving(own_pool)
    for _ in range(6):
        leaving = threading.Thread(target=moving.ask, args=["vacate"])
        leaving.start()
        while leaving.is_alive():  # as fast as it reads
            moving.give(1)
        moving.give(1)  # it runs again
    moving.ends_as_if_nothing_had_been(b"has left", 6)


@pytest.mark.parametrize("role", ["hpool.sandbox.starter", "hpool-keeper", "hpool.shadow.job"])
def test_no_more_is_lost_than_came_after_the_last_checkpoint(own_pool: StrictPool, role: str) -> None:
    moving = Moving(own_pool)
    for number in (1, 2, 3):
        assert f"epoch {number} is kept" in moving.ask("checkpoint")
        moving.give(10)
    for pid in own_pool.pids(role):
        os.kill(pid, signal.SIGKILL)
    moving.ends_as_if_nothing_had_been(b"goes on from epoch 3", 1)


def test_checkpoints_are_made_unasked_as_often_as_was_said(own_pool: StrictPool) -> None:
    moving = Moving(own_pool, "--checkpoint-every", "1s")
    for number in (1, 2, 3):
        moving.give(10)
        wait_until(lambda number=number: f"epoch {number} is kept" in moving.ask("log"), "a checkpoint", 60)  # type: ignore[misc]
    heading, row = own_pool.home.run([HPOOL, "queue"]).stdout.decode().splitlines()
    at = heading.index("epoch")
    assert int(row[at : at + 5]) >= 3
    assert re.match(r"\d+ s ", row[heading.index("at risk") :]), row
    for pid in own_pool.pids("hpool.sandbox.starter"):
        os.kill(pid, signal.SIGKILL)
    moving.ends_as_if_nothing_had_been(b"goes on from epoch", 1)


def test_a_machine_that_is_wanted_back_loses_no_work(own_pool: StrictPool) -> None:
    moving = Moving(own_pool)
    own_pool.roles["sandbox"].terminate()
    assert own_pool.roles["sandbox"].wait(30) == 0
    wait_until(lambda: "wants it to leave" in moving.ask("log"), "the log", 20)
    assert "epoch 1 is kept" in moving.ask("log")
    assert own_pool.pids("hpool-keeper") == []
    own_pool.start("sandbox")
    moving.ends_as_if_nothing_had_been(b"has left", 1)


def test_where_no_machine_can_go_on_older_checkpoints_are_tried_then_the_beginning(
    own_pool: StrictPool,
) -> None:
    moving = Moving(own_pool)
    for number in (1, 2):
        assert f"epoch {number} is kept" in moving.ask("checkpoint")
        moving.give(10)
    os.utime(moving.work / "table")  # what is mapped has to be as it was
    for pid in own_pool.pids("hpool.sandbox.starter"):
        os.kill(pid, signal.SIGKILL)
    moving.ends_as_if_nothing_had_been(b"no machine could go on", 2)


def test_all_jobs_of_a_machine_leave_it_and_stay_away(own_pool: StrictPool) -> None:
    own_pool.start_another("other")
    moving = Moving(own_pool)
    first = moving.where()
    second = "other" if first == MACHINE else MACHINE
    assert f"{moving.job_id}: epoch 1 is kept" in own_pool.vacate(first)
    moving.give(10)
    assert moving.where() == second
    assert own_pool.vacate(first) == f"no job of yours runs on {first}\n"
    own_pool.roles["other" if second == "other" else "sandbox"].terminate()
    moving.give(10)  # nothing else fits now
    wait_until(lambda: moving.where() == first, "the job back there")
    for word, said in (("third", b"'third' is neither a job"), ("77.0", b"there is no job 77.0")):
        done = own_pool.home.run([HPOOL, "vacate", word])
        assert (done.code, done.stderr.count(b"\n")) == (125, 1), done
        assert said in done.stderr, done
    moving.ends_as_if_nothing_had_been(b"has left", 2)


def test_a_machine_that_lacks_what_the_job_may_use_is_not_tried(own_pool: StrictPool) -> None:
    moving = Moving(own_pool)
    words = own_pool.home.run([HPOOL, "status", "--features"]).stdout.decode().split()
    (vdso,) = (word for word in words if word.startswith("vdso:"))
    own_pool.start_another("older", lacks="fma sse4_2")
    own_pool.start_another("rebuilt", lacks=vdso)
    own_pool.start_another("same")
    own_pool.vacate(MACHINE)
    moving.give(10)
    assert moving.where() == "same"
    for word in ("older", "rebuilt"):
        assert ": job " not in own_pool.log(word)
        own_pool.roles[word].terminate()
    moving.ends_as_if_nothing_had_been(b"has left", 1)
    assert b"it is given to another one" not in moving.ask("log").encode()


def test_what_cannot_travel_is_said_and_the_job_goes_on(own_pool: StrictPool) -> None:
    moving = Moving(own_pool)
    done = own_pool.home.run([HPOOL, "vacate", "77.0"])
    assert done.code != 0, done
    moving.ends_as_if_nothing_had_been(b"has left", 0)


# Says each signal as it comes; what is lost or comes twice shows.
COUNTS = """
import os, signal, sys
def say(number, frame):
    os.write(1, b"%d\\n" % number)
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, say)
os.write(1, b"ready\\n")
sys.stdin.read()
"""


class Signalled:
    """A job that is sent signals, each when the one before was heard of."""

    def __init__(self, pool: StrictPool) -> None:
        self.pool = pool
        argv = pool.home.hpool(["/usr/bin/python3", "-c", COUNTS])
        self.process = pool.home.popen(argv, pool.home.work, stdin=subprocess.PIPE)
        self.hears(b"ready\n")
        self.job_id = pool.home.run([HPOOL, "queue"]).stdout.decode().splitlines()[1].split()[0]

    def hears(self, expected: bytes) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == expected

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ask(self, command: str) -> None:
        """As soon as it runs."""
        wait_until(lambda: self.pool.home.run([HPOOL, command, self.job_id]).code == 0, command)

    def ends(self) -> None:
        out, err = self.process.communicate(timeout=30)
        assert (self.process.returncode, out) == (0, b""), err


def test_signals_come_once_whatever_moves(own_pool: StrictPool) -> None:
    job = Signalled(own_pool)
    numbers = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGINT]

    def move() -> None:
        for _ in range(4):
            job.ask("vacate")
            job.ask("checkpoint")

    moves = threading.Thread(target=move)
    moves.start()
    count = 0
    while moves.is_alive() or count % 4:
        number = numbers[count % 4]
        if number == signal.SIGINT:
            time.sleep(1.0)  # twice within a second is for hpool
        job.send(number)
        job.hears(b"%d\n" % number)
        count += 1
    job.ends()


def test_a_signal_waits_while_the_job_is_nowhere(own_pool: StrictPool) -> None:
    job = Signalled(own_pool)
    own_pool.roles["sandbox"].terminate()
    assert own_pool.roles["sandbox"].wait(30) == 0
    for number in (signal.SIGINT, signal.SIGUSR1):
        job.send(number)
    own_pool.start("sandbox")
    for number in (signal.SIGINT, signal.SIGUSR1):
        job.hears(b"%d\n" % number)
    job.ends()


def test_signals_after_a_checkpoint_come_again_with_what_they_led_to(own_pool: StrictPool) -> None:
    job = Signalled(own_pool)
    job.send(signal.SIGUSR1)
    job.hears(b"10\n")
    job.ask("checkpoint")
    for number in (signal.SIGUSR2, signal.SIGUSR1, signal.SIGUSR2):
        job.send(number)
        job.hears(b"%d\n" % number)
    for pid in own_pool.pids("hpool.sandbox.starter"):
        os.kill(pid, signal.SIGKILL)
    job.send(signal.SIGQUIT)
    job.hears(b"3\n")
    for pid in own_pool.pids("hpool.shadow.job"):
        os.kill(pid, signal.SIGKILL)
    job.send(signal.SIGUSR1)
    job.hears(b"10\n")
    job.ends()


def fill(pool: StrictPool, bytes_left: int) -> Path:
    """Takes the submitter's disk, but for so much; the file that did."""
    filler = pool.home.outside(f"{pool.home.directory}/filler")
    free = os.statvfs(filler.parent)
    with open(filler, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - bytes_left)
    return filler


@pytest.mark.parametrize("command", ["checkpoint", "vacate"])
def test_an_image_that_finds_no_room_is_refused_and_the_job_goes_on(command: str) -> None:
    with StrictPool(home_bytes=64 << 20) as small:
        moving = Moving(small)
        filler = fill(small, 600 << 10)
        done = small.home.run([HPOOL, command, moving.job_id])
        assert (done.code, done.stderr.count(b"\n")) == (125, 1), done
        assert b"No space left" in done.stderr, done
        moving.give(10)
        filler.unlink()
        wait_until(lambda: small.home.run([HPOOL, "vacate", moving.job_id]).code == 0, "room for it")
        moving.ends_as_if_nothing_had_been(b"has left", 1)


def test_a_job_whose_output_nobody_reads_can_leave(own_pool: StrictPool) -> None:
    """However often: home takes no more of it in than it would from a job that stays."""
    text = "import os\nfor n in range(200000): os.write(1, b'%063d\\n' % n)"
    argv = own_pool.home.hpool(["/usr/bin/python3", "-c", text])
    process = own_pool.home.popen(argv, own_pool.home.work)
    assert process.stdout is not None
    assert os.read(process.stdout.fileno(), 64) == b"%063d\n" % 0
    job_id = own_pool.home.run([HPOOL, "queue"]).stdout.decode().splitlines()[1].split()[0]
    for _ in range(5):
        wait_until(lambda: own_pool.home.run([HPOOL, "vacate", job_id]).code == 0, "its leaving", 60)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out == b"".join(b"%063d\n" % number for number in range(1, 200000))
    assert err.count(b"has left") == 5, err


def test_more_input_than_is_kept_is_no_reason_not_to_move(own_pool: StrictPool) -> None:
    """From a pipe. It is read so slowly that there are moves behind that."""
    text = """
import hashlib, sys, time
state = hashlib.sha256()
while piece := sys.stdin.buffer.read(400_000):
    state.update(piece)
    time.sleep(0.01)
    print(state.hexdigest(), flush=True)
"""
    content, state, expected = os.urandom(1 << 20) * 90, hashlib.sha256(), []
    for at in range(0, len(content), 400_000):
        state.update(content[at : at + 400_000])
        expected.append(state.hexdigest())
    argv = own_pool.home.hpool(["/usr/bin/python3", "-c", text])
    process = own_pool.home.popen(argv, own_pool.home.work, stdin=subprocess.PIPE)

    def move() -> None:
        while process.poll() is None:
            for row in own_pool.home.run([HPOOL, "queue"]).stdout.decode().splitlines()[1:]:
                own_pool.home.run([HPOOL, "vacate", row.split()[0]])

    moves = threading.Thread(target=move)
    moves.start()
    out, err = process.communicate(content, timeout=100)
    moves.join()
    assert process.returncode == 0 and out.decode().splitlines() == expected, err
    assert err.count(b"has left") >= 3, err
