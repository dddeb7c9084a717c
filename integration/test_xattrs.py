"""Extended attributes that files do not have are not asked for again, until home has news."""

from __future__ import annotations

import os
import re
import struct
import subprocess

import pytest

from integration.pool import StrictPool

pytestmark = [pytest.mark.slow, pytest.mark.root]
NOBODY = 0xFFFFFFFF
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


SETS = """
import os, struct
def entries(*all):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in all)
def minimal(mode):
    nobody = 0xFFFFFFFF
    return entries((1, mode >> 6, nobody), (4, mode >> 3 & 7, nobody), (32, mode & 7, nobody))
for number in range(200):
    os.setxattr(f"f{number}", "system.posix_acl_access", minimal(0o640 if number % 2 else 0o604))
for number, value in enumerate([minimal(0o604)[:-1], minimal(0o604)[:-8], b"\\3" + minimal(0o604)[1:], b""]):
    try:
        print(number, os.setxattr("f0", "system.posix_acl_access", value))
    except OSError as error:
        print(number, error.errno)
print([oct(os.stat(f"f{number}").st_mode) for number in range(200)], os.listxattr("f7"))
"""


def test_an_access_list_that_says_what_a_mode_says_is_set_behind_the_jobs_back(pool: StrictPool) -> None:
    more = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", *entry)
        for entry in ((1, 6, NOBODY), (2, 4, 2), (4, 4, NOBODY), (16, 4, NOBODY), (32, 0, NOBODY))
    )
    said = []
    for run in (
        pool.home.run,
        lambda argv, place: pool.home.run(pool.home.hpool(argv, "--stats"), place),
    ):
        work = pool.home.fresh_work()
        for number in range(200):
            (work / f"f{number}").touch()
        os.setxattr(work / "f7", "system.posix_acl_access", more)
        pool.home.own(pool.home.work)
        ended = run(["/usr/bin/python3", "-c", SETS], pool.home.work)
        assert ended.code == 0, ended
        modes = [oct((work / f"f{number}").stat().st_mode) for number in range(200)]
        said.append((ended.stdout, modes, os.listxattr(work / "f7")))
    assert said[0] == said[1]
    waits = re.search(rb"attributes [0-9.]+ s \((\d+)\)", ended.stderr)
    assert waits is None or int(waits[1]) < 20, ended.stderr
