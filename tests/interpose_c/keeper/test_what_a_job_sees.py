"""What a job is and sees: itself, few files of the machine, no capability.

Without the shim: the jail must hold alone.
"""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from tests.interpose_c.keeper.jail import Jail


def test_every_protection_is_granted_here_or_has_a_reason(jail: Jail) -> None:
    outcome = jail.sh("exit 0", memory_bytes=1 << 30, max_processes=100)
    granted = outcome.first("Protections")["by_name"]
    assert {name: each["detail"] for name, each in granted.items() if not each["granted"]} == {}
    assert {
        "network",
        "no_user_namespaces",
        "proc",
        "capabilities",
        "no_new_privs",
        "landlock",
        "seccomp",
    } <= set(granted)


@pytest.mark.parametrize("inside", [1000, 0])
def test_a_job_has_its_user_and_no_capability(jail: Jail, inside: int) -> None:
    jail = Jail(jail.programs, jail.become, jail.outside, inside)
    outcome = jail.sh("id -u; id -g; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status")
    lines = outcome.stdout.split("\n")
    assert lines[:2] == [str(inside)] * 2
    caps = dict(line.split(":\t") for line in lines[2:] if line)
    assert caps.pop("NoNewPrivs") == "1"
    assert caps.pop("Seccomp") == "2"
    assert set(caps) == {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}
    assert {int(value, 16) for value in caps.values()} == {0}


def test_argv_environment_directory_umask_and_name_are_as_asked(jail: Jail) -> None:
    outcome = jail.run(
        "sh", "-c", 'echo "$0|$1|$PWD"; echo /proc/self/fd/*; env; hostname; umask', "zero", "two words",
        environment=["PATH=/bin", "LAST=a=b c"], umask=0o027, cwd="/home",
    )  # fmt: skip
    assert "zero|two words|/home\n" in outcome.stdout
    assert (
        "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n" in outcome.stdout
    )  # 3: the glob's own
    assert "LAST=a=b c\n" in outcome.stdout
    assert outcome.stdout.endswith("home\n0027\n")


def test_limits_are_homes_but_never_above_the_machines(jail: Jail) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limits = [
        (resource.RLIMIT_NOFILE, 300, most + 1000),
        (resource.RLIMIT_FSIZE, 1 << 20, 1 << 21),
        (resource.RLIMIT_STACK, None, None),
    ]
    outcome = jail.sh("cat /proc/self/limits; ulimit -r", limits=limits)
    rows = {line[:26].strip(): line[26:].split() for line in outcome.stdout.splitlines()}
    assert rows["Max open files"][:2] == ["300", str(most)]
    assert rows["Max file size"][:2] == [str(1 << 20), str(1 << 21)]
    assert rows["Max stack size"][:2] == ["unlimited", "unlimited"]
    assert outcome.stdout.endswith("\n0\n")


@pytest.mark.parametrize(
    ("script", "ended"),
    [
        ("exit 0", (0, 0)),
        ("exit 42", (42, 0)),
        ("kill -9 $$", (0, 9)),
        ("kill -SEGV $$", (0, 11)),
        ("nope", (127, 0)),
    ],
)
def test_the_end_is_reported_as_it_was(jail: Jail, script: str, ended: tuple[int, int]) -> None:
    assert jail.sh(script).ended == ended


def test_use_counts_descendants_too(jail: Jail) -> None:
    outcome = jail.sh("(dd if=/dev/urandom of=/dev/null bs=1M count=60 2>/dev/null); exit 0")
    exited = outcome.first("Exited")
    assert exited["utime_us"] + exited["stime_us"] > 20_000
    assert exited["maxrss_kb"] > 1024


# ---- what it sees ---------------------------------------------------------------


def test_proc_shows_the_job_and_few_files_of_the_machine(jail: Jail) -> None:
    outcome = jail.sh(
        """
        echo $$ $PPID; set -- /proc/[0-9]*; echo $*
        for f in cpuinfo meminfo stat loadavg uptime version filesystems sys/kernel/osrelease \
            sys/kernel/random/uuid sys/vm/overcommit_memory sys/kernel/pid_max self/mounts; do
            [ -n "$(cat /proc/$f)" ] || echo "missing $f"
        done
        cd /proc; cat kallsyms keys interrupts cmdline sched_debug timer_list 2>/dev/null
        ls bus irq fs driver
        grep -q "^proc /proc/sys proc ro," mounts || echo "/proc/sys is writable"
        """
    )
    pid, processes, *rest = outcome.stdout.splitlines()
    assert pid == "2 1"
    assert processes == "/proc/2"  # its parent is invisible
    assert [line for line in rest if line and line not in {"bus:", "irq:", "fs:", "driver:"}] == []


def test_dev_has_what_programs_need_and_no_more(jail: Jail) -> None:
    outcome = jail.sh(
        "ls /dev; stat -c '%a %t:%T' /dev/null /dev/urandom; stat -c %a /dev/shm /tmp /var/tmp;"
        "echo x > /dev/full;"
        " echo no > /dev/null && readlink /dev/fd; touch /dev/shm/a /tmp/a /var/tmp/a && echo done"
    )
    *names, null, urandom, shm, tmp, var_tmp, fd, done = outcome.stdout.split("\n")[:-1]
    expected = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"
    assert names == expected.split()
    assert (null, urandom) == ("666 1:3", "666 1:9")
    assert shm == tmp == var_tmp == "1777"
    assert (fd, done) == ("/proc/self/fd", "done")
    assert "No space left" in outcome.stderr


def test_sys_is_small_and_the_root_is_the_mirror(jail: Jail) -> None:
    outcome = jail.sh(
        "cat /sys/devices/system/cpu/online; ls /sys /sys/fs /sys/fs/cgroup; ls -a / | grep -v '^\\.'"
    )
    assert outcome.stdout.splitlines() == [
        Path("/sys/devices/system/cpu/online").read_text().strip(),
        *("/sys:", "devices", "fs", "kernel", "", "/sys/fs:", "cgroup", "", "/sys/fs/cgroup:"),
        *("bin", "dev", "home", "proc", "sys", "tmp", "var"),
    ]


def test_existing_directories_keep_their_meaning(jail: Jail) -> None:
    outcome = jail.sh(
        "stat -c %a /var /home /home/unlisted", directories={"/home/unlisted": 0o100, "/var": 0o751}
    )
    assert outcome.stdout.split() == ["751", "755", "100"]


def test_an_island_stays_where_it_is(jail: Jail) -> None:
    outcome = jail.sh(
        "touch /tmp/demo/file && mv /tmp/demo /tmp/gone; rmdir /tmp/demo; ls /tmp /tmp/demo",
        directories={"/tmp/demo": 0o755},
        islands=["/tmp/demo"],
        cwd="/tmp/demo",
    )
    assert outcome.stdout.splitlines() == ["/tmp:", "demo", "", "/tmp/demo:", "file"]
    assert outcome.stderr.lower().count("resource busy") + outcome.stderr.lower().count("device or") >= 1


@pytest.mark.parametrize(("network", "own"), [("none", True), ("host", False)])
def test_the_network_is_its_own_unless_asked(jail: Jail, network: str, own: bool) -> None:
    outcome = jail.sh("readlink /proc/self/ns/net; cat /proc/net/dev | grep -c :", network=network)
    namespace, devices = outcome.stdout.split()
    assert (namespace != str(Path("/proc/self/ns/net").readlink())) == own
    assert devices == "1" or not own
    assert outcome.first("Protections")["by_name"]["network"]["granted"] == own
