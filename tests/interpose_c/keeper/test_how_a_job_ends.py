"""How a job ends: with everything of it, whoever goes first; its terminal; jobs that never began."""

from __future__ import annotations

import errno
import signal
import subprocess
import time
from typing import Any

import pytest

from hpool.interpose_c.executables import KEEPER
from tests.interpose_c.keeper.jail import Jail, await_survivors, survivors

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
    await_survivors(token, 1)  # the end of the stream may come before the shell has started it
    running.finish()


def test_who_has_itself_traced_by_pid_1_goes_on(jail: Jail) -> None:
    assert jail.run("probe", "traceme").ended == (9, 0)


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
