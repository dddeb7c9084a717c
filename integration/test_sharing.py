"""Files that jobs on several sandboxes and programs at home use at once: locks exclude, appends add."""

from __future__ import annotations

import ast
import fcntl
import os
import re
import shutil
from pathlib import Path

import pytest

from integration.manifest import PYTHON
from integration.pool import StrictPool
from integration.rooms import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.root]
SOURCES = Path(__file__).parent / "sharing"
TABLES = (
    "CREATE TABLE entries(name, number, sum)",
    "CREATE TABLE total(sum)",
    "INSERT INTO total VALUES (0)",
)


def program(pool: StrictPool, name: str) -> str:
    directory = f"{pool.home.directory}/sharing"
    place = pool.home.outside(directory)
    if not place.exists():
        shutil.copytree(SOURCES, place)
        pool.home.own(directory)
    return f"{directory}/{name}"


def at_once(pool: StrictPool, name: str, words: tuple[str, ...], *, named: bool) -> None:
    """Two jobs and a program at home, each to its end."""
    running = []
    for who in ("first", "second", "home"):
        argv = [PYTHON, program(pool, name), *([who] if named else []), *words]
        command = argv if who == "home" else pool.home.hpool(argv)
        running.append(pool.home.popen(command, pool.home.work))
    for process in running:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out, err) == (0, b"done\n", b""), err.decode()


@pytest.mark.parametrize("kind", ["flock", "posix", "ofd", "beside", "mkdir", "create", "link", "rename"])
def test_nobody_counts_while_another_does(pool: StrictPool, kind: str) -> None:
    place = pool.home.fresh_work({"counter": b"%020d" % 0, "guard": b""})
    at_once(pool, "counting.py", (kind, "100"), named=False)
    assert int((place / "counter").read_bytes()) == 300


def sql(pool: StrictPool, *statements: str) -> str:
    text = "import sqlite3, sys; d = sqlite3.connect('shared.db')\n"
    text += "print([d.execute(s).fetchall() for s in sys.argv[1:]]); d.commit()"
    return pool.home.run([PYTHON, "-c", text, *statements], pool.home.work).stdout.decode().strip()


def test_a_database_loses_no_transaction(pool: StrictPool) -> None:
    pool.home.fresh_work()
    sql(pool, *TABLES)
    at_once(pool, "transactions.py", ("40",), named=True)
    questions = ("PRAGMA integrity_check", "SELECT sum FROM total", "SELECT count(DISTINCT sum) FROM entries")
    assert sql(pool, *questions) == "[[('ok',)], [(120,)], [(120,)]]"


def test_home_may_use_a_database_in_the_middle_of_a_jobs_transactions(pool: StrictPool) -> None:
    """What the job has said to be committed is there, whenever somebody looks; no change is lost."""
    pool.home.fresh_work()
    sql(pool, *TABLES)
    command = pool.home.hpool([PYTHON, program(pool, "committing.py"), "60"])
    job = pool.home.popen(command, pool.home.work)
    assert job.stdout is not None
    changes = 0
    for number in range(60):
        assert int(job.stdout.readline()) == number
        if number % 6 == 5:
            question = "SELECT count(*) FROM entries WHERE name = 'job'"
            seen, _, total = ast.literal_eval(
                sql(pool, question, "UPDATE total SET sum = sum + 1", "SELECT sum FROM total")
            )
            changes += 1
            assert seen[0][0] > number
            assert total[0][0] >= seen[0][0] + changes
    assert job.communicate(timeout=60) == (b"", b"")
    assert sql(pool, "PRAGMA integrity_check", "SELECT sum FROM total") == f"[[('ok',)], [({60 + changes},)]]"


def test_transactions_of_a_database_that_nobody_else_uses_hardly_ask_home(pool: StrictPool) -> None:
    """More than a dozen steps each that home would have to be asked for, and none of them is."""
    pool.home.fresh_work()
    sql(pool, *TABLES)
    ended = pool.home.job(PYTHON, program(pool, "transactions.py"), "job", "200", options=("--stats",))
    assert (ended.code, ended.stdout) == (0, b"done\n")
    found = re.search(rb"(\d+) round trips", ended.stderr)
    assert found is not None and int(found[1]) < 150, ended.stderr
    assert sql(pool, "SELECT sum FROM total") == "[[(200,)]]"


@pytest.mark.parametrize(("times", "length"), [(1500, 60), (40, 30_000)])
def test_appended_lines_are_all_there_and_whole(pool: StrictPool, times: int, length: int) -> None:
    place = pool.home.fresh_work({"log": b""})
    at_once(pool, "appending.py", (str(times), str(length)), named=True)
    lines = (place / "log").read_bytes().splitlines()
    assert {len(line) for line in lines} == {length - 1}
    for name in (b"first", b"second", b"home"):
        numbers = [int(line.split()[1]) for line in lines if line.startswith(name)]
        assert numbers == list(range(times))


def test_a_job_sees_its_log_as_it_is_at_home(pool: StrictPool) -> None:
    place = pool.home.fresh_work()
    job = pool.home.popen(pool.home.hpool([PYTHON, program(pool, "viewing.py")]), pool.home.work)
    wait_until((place / "ready").exists, "the job's first line")
    with open(place / "log", "ab") as log:
        log.write(b"home 1\n")
    (place / "go").touch()
    out, err = job.communicate(timeout=60)
    assert (job.returncode, err) == (0, b"")
    assert out == b"b'job 1\\nhome 1\\njob 2\\n' 19 19\n"
    assert (place / "log").read_bytes() == b"job 1\nhome 1\njob 2\njob 3\n"


def is_free(path: Path, kind: str) -> bool:
    with open(path, "r+b") as file:
        try:
            (fcntl.flock if kind == "flock" else fcntl.lockf)(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.mark.parametrize("kind", ["flock", "posix"])
def test_a_killed_process_gives_its_lock_back_while_its_job_goes_on(pool: StrictPool, kind: str) -> None:
    place = pool.home.fresh_work({"locked": b"x"})
    job = pool.home.popen(pool.home.hpool([PYTHON, program(pool, "holding.py"), kind]), pool.home.work)
    wait_until((place / "held").exists, "the child's lock")
    assert not is_free(place / "locked", kind)
    (place / "kill").touch()
    wait_until((place / "killed").exists, "the end of the child")
    wait_until(lambda: is_free(place / "locked", kind), "the lock", 1.0)
    assert job.poll() is None
    (place / "end").touch()
    assert job.wait(timeout=60) == 0


@pytest.mark.parametrize("kind", ["flock", "posix"])
def test_a_job_meets_a_lock_of_home_as_it_would_at_home(pool: StrictPool, kind: str) -> None:
    place = pool.home.fresh_work({"locked": b"nobody's"})
    command = pool.home.hpool([PYTHON, program(pool, "waiting.py"), kind, str(os.getpid())])
    with open(place / "locked", "r+b", buffering=0) as file:
        (fcntl.flock if kind == "flock" else fcntl.lockf)(file, fcntl.LOCK_EX)
        job = pool.home.popen(command, pool.home.work)
        wait_until((place / "waiting").exists, "the job to wait")
        file.write(b"home was ")
    out, err = job.communicate(timeout=60)
    seen = b"True 0 0 True\n" if kind == "posix" else b""
    assert (job.returncode, err) == (0, b"")
    assert out == seen + b"taken\ngave up\nb'home was '\n"
    assert (place / "locked").read_bytes() == b"the job's"


def test_a_lock_of_the_job_is_gone_when_the_job_is(pool: StrictPool) -> None:
    """Also for who waits for the command's end and then tries without waiting."""
    place = pool.home.fresh_work({"locked": b""})
    text = "import fcntl, os; fcntl.flock(os.open('locked', os.O_RDWR), fcntl.LOCK_EX); os._exit(7)"
    for _ in range(5):
        assert pool.home.job(PYTHON, "-c", text).code == 7
        assert is_free(place / "locked", "flock")
