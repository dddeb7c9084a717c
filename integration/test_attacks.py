"""A first set of attacks: a hostile job against the machine, against home, against the next job.

Each attack is a static C program; it refuses to run outside a jail. What it got
is a line with BROKE.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration import fixture
from integration.judge import Ended
from integration.pool import StrictPool
from integration.rooms import wait_until
from integration.tidy import Note

pytestmark = [pytest.mark.slow, pytest.mark.root]
ATTACKS = Path(__file__).parent / "attacks"
TOKEN = ("a shared token ", "of this test pool")
FLAGS = ["-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-result", "-static", "-pthread"]
SECRET_PLACES = ("/home/grid", "/etc", "/tmp", "/var/tmp", "/dev/shm")


@pytest.fixture(scope="module", params=["auto", "trace"])
def target(request: pytest.FixtureRequest) -> Iterator[StrictPool]:
    """A pool with tight bounds, secrets on both sides, and the attacks built at home; for each front end."""
    if os.geteuid() != 0:
        pytest.skip("needs root: two users in namespaces of their own")
    bounds = ("--memory", "384M", "--max-processes", "150", "--mirror-size", "256M")
    with StrictPool(machine_options=bounds, intercept=request.param) as pool:
        place = pool.home.outside(f"{pool.home.directory}/attacks")
        place.mkdir()
        for source in sorted(ATTACKS.glob("*.c")):
            subprocess.run(["gcc", *FLAGS, "-o", str(place / source.stem), str(source)], check=True)
        pool.home.own(f"{pool.home.directory}/attacks")
        for directory in SECRET_PLACES:
            secret = pool.machine.outside(f"{directory}/machine-secret")
            secret.write_bytes(b"the machine's own\n")
            secret.chmod(0o644)
        for name in (
            ".ssh/id_ed25519",
            ".gnupg/key",
            ".aws/credentials",
            ".netrc",
            ".kube/config",
            ".bashrc",
        ):
            secret = pool.home.outside(f"{pool.home.directory}/{name}")
            secret.parent.mkdir(exist_ok=True)
            secret.write_bytes(b"the submitter's secret\n")
            pool.home.own(f"{pool.home.directory}/{name.split('/')[0]}")
        yield pool


def attack(pool: StrictPool, name: str, *args: str, timeout_s: float = 60) -> Ended:
    """Runs one attack in a fresh standard directory; nothing may be BROKE."""
    work = pool.home.fresh_work()
    fixture.lay_out(work)
    os.mkfifo(work / "home-fifo")
    os.mknod(work / "home-device", 0o20666, os.makedev(1, 5))
    pool.home.own(pool.home.work)
    env = pool.home.env | {"HPOOL_ATTACK": "1"}
    ended = pool.home.job(f"{pool.home.directory}/attacks/{name}", *args, env=env, timeout_s=timeout_s)
    lines = ended.stdout.decode(errors="replace").splitlines()
    broke = [line for line in lines if line.startswith(("BROKE", "NEEDED"))]
    assert broke == []
    assert "not in a jail" not in lines
    return ended


def held(ended: Ended, at_least: int) -> None:
    assert ended.stdout.count(b"HELD") >= at_least, ended


def test_the_guard_refuses_to_attack_outside_a_jail(target: StrictPool) -> None:
    for source in sorted(ATTACKS.glob("*.c")):
        argv = [f"{target.home.directory}/attacks/{source.stem}", "x", "y"]
        env = target.home.env | {"HPOOL_ATTACK": "1"}
        assert target.home.run(argv, env=env).code == 77, source.name
        assert target.room.popen(argv, env=env, uid=0).wait() == 77, source.name


def machine_paths() -> list[str]:
    return ["/home/grid", "/home/grid/pool.token", *(f"{place}/machine-secret" for place in SECRET_PLACES)]


def test_raw_calls_past_the_shim_see_nothing_of_the_machine(target: StrictPool) -> None:
    held(attack(target, "past_the_shim", *machine_paths()), 1)


def test_other_ways_into_the_kernel_lead_nowhere(target: StrictPool) -> None:
    held(attack(target, "other_gates", "/home/grid/pool.token"), 4)


def test_no_path_leads_to_the_machines_files(target: StrictPool) -> None:
    ended = attack(target, "machine_files", *machine_paths())
    held(ended, 60)
    assert ended.code == 0


def test_pid_1_and_the_others_cannot_be_touched(target: StrictPool) -> None:
    held(attack(target, "processes"), 12)
    assert target.home.job("/bin/echo", "well").stdout == b"well\n"


def test_no_namespace_and_no_mount_is_to_be_had(target: StrictPool) -> None:
    ended = attack(target, "namespaces")
    held(ended, 30)
    assert ended.code == 0


def test_rarely_used_doors_of_the_kernel_are_closed(target: StrictPool) -> None:
    ended = attack(target, "kernel_doors")
    held(ended, 35)
    assert ended.code == 0


def test_there_is_no_network_but_a_loopback_of_its_own(target: StrictPool) -> None:
    held(attack(target, "network", target.address, str(target.port)), 3)


def test_no_token_is_in_reach(target: StrictPool) -> None:
    ended = attack(target, "tokens", *TOKEN)
    assert b"HELD all memory searched" in ended.stdout


def test_a_job_that_ruins_the_shim_ruins_only_itself(target: StrictPool) -> None:
    note = Note.of(target)
    env = target.home.env | {"HPOOL_ATTACK": "1"}
    work = target.home.fresh_work()
    fixture.lay_out(work)
    target.home.own(target.home.work)
    command = target.home.hpool([f"{target.home.directory}/attacks/shim_memory", "/home/grid/pool.token"])
    process = target.home.popen(command, target.home.work, env=env)
    try:
        out, err = process.communicate(timeout=25)
    except subprocess.TimeoutExpired:  # it hangs over what it did to itself; its owner ends it
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=15)
    assert b"HELD the shim's text" in out, (out, err)
    assert b"BROKE" not in out
    assert b"Traceback" not in err
    note.wait()
    assert target.home.job("/bin/echo", "well").stdout == b"well\n"


def test_a_tracer_that_is_lied_to_harms_nobody_else(target: StrictPool) -> None:
    held(attack(target, "tracer"), 1)
    assert target.home.job("/bin/echo", "well").stdout == b"well\n"


@pytest.mark.parametrize("kind", ["processes", "threads", "memory", "/tmp", "/dev/shm", "inodes"])
def test_bombs_are_bounded(target: StrictPool, kind: str) -> None:
    note = Note.of(target)
    ended = attack(target, "bombs", kind, "1024", timeout_s=120)
    # A memory bomb may be killed for it: 137.
    assert ended.stdout.count(b"HELD") == 1 or ended.code == 137, ended
    note.wait()
    assert target.home.job("/bin/echo", "well").stdout == b"well\n"


def test_nothing_survives_the_job_and_the_next_one_finds_nothing(target: StrictPool) -> None:
    note = Note.of(target)
    held(attack(target, "survivors"), 1)
    note.wait()
    heartbeat = target.home.outside(f"{target.home.work}/heartbeat")
    size = heartbeat.stat().st_size
    assert size > 0
    held(attack(target, "next_job"), 6)
    assert not heartbeat.exists()


def unchanged(pool: StrictPool) -> None:
    home = pool.home.outside(pool.home.directory)
    assert (home / ".bashrc").read_bytes() == b"the submitter's secret\n"
    assert (home / ".ssh/id_ed25519").read_bytes() == b"the submitter's secret\n"
    assert not (home / "planted").exists()
    assert sorted(path.name for path in (home / ".ssh").iterdir()) == ["id_ed25519"]


def test_home_gives_nothing_that_is_not_shared(target: StrictPool) -> None:
    held(attack(target, "home_files", target.home.directory), 60)
    unchanged(target)


def test_a_symlink_race_wins_nothing(target: StrictPool) -> None:
    held(attack(target, "symlink_race", target.home.directory, "3000", timeout_s=120), 1)
    unchanged(target)


def test_the_machine_is_well_after_all_that(target: StrictPool) -> None:
    assert wait_until(lambda: target.pids("sandbox"), "the sandbox")
    shm = subprocess.run(
        ["nsenter", "-t", str(target.machine.pid), "-i", "ipcs", "-a"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "0x00004850" not in shm.stdout
