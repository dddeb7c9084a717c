"""Connections that break under a job: it notices a pause, and nothing is lost or done twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from integration.judge import differences, lay_out, snapshot
from integration.pool import StrictPool

pytestmark = pytest.mark.slow

CUTS: Final = 20
PYTHON: Final = "/usr/bin/python3"
READ: Final = """
import hashlib, os
whole = hashlib.md5()
for name in sorted(os.listdir(".")):
    with open(name, "rb", buffering=0) as large:
        while piece := large.read(300_001):
            whole.update(piece)
        for number in range(60):
            whole.update(os.pread(large.fileno(), 5000, number * 7919 * 97 % (3 << 20)))
    os.mkdir("seen." + name)
print(whole.hexdigest())
"""
WRITE: Final = """
import os
with open("log", "a") as log:
    for number in range(250):
        name = f"out/{number % 10}/{number}"
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name + ".new", "wb") as file:
            file.write(b"%d\\n" % number * 3000)
        os.rename(name + ".new", name)
        if number % 3 == 0:
            os.unlink(name)
        log.write(f"{number}\\n")
        log.flush()
        print(number, flush=True)
"""
DATABASE: Final = """
import sqlite3
db = sqlite3.connect("db")
db.execute("create table t(n integer primary key, square)")
for number in range(60):
    with db:
        db.execute("insert into t values (?, ?)", (number, number * number))
print(db.execute("select count(*), sum(square) from t").fetchall())
print(db.execute("pragma integrity_check").fetchall())
"""
COUNTER: Final = """
import os
fd = os.open("count", os.O_RDWR | os.O_CREAT)
for number in range(300):
    os.mkdir("lock")
    os.pwrite(fd, b"%06d" % (number + 1), 0)
    os.rmdir("lock")
print(os.pread(fd, 6, 0))
"""


def nothing(place: Path) -> None:
    pass


def large(place: Path) -> None:
    for number in range(30):
        (place / f"large{number}").write_bytes(random.Random(number).randbytes(3 << 20))


def sources(place: Path) -> None:
    for number in range(12):
        (place / f"f{number}.c").write_text(f"int f{number}(int x) {{ return x * {number}; }}\n")
    objects = " ".join(f"f{number}.o" for number in range(12))
    (place / "Makefile").write_text(f"lib.a: {objects}\n\tar rcD $@ $^\n%.o: %.c\n\tgcc -O1 -c $< -o $@\n")


@pytest.mark.parametrize(
    ("fill", "argv"),
    [
        pytest.param(large, [PYTHON, "-c", READ], id="reads"),
        pytest.param(nothing, [PYTHON, "-c", WRITE], id="writes"),
        pytest.param(nothing, [PYTHON, "-c", DATABASE], id="database"),
        pytest.param(nothing, [PYTHON, "-c", COUNTER], id="locks"),
        pytest.param(sources, ["/usr/bin/make", "-s", "-j2"], id="make"),
    ],
)
def test_the_wire_is_cut_again_and_again(
    pool: StrictPool, fill: Callable[[Path], None], argv: list[str]
) -> None:
    home, chance, cuts, over = pool.home, random.Random(argv[-1]), 0, threading.Event()

    def cut() -> None:
        nonlocal cuts
        while cuts < CUTS and not over.wait(chance.uniform(0.02, 0.12)):
            cuts += pool.reset_connections() > 0

    lay_out(home, home.work, fill)
    expected, tree = home.run(argv, home.work), snapshot(home.outside(home.work))
    lay_out(home, home.work, fill)
    cutting = threading.Thread(target=cut)
    cutting.start()
    got = home.run(home.hpool(argv), home.work, timeout_s=100)
    over.set()
    cutting.join()
    assert differences(expected, got, tree, snapshot(home.outside(home.work))) == []
    assert cuts > 2


def test_a_silent_wire_that_comes_back(pool: StrictPool) -> None:
    pool.home.fresh_work()
    script = "echo begun; read word; echo $word > heard; cat heard"
    process = pool.home.popen(pool.home.hpool(["/bin/sh", "-c", script]), pool.home.work, stdin=-1)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"begun\n"
    pool.partition()
    try:
        process.stdin.write(b"at last\n")
        process.stdin.flush()
        assert b"no word from" in process.stderr.readline()
    finally:
        pool.heal()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"at last\n")
    assert b"is back" in err


def test_home_waits_no_longer_than_the_lease(own_pool: StrictPool) -> None:
    own_pool.home.fresh_work()
    command = own_pool.home.hpool(["/bin/sh", "-c", "echo begun; sleep 600"], "--restarts", "0")
    process = own_pool.home.popen(command, own_pool.home.work)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    began_s = time.monotonic()
    own_pool.roles["sandbox"].kill()
    own_pool.roles["sandbox"].wait()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 125
    assert b"LINK-002" in err
    assert time.monotonic() - began_s >= own_pool.lease_s
