"""Which control group a process is in, from the texts of /proc.

Handing over: keeper/test_what_a_job_cannot.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hpool.interpose_c import cgroups

FIRST = """\
35 26 0:30 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 26 0:31 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
37 26 0:32 /outer /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
38 26 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
40 26 0:35 / /mnt/with\\040blank rw - tmpfs tmpfs rw
"""
MEMBERSHIP = "9:name=systemd:/\n8:pids:/outer/job\n4:memory:/some/group\n2:cpu,cpuacct:/\n0::/user.slice\n"


@pytest.mark.parametrize(
    ("controller", "group"),
    [
        ("memory", "/sys/fs/cgroup/memory/some/group"),
        ("pids", "/sys/fs/cgroup/pids/job"),
        ("cpuacct", "/sys/fs/cgroup/cpu,cpuacct"),
        ("", "/sys/fs/cgroup/unified/user.slice"),
        ("blkio", None),
    ],
)
def test_the_own_group_of_a_controller(controller: str, group: str | None) -> None:
    found = cgroups.own_group(controller, MEMBERSHIP, cgroups.mounts(FIRST))
    assert found == (None if group is None else Path(group))


def test_a_group_outside_of_what_is_mounted_is_not_found() -> None:
    assert cgroups.own_group("pids", "8:pids:/elsewhere\n", cgroups.mounts(FIRST)) is None


def test_this_machine_can_be_asked() -> None:
    for controller, group in cgroups.groups_of_this_process().items():
        assert controller in cgroups.CONTROLLERS
        assert (group / "cgroup.procs").exists()
