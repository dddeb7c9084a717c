"""What a job cannot do, and how much it can take. The attacks run in the jail only."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from hpool.interpose_c import cgroups
from tests.interpose_c.keeper.jail import HERE, NOBODY, Jail, Programs, await_survivors, survivors

# ---- what it cannot do ------------------------------------------------------------


@pytest.mark.parametrize("inside", [1000, 0])
def test_attacks_from_a_static_program_fail(jail: Jail, inside: int) -> None:
    outcome = Jail(jail.programs, jail.become, jail.outside, inside).run("probe")
    expected = dict(line.split() for line in (HERE / "expected.txt").read_text().splitlines())
    found = dict(line.split() for line in outcome.stdout.splitlines())
    assert {name: found.get(name) for name in expected if found.get(name) != expected[name]} == {}
    assert outcome.ended == (0, 0)


def test_the_hosts_network_does_not_lead_to_its_abstract_sockets(jail: Jail, token: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{token}")
        server.listen()
        outcome = jail.run("probe", "abstract", token, network="host")
        if not outcome.first("Protections")["by_name"]["landlock"]["granted"]:
            pytest.skip("no Landlock scopes here")
        assert outcome.stdout == "connect EPERM\nown ok\n"


IN_A_CONTAINER = """
    mount --make-rprivate / && mount --bind /dev/null /proc/keys && mount --bind /proc/sys /proc/sys &&
    mount -o remount,bind,ro /proc/sys && exec "$@"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can cover parts of /proc")
def test_where_the_machine_covers_its_proc_the_jail_still_holds(programs: Programs) -> None:
    container = ("unshare", "-m", "sh", "-c", IN_A_CONTAINER, "sh")
    jail = Jail(programs, None, NOBODY, wrapper=container)
    outcome = jail.run("probe")
    protections = outcome.first("Protections")["by_name"]
    assert not protections["proc"]["granted"]
    assert not protections["no_user_namespaces"]["granted"]
    expected = dict(line.split() for line in (HERE / "expected.txt").read_text().splitlines())
    expected |= {name: "ENOSYS" for name in expected if name.startswith("clone3-")}
    unreachable = {name for name in expected if name.startswith(("write-", "setns", "remount", "umount"))}
    found = dict(line.split() for line in outcome.stdout.splitlines())
    assert {
        name: found[name] for name in expected.keys() - unreachable if found[name] != expected[name]
    } == {}
    lines = jail.sh("cat /proc/cpuinfo /proc/meminfo; ls /proc").stdout
    assert "MemTotal" in lines
    assert "processor" in lines


def test_a_fork_bomb_is_bounded_and_ends(jail: Jail, token: str) -> None:
    running = jail.start("probe", "bomb", token, max_processes=60, actions=[{"after_s": 1.5, "do": "kill"}])
    await_survivors(token, 3)
    most = max(len(survivors(token)) for _ in range(20))
    assert 50 <= most <= 60 + 64  # the starter's own threads are counted in, with room
    assert running.finish().ended == (0, 9)


def test_memory_is_bounded_over_all_processes(jail: Jail) -> None:
    eater = "dd if=/dev/zero of=/dev/null bs=40M count=100000 2>/dev/null & "
    outcome = jail.sh(eater * 3 + "wait", memory_bytes=100 << 20)
    assert outcome.ended == (0, 9)
    assert outcome.first("Exceeded")["what"] == "memory"


@pytest.mark.parametrize(
    ("megabytes", "processes", "ended"), [(60, 8, (0, 0)), (200, 2, (0, 9))], ids=["within", "beyond"]
)
def test_shared_memory_counts_once(
    jail: Jail, megabytes: int, processes: int, ended: tuple[int, int]
) -> None:
    outcome = jail.run("probe", "share", str(megabytes), str(processes), memory_bytes=100 << 20)
    assert outcome.ended == ended


def test_memory_within_its_bound_is_left_alone(jail: Jail) -> None:
    outcome = jail.sh("dd if=/dev/zero of=/dev/null bs=40M count=40 2>/dev/null", memory_bytes=100 << 20)
    assert outcome.ended == (0, 0)


def test_dev_shm_is_bounded(jail: Jail) -> None:
    outcome = jail.sh("dd if=/dev/zero of=/dev/shm/big bs=1M count=100 || echo full", memory_bytes=20 << 20)
    assert outcome.stdout == "full\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands control groups over")
def test_control_groups_that_are_handed_over_are_used_and_gone_afterwards(programs: Programs) -> None:
    groups = cgroups.groups_of_this_process()
    if set(groups) != {"memory", "pids"} or not all(os.access(group, os.W_OK) for group in groups.values()):
        pytest.skip("this machine hands over no groups")
    jail = Jail(programs, None, NOBODY, hand_over=True)
    eater = "dd if=/dev/zero of=/dev/null bs=200M count=100000 2>/dev/null; echo $?; cat /proc/self/cgroup"
    outcome = jail.sh(eater, memory_bytes=50 << 20, max_processes=20)
    granted = outcome.first("Protections")["by_name"]
    assert (granted["memory"]["detail"], granted["processes"]["detail"]) == ("cgroup", "cgroup")
    killed, *own_groups = outcome.stdout.splitlines()
    assert killed == str(128 + signal.SIGKILL)
    assert "hpool" not in "".join(own_groups)  # the job's cgroup namespace begins at its own
    for group in groups.values():
        assert list(group.glob("hpool-starter-*/hpool-job-*")) == []
        cgroups.remove(list(group.glob("hpool-starter-*")))
        assert list(group.glob("hpool-starter-*")) == []


def test_the_mirror_is_bounded_in_bytes_and_names(jail: Jail) -> None:
    outcome = jail.sh(
        "dd if=/dev/zero of=/tmp/big bs=1M count=100 || echo full; : > /tmp/big;"
        "i=0; while [ $i -lt 2000 ]; do : > /tmp/$i || exit 3; i=$((i+1)); done"
    )
    assert outcome.stdout == "full\n"
    assert outcome.ended[0] != 0
