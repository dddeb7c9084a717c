"""The keeper: what a job sees, cannot do, cannot survive. Without the shim: the jail must hold alone.

Each test runs twice where it can: started by root (which becomes an unprivileged
user first) and by an ordinary user. The attacks are in keeper/probe.c and run only
inside the jail.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hpool.interpose_c import cgroups
from hpool.interpose_c.executables import KEEPER

HERE = Path(__file__).parent / "keeper"
USERNS = Path(__file__).parents[2] / "interpose_c" / "csrc" / "keeper" / "userns.c"
NOBODY = 65534
SOMEBODY = 1234
APPLETS = [
    *("sh", "id", "cat", "ls", "sleep", "env", "hostname", "setsid", "dd", "mv", "rmdir", "stat", "stty"),
    *("tty", "grep", "echo", "touch", "kill", "ps", "readlink"),
]

pytestmark = [
    pytest.mark.skipif(not KEEPER.exists(), reason="hpool-keeper is not built"),
    pytest.mark.skipif(shutil.which("busybox") is None, reason="needs busybox-static"),
]


@dataclass(frozen=True)
class Programs:
    userns: Path
    standin: Path
    probe: Path


@dataclass(frozen=True)
class Outcome:
    messages: list[dict[str, Any]]
    stdout: str
    stderr: str

    def first(self, kind: str) -> dict[str, Any]:
        return next(message for message in self.messages if message["is"] == kind)

    @property
    def ended(self) -> tuple[int, int]:
        last = self.messages[-1]
        assert last["is"] == "Exited", (self.messages, self.stderr)
        return last["code"], last["signal"]


@dataclass(frozen=True)
class Jail:
    """Runs one job as its starter would; `become` is the user that starts it, None for whoever tests."""

    programs: Programs
    become: int | None
    outside: int
    inside: int = 1000
    files: dict[str, str] = field(default_factory=dict)
    hand_over: bool = False
    wrapper: tuple[str, ...] = ()

    def start(self, *argv: str, actions: list[dict[str, Any]] | None = None, **spec: Any) -> Running:
        read_end, write_end = os.pipe()
        config = {
            "report": write_end,
            "userns": str(self.programs.userns),
            "become": self.become,
            "hand_over": self.hand_over,
            "inside": [self.inside, self.inside],
            "outside": [self.outside, self.outside],
            "mirror_bytes": 32 << 20,
            "mirror_inodes": 1000,
            "files": {
                "/.hpool/loader": str(self.programs.standin),
                "/bin/busybox": shutil.which("busybox"),
                "/bin/probe": str(self.programs.probe),
                **self.files,
            },
            "applets": APPLETS,
            "directories": {"/home": 0o755} | spec.pop("directories", {}),
            "actions": actions or [],
            "spec": {
                "exe": f"/bin/{argv[0]}",
                "argv": argv,
                "environment": ["PATH=/bin"],
                "cwd": "/home",
                "umask": 0o022,
                "limits": [],
                "network": "none",
                "terminal": None,
                "islands": [],
                "memory_bytes": None,
                "max_processes": None,
            }
            | spec,
        }
        process = subprocess.Popen(
            [*self.wrapper, sys.executable, HERE / "driver.py", json.dumps(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[write_end],
            text=True,
        )
        os.close(write_end)
        return Running(process, read_end)

    def run(self, *argv: str, actions: list[dict[str, Any]] | None = None, **spec: Any) -> Outcome:
        return self.start(*argv, actions=actions, **spec).finish()

    def sh(self, script: str, actions: list[dict[str, Any]] | None = None, **spec: Any) -> Outcome:
        return self.run("sh", "-c", script, actions=actions, **spec)


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[str]
    report: int

    def finish(self) -> Outcome:
        stdout, stderr = self.process.communicate(timeout=30)
        with open(self.report) as report:
            return Outcome([json.loads(line) for line in report], stdout, stderr)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    made = tmp_path_factory.mktemp("keeper")
    warnings = ["-Wall", "-Wextra", "-Werror", "-O1"]
    userns, standin, probe = made / "userns.so", made / "standin", made / "probe"
    subprocess.run(["gcc", *warnings, "-std=gnu11", "-shared", "-fPIC", "-o", userns, USERNS], check=True)
    subprocess.run(["gcc", *warnings, "-static", "-o", standin, HERE / "standin.c"], check=True)
    subprocess.run(["gcc", *warnings, "-static", "-o", probe, HERE / "probe.c"], check=True)
    return Programs(userns, standin, probe)


@pytest.fixture(params=["root", "ordinary"])
def jail(request: pytest.FixtureRequest, programs: Programs) -> Jail:
    am_root = os.geteuid() == 0
    if request.param == "root":
        if not am_root:
            pytest.skip("not root")
        return Jail(programs, become=None, outside=NOBODY)
    return Jail(programs, SOMEBODY, SOMEBODY) if am_root else Jail(programs, None, os.geteuid())


@pytest.fixture
def token() -> Iterator[str]:
    """A word on the job's command lines by which its processes are known from outside."""
    word = f"9{time.monotonic_ns() % 10**8:08d}"
    yield word
    deadline_s = time.monotonic() + 3
    while survivors(word) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert survivors(word) == []


def survivors(token: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if token in line and "driver.py" not in line:
            found.append(f"{path.parent.name} {line}")
    return found


def await_survivors(token: str, count: int) -> None:
    deadline_s = time.monotonic() + 10
    while len(survivors(token)) < count:
        assert time.monotonic() < deadline_s, "the job never started"
        time.sleep(0.01)


# ---- what it is ---------------------------------------------------------------


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


# ---- nothing survives -------------------------------------------------------------


def test_orphans_die_with_the_job(jail: Jail, token: str) -> None:
    started_s = time.monotonic()
    outcome = jail.sh(
        f"setsid sleep {token} & (setsid sleep {token} &) ; sleep {token} & kill -STOP $!; sleep 0.3; exit 5"
    )
    assert outcome.ended == (5, 0)
    assert survivors(token) == []
    assert time.monotonic() - started_s < 10


@pytest.mark.parametrize("what", ["hang up", "kill keeper", "die"])
def test_nothing_survives_the_ones_above(jail: Jail, token: str, what: str) -> None:
    running = jail.start(
        "sh", "-c", f"trap '' TERM HUP INT; setsid sleep {token} & sleep {token}; sleep {token}",
        actions=[{"after_s": 0.5, "do": what}],
    )  # fmt: skip
    await_survivors(token, 3)
    running.finish()  # the token's fixture looks for survivors


@pytest.mark.parametrize(
    ("number", "script", "ended"),
    [
        (signal.SIGTERM, "sleep {token}", (0, signal.SIGTERM)),
        (signal.SIGINT, "trap 'exit 7' INT; sleep {token}; sleep {token}", (7, 0)),
        (signal.SIGKILL, "trap '' TERM; sleep {token}", (0, signal.SIGKILL)),
    ],
)
def test_a_signal_reaches_the_foreground(
    jail: Jail, token: str, number: int, script: str, ended: tuple[int, int]
) -> None:
    actions = [{"after_s": 0.3, "do": "signal", "number": number}]
    assert jail.sh(script.format(token=token), actions=actions).ended == ended


def test_kill_ends_everything(jail: Jail, token: str) -> None:
    outcome = jail.sh(f"setsid sleep {token} & sleep {token}", actions=[{"after_s": 0.3, "do": "kill"}])
    assert outcome.ended == (0, 9)


def test_output_that_the_job_closes_is_closed(jail: Jail, token: str) -> None:
    running = jail.start("sh", "-c", f"exec >&-; sleep {token}", actions=[{"after_s": 2, "do": "kill"}])
    assert running.process.stdout is not None
    started_s = time.monotonic()
    assert running.process.stdout.read() == ""
    assert time.monotonic() - started_s < 2
    assert survivors(token) != []
    running.finish()


# ---- terminal ---------------------------------------------------------------------


def test_a_terminal_has_its_size_and_is_the_jobs_own(jail: Jail) -> None:
    outcome = jail.sh(
        "tty; stty size; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all; : < /dev/tty && echo mine",
        terminal=(24, 80),
    )
    assert outcome.stdout.replace("\r", "").splitlines() == ["/dev/pts/0", "24 80", "all", "mine"]


def test_a_resize_arrives_with_its_signal(jail: Jail) -> None:
    outcome = jail.sh(
        "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done",
        terminal=(24, 80),
        actions=[{"after_s": 0.4, "do": "resize", "size": (50, 132)}],
    )
    assert outcome.stdout.replace("\r", "").splitlines() == ["ready", "50 132"]


def test_control_c_at_the_terminal_is_sigint(jail: Jail, token: str) -> None:
    outcome = jail.sh(
        f"sleep {token}", terminal=(24, 80), actions=[{"after_s": 0.4, "do": "type", "text": "\x03"}]
    )
    assert outcome.ended == (0, signal.SIGINT)


# ---- bad days ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "files", "error", "stage"),
    [
        ({"cwd": "/nowhere"}, {}, errno.ENOENT, "chdir"),
        ({"islands": ["/tmp/nowhere"]}, {}, errno.ENOENT, "/tmp/nowhere"),
        ({"network": "carrier-pigeon"}, {}, errno.EBADMSG, "reading the spec"),
        ({"cwd": "relative"}, {}, errno.EBADMSG, "reading the spec"),
        ({}, {"/.hpool/loader": "/etc/passwd"}, errno.ENOEXEC, "exec"),
        ({}, {"/dev": "/etc/passwd"}, errno.ENOTDIR, "/dev"),
    ],
)
def test_what_cannot_start_says_where_it_failed(
    jail: Jail, spec: dict[str, Any], files: dict[str, str], error: int, stage: str
) -> None:
    outcome = Jail(jail.programs, jail.become, jail.outside, files=files).sh("exit 0", **spec)
    assert outcome.messages[-1] == {"is": "Failed", "errno": error, "stage": stage}


def test_it_explains_itself_to_who_starts_it_by_hand() -> None:
    by_hand = subprocess.run([KEEPER], capture_output=True, text=True, check=False)
    assert by_hand.returncode == 125
    assert by_hand.stderr.startswith("usage: hpool-keeper")
    closed = subprocess.run([KEEPER, "50", "51", "52"], capture_output=True, text=True, check=False)
    assert (closed.returncode, closed.stderr) == (125, "hpool-keeper: 50 is not an open descriptor\n")
