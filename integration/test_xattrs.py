"""Extended attributes that files do not have are not asked for again, until home has news."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from integration.pool import StrictPool

pytestmark = [pytest.mark.slow, pytest.mark.root]
ASKS = """
import os, time
names = sorted(os.listdir("."))
def ask(name):
    try:
        return os.getxattr(name, "security.selinux")
    except OSError:
        return os.listxattr(name)
assert [ask(name) for name in names] == [[]] * len(names)
print("asked", flush=True)
input()
until = time.monotonic() + 30
while ask(names[5]) == [] and time.monotonic() < until:
    pass
print(ask(names[5]), ask(names[6]))
"""


def test_what_is_set_at_home_meanwhile_is_seen(pool: StrictPool) -> None:
    work = pool.home.fresh_work()
    for number in range(40):
        (work / f"f{number:02}").touch()
    pool.home.own(pool.home.work)
    command = pool.home.hpool(["/usr/bin/python3", "-c", ASKS])
    process = pool.home.popen(command, pool.home.work, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"asked\n"
    os.setxattr(work / "f05", "user.colour", b"red")
    assert process.communicate(b"go\n", timeout=60)[0] == b"['user.colour'] []\n"


def test_a_directory_of_files_without_any_waits_few_times(pool: StrictPool) -> None:
    work = pool.home.fresh_work()
    for number in range(600):
        (work / f"f{number:03}").touch()
    pool.home.own(pool.home.work)
    expected = pool.home.run(["/bin/ls", "-l"], pool.home.work)
    ended = pool.home.job("/bin/ls", "-l", options=("--stats",))
    assert ended.stdout == expected.stdout
    waits = re.search(rb"for home, (\d+) times", ended.stderr)
    assert waits is not None and int(waits[1]) < 100, ended.stderr  # 1,200 questions
