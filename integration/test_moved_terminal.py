"""Jobs that have a terminal (`hpool run -t`) and move to another machine."""

from __future__ import annotations

import signal

import pytest

from integration.pool import HPOOL, StrictPool
from integration.rooms import wait_until
from integration.screen import Screen

pytestmark = [pytest.mark.slow, pytest.mark.root]
BASH = "/bin/bash"
# Its own settings, a terminal opened by another name, and one opened so that nothing waits.
SETTINGS = """
import fcntl, os, sys, termios
other, own = os.open("/dev/tty", os.O_WRONLY), os.open("/dev/pts/0", os.O_RDWR | os.O_NONBLOCK)
mode = termios.tcgetattr(0)
mode[3] &= ~(termios.ECHO | termios.ICANON)
mode[6][termios.VMIN] = 3
termios.tcsetattr(0, termios.TCSANOW, mode)
before = keys = None
while keys != b"end":
    ends = [fcntl.fcntl(fd, fcntl.F_GETFD) for fd in range(3)]
    waits = [fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK != 0 for fd in (0, own)]
    groups = os.getsid(0), os.getpgrp(), os.tcgetpgrp(0)
    now = termios.tcgetattr(0), ends, waits, groups, os.ttyname(0), os.isatty(other)
    os.write(other, b"same" if before in (None, now) else repr((before, now)).encode())
    before = now
    os.system("echo child")
    keys = os.read(0, 3)
    print("given", keys, flush=True)
"""


def ask(pool: StrictPool, command: str) -> str:
    job_id = pool.home.run([HPOOL, "queue"]).stdout.decode().splitlines()[1].split()[0]
    done = pool.home.run([HPOOL, command, job_id])
    assert done.code == 0, done
    return done.stdout.decode()


def in_terminal(pool: StrictPool, *argv: str) -> Screen:
    return Screen(pool, pool.home.hpool(list(argv), "-t"))


def test_a_shell_and_its_jobs_move(own_pool: StrictPool) -> None:
    with in_terminal(own_pool, BASH, "--norc", "--noediting", "-i") as screen:
        screen.expect(rb"\$ ")
        screen.type(b"PS1='$((40+2))> '; n=0\n")
        screen.expect(b"42> ")
        for number in range(1, 4):
            assert f"epoch {number} is kept" in ask(own_pool, "vacate")
            screen.type(b"n=$((n+1)); echo n is $n; stty size; tty\n")
            screen.expect(b"n is %d" % number)
            screen.expect(b"24 80")
            screen.expect(b"/dev/pts/0")
            screen.expect(b"42> ")
        screen.type(b"sh -c 'echo begun; exec sleep 60'\n")
        screen.expect(b"begun\r")
        ask(own_pool, "vacate")
        screen.type(b"\x1a")
        screen.expect(b"Stopped")
        screen.expect(b"42> ")
        ask(own_pool, "vacate")
        screen.type(b"fg\n")
        screen.expect(b"exec sleep 60'\r\n")
        screen.type(b"\x03")
        screen.expect(b"42> ")
        screen.type(b"echo code $?; cat\n")
        screen.expect(b"code 130\r\n")
        screen.type(b"typed line\n")
        screen.expect(b"typed line\r\ntyped line\r\n")
        ask(own_pool, "vacate")
        screen.type(b"typed later\n")
        screen.expect(b"typed later\r\ntyped later\r\n")
        screen.type(b"\x04exit 7\n")
        assert screen.ends() == 7


def test_settings_and_descriptors_of_a_terminal_move(own_pool: StrictPool) -> None:
    with in_terminal(own_pool, "/usr/bin/python3", "-c", SETTINGS) as screen:
        for keys in (b"abc", b"def", b"ghi"):
            screen.expect(b"same")
            screen.expect(b"child\r\n")
            ask(own_pool, "vacate")
            screen.type(keys)
            screen.expect(b"given b'%s'" % keys)
        screen.type(b"end")
        assert screen.ends() == 0


def test_a_window_is_as_large_as_it_became_meanwhile(own_pool: StrictPool) -> None:
    script = "trap 'stty size' WINCH; stty size; while :; do sleep 0.02; done"
    with in_terminal(own_pool, "/bin/sh", "-c", script) as screen:
        screen.expect(b"24 80")
        own_pool.roles["sandbox"].send_signal(signal.SIGTERM)
        wait_until(lambda: own_pool.pids("hpool-keeper") == [], "its way out")
        screen.resize(50, 132)
        own_pool.start("sandbox")
        screen.expect(b"50 132", 30)
        screen.type(b"\x03")
        assert screen.ends() == 130


def test_much_that_a_terminal_says_is_said_once(own_pool: StrictPool) -> None:
    script = (
        "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); echo line $i; case $i in *00) sleep 0.02; esac; done"
    )
    script += "; echo over"
    with in_terminal(own_pool, "/bin/sh", "-c", script) as screen:
        for number in range(1, 4):
            screen.expect(b"line %d00\r\n" % number)
            ask(own_pool, "vacate")
        said = screen.expect(rb"(?s)\A(.*)over\r\n", 60).group(1)
        numbers = [int(line.split()[1]) for line in said.splitlines() if line.startswith(b"line")]
        assert numbers[-1] == 30000 and numbers == list(range(numbers[0], 30001))
        assert screen.ends() == 0


def test_what_was_typed_and_not_read_yet_moves(own_pool: StrictPool) -> None:
    """Lines, the end of a file, and a line that is not finished and is edited afterwards."""
    script = "echo up; while ! test -e go; do sleep 0.05; done; cat; echo between; cat"
    with in_terminal(own_pool, "/bin/sh", "-c", script) as screen:
        screen.expect(b"up\r\n")
        screen.type(b"one\nq\x7ftwo\n\x04thr")
        screen.expect(b"thr")
        for number in range(1, 4):
            assert f"epoch {number} is kept" in ask(own_pool, "checkpoint" if number == 2 else "vacate")
            wait_until(lambda: "running" in own_pool.home.run([HPOOL, "queue"]).stdout.decode(), "it")
        screen.type(b"\x7free\n\x04")
        screen.expect(b"ree\r\n")
        (own_pool.home.outside(own_pool.home.work) / "go").touch()
        screen.expect(rb"\Aone\r\ntwo\r\nbetween\r\nthree\r\n")
        assert screen.ends() == 0
