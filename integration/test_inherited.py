"""What a job's first process inherits from whoever typed `hpool run`: signals, group, session."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from integration.pool import StrictPool

pytestmark = [pytest.mark.slow, pytest.mark.root]

INHERITED = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR1, 40})
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("front", ["shim", "trace"])
def test_signals_ignored_and_blocked_at_home_are_so_away(pool: StrictPool, front: str) -> None:
    """As nohup leaves them; also to a pool that is started by such a command."""
    show = "print([line for line in open('/proc/self/status') if line[:6] in {'SigBlk', 'SigIgn'}])"
    program = ["/usr/bin/python3", "-c", show]
    inherit = ["/usr/bin/python3", "-c", INHERITED]
    native = pool.home.run([*inherit, *program])
    away = pool.home.run([*inherit, *pool.home.hpool(program, "--intercept", front)])
    assert (native.code, native.stderr) == (0, b"")
    assert (away.code, away.stdout) == (0, native.stdout)


SETS: Final = """
umask 027; ulimit -n 123; ulimit -Ss 4096; ulimit -f 100; cd emptydir; X='a  b' Y=; export X Y;
"""
SHOWS: Final = """
umask; ulimit -n; ulimit -Ss; ulimit -Hs; ulimit -f; pwd; env | grep ^[XY]=;
: >made; mkdir new; stat -c %a made new
"""


def test_umask_limits_directory_and_environment_are_the_shells(pool: StrictPool) -> None:
    work = pool.home.fresh_work()
    ended = []
    for command in ("/bin/sh -c", f"{' '.join(pool.home.hpool([]))} /bin/sh -c"):
        (work / "emptydir").mkdir()
        pool.home.own(pool.home.work)
        ended.append(
            pool.home.run(
                ["/bin/bash", "-c", SETS.strip() + f"{command} {shlex.quote(SHOWS)}"], pool.home.work
            )
        )
        shutil.rmtree(work / "emptydir")
    assert ended[0].stderr == b"" and ended[0].stdout.startswith(b"0027\n123\n4096\n")
    assert ended[1] == ended[0]


AS_A_GROUP = """
import subprocess, sys
sys.exit(subprocess.run(sys.argv[1:], process_group=0).returncode)
"""


@pytest.mark.parametrize("front", ["shim", "trace"])
@pytest.mark.parametrize("leads", [False, True], ids=["a group", "a session"])
def test_the_first_process_leads_what_it_would_at_home(pool: StrictPool, front: str, leads: bool) -> None:
    """A shell with job control gives what it starts a group; other starters give it a session."""
    source = Path(__file__).parent / "programs/stops.c"
    subprocess.run(
        [
            "gcc",
            "-D_GNU_SOURCE",
            "-Wall",
            "-Werror",
            source,
            "-o",
            pool.home.outside(f"{pool.home.work}/stops"),
        ],
        check=True,
    )
    pool.home.own(pool.home.work)

    def started(command: list[str]) -> list[str]:
        return command if leads else ["/usr/bin/python3", "-c", AS_A_GROUP, *command]

    native = pool.home.run(started(["./stops"]), pool.home.work)
    away = pool.home.run(started(pool.home.hpool(["./stops"], "--intercept", front)), pool.home.work)
    assert (b"stopped by TSTP" in native.stdout, native.stderr) == (not leads, b"")
    assert (away.code, away.stdout) == (native.code, native.stdout)
