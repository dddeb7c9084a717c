"""`hpool restore`: a job goes on from an image, on this machine, attached to this terminal.

Owns: the place for its journal while it runs, streams, sentences. Leaves to others: which image is meant
(image), being its home and its machine (agent.alone), the terminal.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from hpool.matchmaker.model.again import CannotRestore, NoJobInImage
from hpool.matchmaker.model.image_errors import NoImage
from hpool.matchmaker.model.settings import Directories

if TYPE_CHECKING:
    from hpool.interpose_c.image.store import Epoch, Store
    from hpool.shadow.api.home import Task
    from hpool.shadow.api.job import Outcome
    from hpool.shadow.cli.terminal import Terminal

HOME_MODULE: Final = "hpool.shadow.agent.alone"
END_WITHIN_S: Final = 15.0


@click.command()
@click.option(
    "--eager", is_flag=True, help="With all its memory at once; else much of it follows while it runs."
)
@click.argument("path", metavar="IMAGE", type=click.Path(path_type=Path))
def restore(path: Path, eager: bool) -> int:
    """Go on from IMAGE, which `hpool dump` wrote, or a relinked program: here, without a pool.

    Its files are those at home as they are now. Its streams are this terminal's; a file as stdin is read on
    from where the job was. The exit code is the job's; 125: it could not go on.
    """
    from hpool.shadow.api.home import TASK
    from hpool.shadow.cli.image import find

    if path.is_file():
        _become(path)
    store, epoch = find(path)
    store.verify(epoch)
    told = epoch.job()
    if not told:
        raise NoJobInImage(str(path))
    task: Task = TASK.decode(told)
    if task.going is not None:
        _read_on(task.going.input)
    if eager:
        task = task._replace(job=task.job._replace(restore_eagerly=True))
    with _place(store, epoch, task) as place:
        return _run(path, place, is_terminal=task.job.terminal is not None)


def _become(path: Path) -> NoReturn:
    """A relinked program goes on from its own image by itself."""
    from hpool.interpose_c.image.own import program_of

    try:
        program = program_of(path)
        if program is None:
            raise NoImage(str(path))
        os.execv(program, [program, "--hpool-restart", os.fspath(path)])
    except OSError as error:
        raise CannotRestore(str(path), error.strerror or str(error)) from error


def _read_on(position: int) -> None:
    """What the job had of a file, it does not get again."""
    with contextlib.suppress(OSError):
        if stat.S_ISREG(os.fstat(0).st_mode):
            os.lseek(0, position, os.SEEK_CUR)


@contextlib.contextmanager
def _place(store: Store, epoch: Epoch, task: Task) -> Iterator[Path]:
    """A private directory with all that the job's home needs, as long as it runs."""
    from hpool.matchmaker.hosting.role import private_directory
    from hpool.shadow.agent.alone import JOB_NAME, JOURNAL
    from hpool.shadow.api.home import Going
    from hpool.shadow.api.job import JOB
    from hpool.shadow.job.images import IMAGES, Images

    state = private_directory(Directories.of_user(os.environ, os.getuid()).state)
    place = Path(tempfile.mkdtemp(prefix="restored-", dir=state))
    try:
        # The beginning of its journal is this moment, and so is that of its streams.
        going = Going(0, len(epoch.meta()), epoch.pages_bytes, 0, 0, 0)
        Images(place / JOURNAL / IMAGES).plant(store, epoch, going)
        job = task.job._replace(restarts=0, checkpoint_every_s=0)
        (place / JOB_NAME).write_bytes(JOB.encode(job))
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _run(path: Path, place: Path, *, is_terminal: bool) -> int:
    from hpool.shadow.cli.run import say
    from hpool.shadow.cli.terminal import Terminal

    with (place / "log").open("wb") as log:
        home = subprocess.Popen(
            [sys.executable, "-I", "-m", HOME_MODULE, os.fspath(place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            start_new_session=True,  # what is typed here is the job's
        )
    assert home.stdin is not None and home.stdout is not None
    try:
        said = _line(home.stdout)
        if said is None:
            raise CannotRestore(str(path), f"its home could not be made: {_last_words(place)}")
        terminal = Terminal(
            *(said[0], said[1]),
            raw=is_terminal,
            on_progress=lambda state, machine: None,
            on_restart=lambda sentence: None,
            reattach=lambda gone: None,
        )
        outcome = terminal.run()
        if outcome.removed and terminal.ended_by is None and (why := _line(home.stdout)) is not None:
            raise CannotRestore(str(path), why[0])
        for line in terminal.remarks:
            say(line)
        return _status(outcome, terminal)
    finally:
        home.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            home.wait(END_WITHIN_S)


def _status(outcome: Outcome, terminal: Terminal) -> int:
    from hpool.shadow.cli.run import say_error

    if terminal.ended_by is not None:
        return 128 + terminal.ended_by
    if outcome.problem is not None:
        say_error(outcome.problem.error())
    if terminal.output_lost is not None:
        say_error(terminal.output_lost)
    return terminal.status_of(outcome)


def _line(output: Any) -> list[str] | None:
    """None: the end."""
    line = output.readline()
    return [str(each) for each in json.loads(line)] if line else None


def _last_words(place: Path) -> str:
    lines = (place / "log").read_text(errors="replace").splitlines()
    return lines[-1] if lines else "nothing in its log"
