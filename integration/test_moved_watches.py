"""A job that watches names (inotify) hears of them where it goes on: as before, and of nothing else."""

from __future__ import annotations

import subprocess

import pytest

from integration.pool import HPOOL, StrictPool
from integration.rooms import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.root]

# A line for each line it is given: all that was heard meanwhile; and of what it does then.
WATCHES = """
import ctypes, os, select, struct, sys
libc = ctypes.CDLL(None)
fd = libc.inotify_init1(os.O_NONBLOCK)
MOVED_FROM, MOVED_TO, CREATE, DELETE_SELF = 0x40, 0x80, 0x100, 0x400
def watch(path, mask):
    return libc.inotify_add_watch(fd, path.encode(), mask)
def heard():
    events = []
    while select.select([fd], [], [], 0)[0]:
        text, at = os.read(fd, 65536), 0
        while at < len(text):
            number, mask, _, length = struct.unpack_from("iIII", text, at)
            name = text[at + 16 : at + 16 + length].rstrip(bytes(1)).decode()
            at += 16 + length
            events.append(f"{number}:{mask:x}:{name}")
    return " ".join(events)
for _ in range(20):
    libc.inotify_rm_watch(fd, watch("/etc", CREATE))
for path in (".", "below", "/etc", "/tmp"):
    watch(path, CREATE | MOVED_FROM | MOVED_TO)
watch("left", DELETE_SELF)
watch("/usr/lib/os-release", DELETE_SELF)
heard()
print("ready", flush=True)
for number, line in enumerate(sys.stdin):
    if line == "keep\\n":
        open(f"kept{number}", "w").close()
        print("kept", flush=True)
        continue
    before = heard()
    open(f"new{number}", "w").close()
    os.rename(f"new{number}", f"below/new{number}")
    open(f"/tmp/new{number}", "w").close()
    print(before, heard(), sep="|", flush=True)
"""
GONE = "25:400: 25:8000:"


class Watching:
    def __init__(self, pool: StrictPool) -> None:
        self.pool = pool
        self.work = pool.home.fresh_work({"below/file": b"x", "left": b"x", "watches.py": WATCHES.encode()})
        argv = pool.home.hpool(["/usr/bin/python3", "watches.py"])
        self.process = pool.home.popen(argv, pool.home.work, stdin=subprocess.PIPE)
        self.given = 0
        assert self._line() == "ready"
        self.job_id = pool.home.run([HPOOL, "queue"]).stdout.decode().splitlines()[1].split()[0]

    def _line(self) -> str:
        assert self.process.stdout is not None
        return str(self.process.stdout.readline().decode().rstrip("\n"))

    def say(self, word: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())
        self.process.stdin.flush()
        self.given += 1
        return self._line()

    def hears(self, before: str = "") -> None:
        name = f"new{self.given}"
        assert self.say("go") == f"{before}|21:100:{name} 21:40:{name} 22:80:{name} 24:100:{name}"

    def leaves(self) -> None:
        wait_until(lambda: self.pool.home.run([HPOOL, "vacate", self.job_id]).code == 0, "its leaving")

    def ends(self) -> None:
        out, err = self.process.communicate(timeout=60)
        assert (self.process.returncode, out) == (0, b""), err


def test_what_a_job_watches_it_watches_where_it_goes_on(own_pool: StrictPool) -> None:
    job = Watching(own_pool)
    job.hears()
    for _ in range(3):
        job.leaves()
        job.hears()
    assert own_pool.home.run([HPOOL, "checkpoint", job.job_id]).code == 0
    job.hears()
    job.ends()


def test_what_is_gone_from_home_meanwhile_is_told_as_gone(own_pool: StrictPool) -> None:
    job = Watching(own_pool)
    own_pool.roles["sandbox"].terminate()
    assert own_pool.roles["sandbox"].wait(30) == 0
    (job.work / "left").unlink()
    own_pool.start("sandbox")
    job.hears(GONE)
    job.leaves()
    job.hears()
    job.ends()


def test_what_nobody_has_read_yet_is_waited_for(own_pool: StrictPool) -> None:
    job = Watching(own_pool)
    assert job.say("keep") == "kept"
    done = own_pool.home.run([HPOOL, "vacate", job.job_id])
    assert done.code == 125 and b"has heard of changes that nobody has read yet" in done.stderr, done
    job.hears("21:100:kept0")
    job.leaves()
    job.hears()
    job.ends()
