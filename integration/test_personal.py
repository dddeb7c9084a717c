"""The personal pool: there when it is needed, used again, gone when it is idle. And the small commands."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess

import pytest

from integration.judge import says_one_sentence
from integration.pool import HPOOL, WAITING, PersonalPool
from integration.rooms import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.root]
ROLES = ("hpool.matchmaker.daemon", "hpool.shadow.agent.daemon", "hpool.sandbox.daemon")


def roles(pool: PersonalPool) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {role: [] for role in ROLES}
    for pid, line in pool.room.processes():
        for role in ROLES:
            if role in line:
                found[role].append(pid)
    return found


def test_the_first_run_starts_every_role_and_the_next_uses_them(fresh: PersonalPool) -> None:
    assert roles(fresh) == {role: [] for role in ROLES}
    first = fresh.home.job("/bin/echo", "one")
    assert (first.code, first.stdout, first.stderr) == (0, b"one\n", b"")
    started = roles(fresh)
    assert [len(pids) for pids in started.values()] == [1, 1, 1]
    assert len({pid for pids in started.values() for pid in pids}) == 3
    second = fresh.home.job("/bin/echo", "two")
    assert (second.code, second.stdout) == (0, b"two\n")
    assert roles(fresh) == started
    assert second.seconds < first.seconds


def test_a_program_named_by_a_link_is_known_by_its_own_name(fresh: PersonalPool) -> None:
    work = fresh.home.fresh_work()
    (work / "named").symlink_to("/usr/bin/readlink")
    for words in (("./named", "/proc/self/exe"), ("/bin/sh", "-c", "./named /proc/self/exe")):
        assert fresh.home.job(*words).stdout == fresh.home.run([*words], fresh.home.work).stdout


def test_two_first_runs_at_once_share_one_pool(fresh: PersonalPool) -> None:
    commands = [fresh.home.popen(fresh.home.hpool(["/bin/echo", str(n)]), fresh.home.work) for n in range(4)]
    for number, command in enumerate(commands):
        out, err = command.communicate(timeout=60)
        assert (command.returncode, out) == (0, b"%d\n" % number)
        assert err in (b"", WAITING)  # four jobs, two slots
    assert [len(pids) for pids in roles(fresh).values()] == [1, 1, 1]


def test_an_idle_pool_goes_away_and_leaves_nothing(fresh: PersonalPool) -> None:
    env = fresh.home.env | {"HPOOL_IDLE_EXIT_S": "1"}
    assert fresh.home.job("/bin/true", env=env).code == 0
    wait_until(lambda: not list(fresh.room.processes()), "an idle pool to end", 30)
    found = subprocess.run(
        ["find", *(str(fresh.room.outside(place)) for place in ("/tmp", "/var/tmp")), "-mindepth", "1"],
        capture_output=True,
        text=True,
    )
    assert found.stdout == ""
    assert fresh.home.job("/bin/true").code == 0


def test_pool_stop_ends_everything(fresh: PersonalPool) -> None:
    assert fresh.home.job("/bin/true").code == 0
    assert fresh.home.run([HPOOL, "pool", "status"]).code == 0
    assert fresh.home.run([HPOOL, "pool", "stop"]).code == 0
    wait_until(lambda: not list(fresh.room.processes()), "the end of the pool", 15)


def test_a_role_that_died_is_started_again(fresh: PersonalPool) -> None:
    assert fresh.home.job("/bin/true").code == 0
    for line, pids in roles(fresh).items():
        for pid in pids:
            os.kill(pid, 9)
        ended = fresh.home.job("/bin/echo", "well", timeout_s=60)
        assert (ended.code, ended.stdout) == (0, b"well\n"), (line, ended)


@pytest.mark.parametrize("variable", ["HPOOL_STATE_DIR", "HPOOL_RUNTIME_DIR"])
@pytest.mark.parametrize("options", ["size=100k", "size=1m,ro", "size=1m,mode=700,uid=0"])
def test_a_place_that_cannot_be_used_is_named(fresh: PersonalPool, variable: str, options: str) -> None:
    place = f"{fresh.home.directory}/place"
    fresh.room.check("mkdir", "-p", place)
    who = f"uid={fresh.room.uid},gid={fresh.room.uid}"
    fresh.room.check("mount", "-t", "tmpfs", "-o", f"{who},{options}", "tmpfs", place)
    try:
        if "100k" in options:
            (fresh.home.outside(place) / "fills").write_bytes(b"x" * (100 << 10))
        ended = fresh.home.job("/bin/echo", "hi", env=fresh.home.env | {variable: place})
        says_one_sentence(ended, 125)
        assert place.encode() in ended.stderr and b"POOL-007" in ended.stderr
    finally:
        fresh.room.check("umount", "-l", place)


def test_a_full_disk_accepts_no_job_and_forgets_none(fresh: PersonalPool) -> None:
    place = f"{fresh.home.directory}/place"
    fresh.room.check("mkdir", "-p", place)
    fresh.room.check("mount", "-t", "tmpfs", "-o", f"size=2m,uid={fresh.room.uid}", "tmpfs", place)
    env = fresh.home.env | {"HPOOL_STATE_DIR": place}
    fills = fresh.home.outside(place) / "fills"
    command = fresh.home.hpool(["/bin/sh", "-c", "echo ready; read word; exit 3"])
    job = fresh.home.popen(command, fresh.home.work, env=env, stdin=subprocess.PIPE)
    assert job.stdout is not None and job.stdout.readline() == b"ready\n"
    with contextlib.suppress(OSError), fills.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    job.communicate(b"go\n", timeout=30)
    assert job.returncode == 3
    refused = fresh.home.job("/bin/echo", "hi", env=env)
    says_one_sentence(refused, 125)
    assert b"POOL-006" in refused.stderr
    fills.unlink()

    def history() -> bytes:
        return fresh.home.run([HPOOL, "queue", "--history"], fresh.home.work, env=env).stdout

    wait_until(lambda: b" completed " in history(), "the job's end in the queue", 15)
    assert fresh.home.job("/bin/echo", "hi", env=env).stdout == b"hi\n"


def test_many_jobs_at_once(personal: PersonalPool) -> None:
    work = personal.home.fresh_work()
    script = "echo $0 > out$0; cat out$0"
    jobs = [
        personal.home.popen(personal.home.hpool(["/bin/sh", "-c", script, str(n)]), personal.home.work)
        for n in range(12)
    ]
    for number, job in enumerate(jobs):
        out, err = job.communicate(timeout=100)
        assert (job.returncode, out) == (0, b"%d\n" % number), err
    assert sorted(path.name for path in work.iterdir()) == sorted(f"out{n}" for n in range(12))


def test_doctor_says_what_the_machine_offers(personal: PersonalPool) -> None:
    ended = personal.home.run([HPOOL, "doctor"])
    assert ended.code == 0, ended
    for words in (b"kernel", b"user namespace", b"dispatch"):
        assert words in ended.stdout.lower()


def test_inspect_says_how_a_program_would_be_run(personal: PersonalPool) -> None:
    for program in ("/bin/sh", "/usr/bin/python3", "/usr/bin/ldd"):
        ended = personal.home.run([HPOOL, "inspect", program])
        assert ended.code == 0, ended
        assert len(ended.stdout.splitlines()) >= 3
    assert personal.home.run([HPOOL, "inspect", "/absent"]).code == 127


def test_syscalls_prints_the_table(personal: PersonalPool) -> None:
    plain = personal.home.run([HPOOL, "syscalls"])
    assert plain.code == 0 and b"openat2" in plain.stdout
    rows = json.loads(personal.home.run([HPOOL, "syscalls", "--json"]).stdout)
    assert len(rows) > 350
    assert {"openat", "execve", "io_uring_setup"} <= {row["name"] for row in rows}


def test_explain_knows_every_code_it_prints(personal: PersonalPool) -> None:
    ended = personal.home.job("./absent")
    code = ended.stderr.decode().rsplit("[", 1)[1].rstrip("]\n")
    explained = personal.home.run([HPOOL, "explain", code])
    assert (explained.code, code in explained.stdout.decode()) == (0, True)
