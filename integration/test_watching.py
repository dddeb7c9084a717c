"""What a job does, as its submitter sees it: live calls, how it crashed, what it could not do.

Watching must not change anything: the judge is the native run, also while somebody looks.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from integration.judge import Ended
from integration.pool import HPOOL, RoomHome, StrictPool
from integration.screen import Screen

pytestmark = [pytest.mark.slow, pytest.mark.root]
SOURCES = Path(__file__).parent / "watched"
PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def home(pool: StrictPool) -> Iterator[RoomHome]:
    place = pool.home.fresh_work({"small.txt": b"alpha\n"})
    for source in SOURCES.glob("*.c"):
        command = [
            "gcc",
            "-D_GNU_SOURCE",
            "-g",
            "-O1",
            "-fno-omit-frame-pointer",
            "-Wall",
            "-Wextra",
            "-Werror",
        ]
        command += ["-fno-optimize-sibling-calls", "-Wno-infinite-recursion", "-pthread"]
        subprocess.run([*command, "-o", place / source.stem, source], check=True)
    shutil.copy(SOURCES / "refused.py", place)
    pool.home.own(pool.home.work)
    yield pool.home
    pool.home.fresh_work()


def hpool(home: RoomHome, *words: str) -> Ended:
    return home.run([HPOOL, *words], home.work)


def last_job(home: RoomHome) -> str:
    lines = hpool(home, "queue", "--history", "--limit", "1").stdout.decode().splitlines()
    return lines[-1].split()[0]


def log_of(home: RoomHome, job: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in hpool(home, "log", "--json", job).stdout.splitlines()]


# --- crashes ----------------------------------------------------------------------------------

CRASHES = {
    "null": ("SIGSEGV: nothing is mapped at 0x8 (writing)", ["null_write", "main"]),
    "abort": ("SIGABRT: sent by itself", ["raise", "abort", "main"]),
    "overflow": ("SIGSEGV: nothing is mapped at 0x7ff", ["deep", "deep", "deep"]),
    "divide": ("SIGFPE: integer division by zero", ["main"]),
    "jump": ("SIGSEGV: nothing is mapped at 0x1234 (executing)", ["main"]),
    "illegal": ("SIGILL: illegal operand", ["main"]),
    "trap": ("SIGTRAP: by the kernel", ["main"]),
    "bus": ("SIGBUS: beyond the end of a mapped file", ["beyond_the_file", "main"]),
    "raise": ("SIGSEGV: sent by itself", ["raise", "main"]),
    "thread": ("SIGSEGV: nothing is mapped at 0x8 (writing)", ["null_write", "in_thread"]),
}


@pytest.mark.parametrize("how", CRASHES)
def test_a_crash_leaves_a_report_and_the_native_end(how: str, home: RoomHome) -> None:
    sentence, functions = CRASHES[how]
    native = home.run([f"{home.work}/crashes", how], home.work)
    got = home.job("./crashes", how)
    assert (got.code, got.stdout) == (native.code, native.stdout)
    said = got.stderr.decode()
    assert f"hpool: the job died of {sentence}" in said
    (job,) = re.findall(r"; report: hpool report (\S+)\n", said)

    report = json.loads(hpool(home, "report", "--json", job).stdout)
    assert report["sentence"].startswith(sentence)
    assert report["program"].endswith("crashes")
    names = [frame["function"].partition("+")[0] for frame in report["frames"]]
    trail = iter(names)
    assert all(name in trail for name in functions), names
    if how != "jump":  # there nothing is mapped
        assert report["file"].endswith(("/crashes", "/libc.so.6"))
        rip = report["registers"]["rip"]
        assert any(
            each["start"] <= rip < each["end"] and "x" in each["permissions"] for each in report["mappings"]
        )
    if how not in {"thread"}:  # the last call of the thread that died
        assert any("nothing" not in call["call"] and call["result"] == -2 for call in report["calls"])


def test_the_report_for_people_names_the_line_that_crashed(home: RoomHome) -> None:
    home.job("./crashes", "null")
    text = hpool(home, "report", last_job(home)).stdout.decode()
    assert "who called whom:" in text
    assert CRASHES["null"][0] in text
    (command,) = re.findall(r"(addr2line .*)", text)
    assert b"null_write" in home.run(command.split(), home.work).stdout


def test_the_parent_of_a_crashed_child_sees_what_it_would_at_home(home: RoomHome) -> None:
    native = home.run([f"{home.work}/crashes", "child"], home.work)
    got = home.job("./crashes", "child")
    assert (got.code, got.stdout, got.stderr) == (native.code, native.stdout, b"")
    assert b"signal 11" in got.stdout
    job = last_job(home)
    (crash,) = [line for line in log_of(home, job) if line["kind"] == "crash"]
    assert crash["signal"] == "SIGSEGV"
    assert crash["pid"] != 2
    assert (
        json.loads(hpool(home, "report", "--json", job, "--pid", str(crash["pid"])).stdout)["signal"]
        == "SIGSEGV"
    )
    assert hpool(home, "report", job, "--pid", "2").code != 0
    assert (
        b"process %d died of SIGSEGV" % crash["pid"]
        in home.job("./crashes", "child", options=("--stats",)).stderr
    )


def test_a_killed_job_has_no_report_but_a_cause(home: RoomHome) -> None:
    got = home.job("./crashes", "kill")
    assert got.code == 137
    assert b"hpool: the job died of SIGKILL: sent by a process of the job" in got.stderr
    assert hpool(home, "report", last_job(home)).code != 0


def test_too_much_memory_is_said(home: RoomHome) -> None:
    program = (
        "b = bytearray(600 << 20)\nfor i in range(0, len(b), 4096): b[i] = 1\nimport time; time.sleep(30)"
    )
    got = home.job(PYTHON, "-c", program, options=("--memory", "100M"))
    assert got.code == 137
    assert b"the job took more memory than it may" in got.stderr


def test_a_handled_fault_is_no_crash(home: RoomHome) -> None:
    program = (
        "import signal, os; signal.signal(signal.SIGFPE, lambda *_: os._exit(5)); os.kill(os.getpid(), 8)"
    )
    got = home.job(PYTHON, "-c", f"{program}; input()")
    assert (got.code, got.stderr) == (5, b"")
    assert [line for line in log_of(home, last_job(home)) if line["kind"] == "crash"] == []


# --- what could not be done ----------------------------------------------------------------------


def test_a_refused_call_is_told_once_with_its_consequence(home: RoomHome) -> None:
    got = home.job(PYTHON, "refused.py", options=("--stats",))
    assert (got.code, got.stdout) == (0, b"went on\n")
    said = got.stderr.decode()
    job = last_job(home)
    told = {line["call"]: line for line in log_of(home, job) if line["kind"] == "refused"}
    assert {name: line["errno"] for name, line in told.items()} == {
        "io_uring_setup": "ENOSYS",
        "io_setup": "ENOSYS",
        "unshare": "EPERM",
        "socket(vsock)": "EAFNOSUPPORT",
        "connect": "ENETUNREACH",
        "sched_setscheduler": "EPERM",
    }
    for line in told.values():
        assert said.count(line["sentence"]) == 1, said
        assert line["program"].startswith("/usr/bin/python3")
    assert "the job has no network; --network host" in told["connect"]["sentence"]
    flag = f"--share {home.directory}:rw"
    assert said.count(flag) == 1
    assert len([line for line in log_of(home, job) if flag in line.get("sentence", "")]) == 1
    assert f"{told['unshare']['sentence']}" in hpool(home, "log", job).stdout.decode()


def test_without_stats_only_what_may_have_made_a_job_fail_is_said(home: RoomHome) -> None:
    assert "connect was refused" not in home.job(PYTHON, "refused.py").stderr.decode()
    failed = home.job(PYTHON, "refused.py", "3")
    assert failed.code == 3
    assert b"connect was refused" in failed.stderr
    assert b"io_uring" not in failed.stderr
    quiet = home.job(PYTHON, "refused.py", "3", options=("-q",))
    assert quiet.stderr == b""


# --- live calls ------------------------------------------------------------------------------------


class Running:
    """The busy job; leaving ends it and gives how it ended."""

    def __init__(self, home: RoomHome) -> None:
        self.home = home
        self.enough = home.outside(f"{home.work}/enough")
        self.enough.unlink(missing_ok=True)
        self.process = home.popen(home.hpool(["./busy"]), home.work)
        assert self.process.stdout is not None
        if self.process.stdout.readline() != b"going\n":
            raise AssertionError(self.process.communicate())
        self.job = hpool(home, "queue").stdout.decode().splitlines()[-1].split()[0]

    def end(self) -> tuple[int, bytes, bytes]:
        self.enough.touch()
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


NATIVE_END = (0, b"children some, ticks some, wrong 0\n", b"")


@pytest.fixture
def running(home: RoomHome) -> Iterator[Running]:
    job = Running(home)
    yield job
    job.enough.touch()
    job.process.wait(30)


def traced(running: Running, *options: str) -> list[dict[str, Any]]:
    ended = hpool(running.home, "trace", running.job, "--json", *options)
    assert ended.stderr.decode() == ""  # nothing went by unseen
    assert ended.code == 0
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_watching_shows_threads_children_paths_and_results_and_changes_nothing(running: Running) -> None:
    lines = traced(running, "--count", "2000")
    over = [line for line in lines if line["result"] is not None]
    assert len(over) == 2000
    absent = [line for line in over if line["call"] == "openat" and '"absent-0"' in line["arguments"]]
    assert absent
    assert {line["errno"] for line in absent} == {"ENOENT"}
    assert {line["route"] for line in absent} == {"fault"}
    assert "O_RDONLY" in absent[0]["arguments"][2]
    assert len({line["tid"] for line in over if line["pid"] == 2}) >= 4
    assert len({line["pid"] for line in over}) >= 2
    reads = [line for line in over if line["call"] == "read" and line["result"] == 1]
    assert reads
    assert all(line["passed"] for line in reads)
    assert any(line["call"] in {"clone", "fork"} and line["result"] > 2 for line in over)
    assert running.end() == NATIVE_END


def test_what_is_passed_on_is_watched_to_its_end_under_many_signals(running: Running) -> None:
    lines = traced(running, "--count", "3000", "--call", "read,write", "--pid", "2")
    # A byte goes in and comes out: each thread's reads give what its writes gave, in order.
    moved: dict[int, list[tuple[str, str]]] = {}
    for line in lines:
        if line["result"] == 1:
            moved.setdefault(line["tid"], []).append((line["call"], line["arguments"][1]))
    assert len(moved) == 3
    for calls in moved.values():
        calls = calls[calls[0][0] == "read" :]
        for (name, put), (other_name, got) in zip(calls[::2], calls[1::2], strict=False):
            assert (name, other_name, put) == ("write", "read", got)
    assert running.end() == NATIVE_END


def test_filters_and_the_summary(running: Running) -> None:
    assert {line["call"] for line in traced(running, "--path", "small.txt", "--count", "50")} == {
        "newfstatat"
    }
    assert {line["route"] for line in traced(running, "--route", "note", "--count", "50")} == {"note"}
    counted = traced(running, "-c", "--count", "1000")
    assert sum(row["calls"] for row in counted) == 1000
    assert {"openat", "read", "write"} <= {row["call"] for row in counted}
    table = hpool(running.home, "trace", running.job, "-c", "--count", "200").stdout.decode()
    assert table.splitlines()[0].split()[:2] == ["seconds", "usecs/call"]
    assert running.end() == NATIVE_END


def test_two_may_watch_and_ctrl_c_ends_the_trace_not_the_job(running: Running) -> None:
    # A test run in the background has SIGINT ignored, and so have its children.
    command = ["/usr/bin/env", "--default-signal=INT", HPOOL, "trace", running.job, "--call", "openat"]
    watchers = [running.home.popen(command, running.home.work) for _ in range(2)]
    for watcher in watchers:
        assert watcher.stdout is not None
        assert b"openat(" in watcher.stdout.readline()
        watcher.send_signal(signal.SIGINT)
    for watcher in watchers:
        watcher.communicate(timeout=20)
        assert watcher.returncode == 0
    assert running.end() == NATIVE_END


def test_the_trace_ends_with_the_job(running: Running) -> None:
    watcher = running.home.popen([HPOOL, "trace", running.job, "--call", "exit_group"], running.home.work)
    assert watcher.stdout is not None
    assert b"exit_group(0) = ?" in watcher.stdout.readline()
    assert running.end() == NATIVE_END
    out = watcher.stdout.read()
    assert watcher.wait(20) == 0
    assert b"[2] exit_group(0) = ?" in out


def test_a_call_that_lasts_is_shown_before_it_ends(home: RoomHome) -> None:
    program = [PYTHON, "-c", "print('up', flush=True); print(input() + input())"]
    job = home.popen(home.hpool(program), home.work, stdin=subprocess.PIPE)
    assert job.stdout is not None
    assert job.stdin is not None
    assert job.stdout.readline() == b"up\n"
    number = hpool(home, "queue").stdout.decode().splitlines()[-1].split()[0]
    watcher = home.popen([HPOOL, "trace", number, "--call", "read,write"], home.work)
    assert watcher.stdout is not None
    before = watcher.stdout.readline()  # it began before anybody watched
    assert b"read(0, " in before
    assert b"<goes on>" in before
    job.stdin.write(b"one\n")
    job.stdin.flush()
    lasting = watcher.stdout.readline()
    assert b"read(0, " in lasting
    assert b"<goes on>" in lasting
    job.stdin.write(b"two\n")
    job.stdin.close()
    assert job.wait(20) == 0
    rest = watcher.stdout.read()
    assert watcher.wait(20) == 0
    assert b"<... read resumed> = 4" in rest
    assert b'write(1, "onetwo' in rest


@pytest.mark.skipif(find_spec("ptrace") is None, reason="python-ptrace is not installed")
def test_all_calls_of_one_process_and_a_clean_letting_go(running: Running) -> None:
    for _ in range(3):  # attached and let go again and again
        lines = traced(running, "--all", "--pid", "2", "--count", "400")
        over = [line for line in lines if line["result"] is not None]
        assert len({line["tid"] for line in over}) >= 4
        assert {line["pid"] for line in over} == {2}
        assert any(line["call"] == "wait4" and line["by"] == "program" for line in lines)
        assert any(line["call"] == "openat" and '"absent-1"' in line["arguments"] for line in over)
        assert any(line["by"] == "hpool" for line in over)
    assert running.end() == NATIVE_END


def test_a_process_that_is_not_there_cannot_be_attached_to(running: Running) -> None:
    ended = hpool(running.home, "trace", running.job, "--all", "--pid", "99999")
    assert ended.code != 0
    assert b"the job has no process 99999" in ended.stderr
    assert hpool(running.home, "trace", running.job, "--all").code != 0
    assert running.end() == NATIVE_END


def test_a_watched_terminal_job_draws_as_ever(pool: StrictPool, home: RoomHome) -> None:
    program = "print('?', end='', flush=True); print(input()[::-1])"
    with Screen(pool, [HPOOL, "run", "-t", "--stats", PYTHON, "-c", program]) as screen:
        screen.expect(b"[?]")
        number = hpool(home, "queue").stdout.decode().splitlines()[-1].split()[0]
        watcher = home.popen([HPOOL, "trace", number, "--call", "read,write,exit_group"], home.work)
        assert watcher.stdout is not None
        assert b"read(0, " in watcher.stdout.readline()
        screen.type(b"abc\r")
        screen.expect(b"abc\r\ncba\r\n")
        screen.expect(rb"hpool: [0-9.]+ s on ")
        assert screen.ends() == 0
        assert b'write(1, "cba' in watcher.stdout.read()
        assert watcher.wait(20) == 0


def test_who_has_no_secret_sees_nothing(running: Running) -> None:
    probe = (
        "import sys; from hpool.matchmaker.hosting import rpc; from hpool.shadow.api import attach, home\n"
        "call = attach.WATCH.on(rpc.sync_channel(sys.argv[1]))\n"
        "print(list(call(iter([home.Watch(0, 'calls', 0)]), metadata=((attach.WATCH_KEY, sys.argv[2]),))))"
    )
    shadows = running.home.run(["ss", "-Hltn"], running.home.work).stdout.decode().splitlines()
    refused = 0
    for line in shadows:
        ended = running.home.run([sys.executable, "-c", probe, line.split()[3], "x" * 32], running.home.work)
        assert ended.code != 0
        refused += b"UNAUTHENTICATED" in ended.stderr
    assert refused >= 1
    assert hpool(running.home, "trace", "999.0").code != 0
    assert running.end() == NATIVE_END
