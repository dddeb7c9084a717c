"""What of ours goes away while a job runs: process, machine, wire. It begins again, and nobody can tell."""

from __future__ import annotations

import os
import signal
import time

import pytest

from integration.judge import Ended, says_one_sentence
from integration.pool import HPOOL, StrictPool
from integration.rooms import wait_until
from integration.tidy import Note

pytestmark = [pytest.mark.slow, pytest.mark.root]
# A record, made durable, then said: what was said has to be at home whatever happens next.
ACKNOWLEDGED = """
import os, sys, time
out = open("records", "wb", buffering=0)
for number in range(int(sys.argv[1])):
    out.write(b"%08d\\n" % number)
    os.fsync(out.fileno())
    print(number, flush=True)
    time.sleep(0.002)
"""


class Running:
    """A job that writes so many acknowledged records, or until something happens to it."""

    def __init__(self, pool: StrictPool, records: int = 1_000_000, options: tuple[str, ...] = ()) -> None:
        self.pool = pool
        self.work = pool.home.fresh_work({"records.py": ACKNOWLEDGED.encode()})
        self.note = Note.of(pool)
        self.before = {role: set(pool.pids(role)) for role in ("hpool.shadow.job", "hpool.sandbox.starter")}
        command = pool.home.hpool(["/usr/bin/python3", "records.py", str(records)], *options)
        self.process = pool.home.popen(command, pool.home.work)
        assert self.process.stdout is not None
        # Not readline(): communicate() does not ask for what that has read ahead.
        self.said = b""
        while self.said.count(b"\n") < 5 and (piece := os.read(self.process.stdout.fileno(), 1 << 16)):
            self.said += piece
        first = b"".join(b"%d\n" % number for number in range(5))
        assert self.said.startswith(first), (self.said, self.process.communicate(timeout=20))

    def ends(self, timeout_s: float = 30) -> Ended:
        out, err = self.process.communicate(timeout=timeout_s)
        code = self.process.returncode
        return Ended(code if code >= 0 else 128 - code, self.said + out, err)

    def everything_said_is_at_home(self, ended: Ended) -> None:
        last = int(ended.stdout.split(b"\n")[-2])
        records = (self.work / "records").read_bytes().split(b"\n")
        assert len(records) > last, "an acknowledged record is not at home"
        assert records[:-1] == [b"%08d" % number for number in range(len(records) - 1)]

    def kill(self, words: str) -> None:
        """The processes whose command line has these words and that serve this job."""
        for pid in self.pool.pids(words):
            os.kill(pid, signal.SIGKILL)


ROLES = ["hpool.shadow.job", "hpool.sandbox.starter", "hpool-keeper", "hpool.sandbox"]


def kill_one(running: Running, role: str) -> None:
    if role == "hpool.sandbox":
        running.pool.roles["sandbox"].kill()
        running.pool.roles["sandbox"].wait()
        running.pool.start("sandbox")
    else:
        running.kill(role)


@pytest.mark.parametrize("role", ROLES)
def test_a_process_of_ours_is_killed_and_nobody_can_tell(own_pool: StrictPool, role: str) -> None:
    running = Running(own_pool, records=300)
    kill_one(running, role)
    ended = running.ends(timeout_s=90)
    assert (ended.code, ended.stdout) == (0, b"".join(b"%d\n" % number for number in range(300))), ended
    assert ended.stderr.count(b"begins again") == 1, ended
    running.everything_said_is_at_home(ended)


@pytest.mark.parametrize("role", ROLES)
def test_a_job_that_may_not_begin_again_has_an_end(own_pool: StrictPool, role: str) -> None:
    running = Running(own_pool, options=("--restarts", "0"))
    kill_one(running, role)
    ended = running.ends()
    says_one_sentence(ended, 125)
    assert ended.stderr.count(b"was lost") <= 1, "one sentence within another"
    running.everything_said_is_at_home(ended)
    again = own_pool.home.job("/bin/echo", "well")
    assert (again.code, again.stdout) == (0, b"well\n")
    wait_until(lambda: not own_pool.pids("records.py"), "an end of the job's processes")
    wait_until(lambda: not own_pool.pids("hpool-keeper"), "an end of the keepers")


def test_a_wire_that_is_cut_for_good(own_pool: StrictPool) -> None:
    running = Running(own_pool, options=("--restarts", "0"))
    own_pool.partition()
    ended = running.ends(timeout_s=60)
    says_one_sentence(ended, 125)
    running.everything_said_is_at_home(ended)
    own_pool.heal()
    assert own_pool.home.job("/bin/echo", "well", timeout_s=60).stdout == b"well\n"
    wait_until(lambda: not own_pool.pids("records.py"), "an end of the job on the machine", 30)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_the_terminal_closes(pool: StrictPool, number: signal.Signals) -> None:
    running = Running(pool)
    os.kill(running.process.pid, number)
    ended = running.ends()
    assert ended.code == 128 + number
    running.everything_said_is_at_home(ended)
    running.note.wait()
    size = (running.work / "records").stat().st_size
    time.sleep(0.1)
    assert (running.work / "records").stat().st_size == size


def test_by_hand_all_is_as_it_was_and_what_others_did_stays_unless_forced(own_pool: StrictPool) -> None:
    home = own_pool.home
    running = Running(own_pool, options=("--restarts", "0"))
    changed, other = running.work / "records", running.work / "other"
    kill_one(running, "hpool.sandbox.starter")
    assert running.ends().code == 125
    job = home.run([HPOOL, "queue", "--history"], home.work).stdout.split(b"\n")[-2].split()[0].decode()
    mine = changed.read_bytes() + b"mine\n"
    changed.write_bytes(mine)
    refused = home.run([HPOOL, "rollback", job, "0"], home.work)
    assert refused.code == 125
    assert b"others have changed it since" in refused.stderr and b"HOME-003" in refused.stderr
    assert changed.read_bytes() == mine
    other.write_bytes(b"of nobody's")
    assert home.run([HPOOL, "rollback", job, "0", "--force"], home.work).code == 0
    assert not changed.exists()
    assert other.read_bytes() == b"of nobody's"


def test_what_a_job_that_completed_has_changed_stays(own_pool: StrictPool) -> None:
    home = own_pool.home
    work = home.fresh_work()
    assert home.job("/bin/sh", "-c", "echo kept >file").code == 0
    refused = home.run([HPOOL, "rollback", "1.0", "0"], home.work)
    assert refused.code == 125
    assert b"HOME-004" in refused.stderr and b"what a job that completed has changed stays" in refused.stderr
    assert (work / "file").read_bytes() == b"kept\n"
