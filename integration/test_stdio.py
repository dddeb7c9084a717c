"""A job's streams: input by pipe, file and terminal, output live, signals from the keyboard, exit codes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from integration.judge import says_one_sentence
from integration.pool import StrictPool
from integration.rooms import wait_until
from integration.screen import Screen

pytestmark = [pytest.mark.slow, pytest.mark.root]
BASH = "/bin/bash"


@pytest.fixture(autouse=True)
def work(pool: StrictPool) -> Iterator[None]:
    pool.home.fresh_work({"lines": b"".join(b"%d\n" % n for n in range(50_000))})
    yield


def job(pool: StrictPool, *argv: str, options: tuple[str, ...] = ()) -> list[str]:
    return pool.home.hpool(list(argv), *options)


# ---- input ------------------------------------------------------------------------


def test_input_from_a_pipe(pool: StrictPool) -> None:
    data = os.urandom(3_000_000)
    ended = pool.home.job("/bin/cat", stdin=data)
    assert (ended.code, ended.stdout == data) == (0, True)


def test_input_from_a_file_and_output_to_a_file(pool: StrictPool) -> None:
    work = pool.home.outside(pool.home.work)
    with open(work / "lines", "rb") as source, open(work / "sorted", "wb") as target:
        process = pool.home.popen(
            job(pool, "/usr/bin/sort", "-n"), pool.home.work, stdin=source, stdout=target
        )
        assert process.wait(30) == 0
    assert (work / "sorted").read_bytes() == (work / "lines").read_bytes()


def test_what_the_job_does_not_read_stays_in_a_pipeline(pool: StrictPool) -> None:
    command = " ".join(job(pool, "/usr/bin/head", "-1"))
    ended = pool.home.run([BASH, "-c", f"yes | {command}; echo $?"], pool.home.work, timeout_s=30)
    assert ended.stdout == b"y\n0\n"


def test_input_that_comes_slowly_arrives_as_it_comes(pool: StrictPool) -> None:
    process = pool.home.popen(job(pool, "/bin/cat"), pool.home.work, stdin=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    for number in range(5):
        process.stdin.write(b"line %d\n" % number)
        process.stdin.flush()
        assert process.stdout.readline() == b"line %d\n" % number
    process.stdin.close()
    assert process.wait(10) == 0


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "<&- 2>&-"])
def test_closed_streams_are_closed_in_the_job(pool: StrictPool, closed: str) -> None:
    script = "cat; echo $? >>said; echo out; echo $? >>said; echo err >&2; echo $? >>said; exit 7"
    plain = f"/bin/sh -c '{script}'"
    away = " ".join(job(pool, "/bin/sh", "-c", f"'{script}'"))
    said = pool.home.outside(pool.home.work) / "said"
    ended = []
    for command in (plain, away):
        shell = [BASH, "-c", f"{command} {closed}"]
        ended.append((pool.home.run(shell, pool.home.work), said.read_bytes()))
        said.unlink()
    assert ended[1] == ended[0]


# ---- output -----------------------------------------------------------------------


def test_output_comes_while_the_job_runs(pool: StrictPool) -> None:
    script = "echo first; read word; echo second $word"
    process = pool.home.popen(job(pool, "/bin/sh", "-c", script), pool.home.work, stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"first\n"
    assert process.poll() is None
    out, _ = process.communicate(b"go\n", timeout=10)
    assert (process.returncode, out) == (0, b"second go\n")


def test_files_appear_at_home_while_the_job_runs(pool: StrictPool) -> None:
    script = "echo text > file; read word; echo more >> file"
    process = pool.home.popen(job(pool, "/bin/sh", "-c", script), pool.home.work, stdin=subprocess.PIPE)
    work = pool.home.outside(pool.home.work)
    wait_until(
        lambda: (work / "file").exists() and (work / "file").read_bytes() == b"text\n", "the file at home"
    )
    process.communicate(b"go\n", timeout=10)
    assert process.returncode == 0
    assert (work / "file").read_bytes() == b"text\nmore\n"


def test_a_change_made_at_home_reaches_the_job(pool: StrictPool) -> None:
    """Within moves of a hand: home tells of it, nobody waits for that."""
    script = """
        tail -1 lines; test -e new || echo not yet; read word
        for try in $(seq 100); do test -e new && grep -q changed lines && break; sleep 0.05; done
        cat lines new
    """
    process = pool.home.popen(job(pool, "/bin/sh", "-c", script), pool.home.work, stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"49999\n"
    assert process.stdout.readline() == b"not yet\n"
    work = pool.home.outside(pool.home.work)
    for name, content in (("lines", b"changed\n"), ("new", b"came\n")):
        (work / "aside").write_bytes(content)
        (work / "aside").rename(work / name)
    out, err = process.communicate(b"go\n", timeout=20)
    assert (process.returncode, out, err) == (0, b"changed\ncame\n", b"")


def test_much_output_on_both_streams(pool: StrictPool) -> None:
    script = "for i in 1 2 3 4 5 6 7 8; do cat lines; cat lines >&2; done"
    ended = pool.home.job("/bin/sh", "-c", script)
    expected = (pool.home.outside(pool.home.work) / "lines").read_bytes() * 8
    assert (ended.code, ended.stdout == expected, ended.stderr == expected) == (0, True, True)


def test_both_streams_into_one_pipe_keep_their_lines_whole(pool: StrictPool) -> None:
    command = " ".join(job(pool, "/bin/sh", "-c", "'for i in 1 2 3; do echo out $i; echo err $i >&2; done'"))
    ended = pool.home.run([BASH, "-c", f"{command} 2>&1"], pool.home.work)
    assert sorted(ended.stdout.split(b"\n")) == sorted(
        [b""] + [b"%s %d" % (w, n) for w in (b"out", b"err") for n in (1, 2, 3)]
    )


@pytest.mark.parametrize(("exit_code", "expected"), [(0, 125), (3, 3)])
def test_output_that_cannot_be_kept_is_no_success(pool: StrictPool, exit_code: int, expected: int) -> None:
    command = " ".join(job(pool, "/bin/sh", "-c", f"'echo lost; exit {exit_code}'"))
    ended = pool.home.run([BASH, "-c", f"{command} >/dev/full"], pool.home.work)
    says_one_sentence(ended, expected)
    assert b"No space left on device" in ended.stderr


# ---- exit codes -----------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 2, 42, 124, 125, 126, 127, 128, 255])
def test_the_exit_code_is_the_programs(pool: StrictPool, code: int) -> None:
    assert pool.home.job("/bin/sh", "-c", f"exit {code}").code == code


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT, signal.SIGPIPE, signal.SIGUSR1]
)
def test_a_job_killed_by_a_signal_is_128_and_the_signal(pool: StrictPool, number: signal.Signals) -> None:
    assert pool.home.job("/bin/sh", "-c", f"ulimit -c 0; kill -{number.value} $$").code == 128 + number


def test_stats_are_said_on_request(pool: StrictPool) -> None:
    ended = pool.home.job("/bin/cat", "lines", options=("--stats",))
    assert ended.code == 0
    line = ended.stderr.decode().splitlines()[0]
    assert len(ended.stderr.splitlines()) <= 3
    for words in (
        "cpu",
        "peak memory",
        "faults",
        "round trips",
        "bytes to the job",
        "bytes home",
        "waiting for home",
    ):
        assert words in line
    moved = re.search(r"(\d+) bytes to the job, (\d+) bytes home", line)
    content = (pool.home.outside(pool.home.work) / "lines").stat().st_size
    assert moved is not None and int(moved[1]) >= content and int(moved[2]) > 0


# ---- signals and terminals ---------------------------------------------------------------


def test_ctrl_c_once_is_the_jobs_affair(pool: StrictPool) -> None:
    script = "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.02; done"
    with Screen(pool, job(pool, "/bin/sh", "-c", script)) as screen:
        screen.expect(b"ready")
        screen.type(b"\x03")
        screen.expect(b"caught")
        assert screen.ends() == 5


def test_ctrl_c_once_ends_an_ordinary_program(pool: StrictPool) -> None:
    with Screen(pool, job(pool, "/bin/sh", "-c", "echo ready; exec sleep 60")) as screen:
        screen.expect(b"ready")
        screen.type(b"\x03")
        assert screen.ends() == 130


def test_ctrl_c_twice_within_a_second_ends_the_job(pool: StrictPool) -> None:
    script = "trap 'echo caught' INT; echo ready; while :; do sleep 0.02; done"
    with Screen(pool, job(pool, "/bin/sh", "-c", script)) as screen:
        screen.expect(b"ready")
        screen.type(b"\x03")
        screen.expect(b"caught")
        screen.type(b"\x03")
        assert screen.ends() == 130
    wait_until(lambda: not pool.pids("trap 'echo caught'"), "the end of the job")


def test_a_terminal_for_the_job(pool: StrictPool) -> None:
    script = (
        "tty | sed 's:/[0-9]*$::'; stty size; test -t 0 && test -t 1 && test -t 2 && echo three; echo $TERM"
    )
    with Screen(pool, job(pool, "/bin/sh", "-c", script, options=("-t",)), rows=33, columns=99) as screen:
        screen.expect(rb"/dev/(pts|console)")
        screen.expect(b"33 99")
        screen.expect(b"three")
        assert screen.ends() == 0


def test_a_terminal_is_resized_while_the_job_runs(pool: StrictPool) -> None:
    script = "trap 'stty size' WINCH; stty size; while :; do sleep 0.02; done"
    with Screen(pool, job(pool, "/bin/sh", "-c", script, options=("-t",))) as screen:
        screen.expect(b"24 80")
        screen.resize(50, 132)
        screen.expect(b"50 132")
        screen.type(b"\x03")
        assert screen.ends() == 130


def test_an_interactive_shell_with_job_control(pool: StrictPool) -> None:
    with Screen(pool, job(pool, BASH, "--norc", "--noediting", "-i", options=("-t",))) as screen:
        screen.expect(rb"\$ ")
        screen.type(b"PS1='$((40+2))> '\n")
        screen.expect(b"42> ")
        screen.type(b"sleep 60\n")
        time.sleep(0.3)
        screen.type(b"\x1a")
        screen.expect(b"Stopped")
        screen.type(b"kill %1; wait; echo still $((1+1))\n")
        screen.expect(b"still 2")
        screen.type(b"cat\n")
        time.sleep(0.3)
        screen.type(b"typed line\n")
        screen.expect(b"typed line\r\n(?s:.*)typed line")
        screen.type(b"\x03")
        screen.expect(b"42> ")
        screen.type(b"exit 7\n")
        assert screen.ends() == 7


@pytest.mark.parametrize("options", [(), ("-t",)], ids=["", "-t"])
def test_a_terminal_that_goes_ends_the_job_as_sighup_does(pool: StrictPool, options: tuple[str, ...]) -> None:
    script = "echo ready; while :; do sleep 0.02; done"
    with Screen(pool, job(pool, "/bin/sh", "-c", script, options=options)) as screen:
        screen.expect(b"ready")
        os.close(screen.master)
        assert screen.process.wait(15) == 128 + signal.SIGHUP
    wait_until(lambda: not pool.pids(script), "the end of the job")


def test_a_descriptor_of_the_shell_is_refused_by_name(pool: StrictPool) -> None:
    command = " ".join(job(pool, "/bin/cat"))
    ended = pool.home.run([BASH, "-c", f"{command} <(echo text)"], pool.home.work)
    says_one_sentence(ended, 125)
    assert b"/dev/fd/" in ended.stderr


def test_the_terminals_mode_is_put_back(pool: StrictPool) -> None:
    command = " ".join(job(pool, "/bin/sh", "-c", "'stty raw -echo; exit 3'", options=("-t",)))
    with Screen(
        pool,
        [BASH, "-c", f"before=$(stty -g); {command}; code=$?; test $before = $(stty -g) && echo same $code"],
    ) as screen:
        screen.expect(b"same 3")


def test_without_t_the_job_has_no_terminal(pool: StrictPool) -> None:
    with Screen(
        pool, job(pool, "/bin/sh", "-c", "test -t 1 || echo none; read line; echo got $line")
    ) as screen:
        screen.expect(b"none")
        screen.type(b"typed\n")
        screen.expect(b"got typed")
        assert screen.ends() == 0


def test_signals_are_forwarded(pool: StrictPool) -> None:
    script = "trap 'echo one' USR1; trap 'echo two; exit 4' USR2; echo ready; while :; do sleep 0.02; done"
    process = pool.home.popen(job(pool, "/bin/sh", "-c", script), pool.home.work)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGUSR1)
    assert process.stdout.readline() == b"one\n"
    process.send_signal(signal.SIGUSR2)
    assert process.stdout.readline() == b"two\n"
    assert process.wait(10) == 4
