"""`hpool dump`: an image of a job that runs on this machine, into a directory.

Owns: which job is meant, keeping what its starter writes. Leaves to others: the image (starter), its format
(interpose_c/image), going on from it (restore).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hpool.matchmaker.model.again import CannotKeepImage, NoCheckpoint, NoSuchProcess, NotAJobHere
from hpool.matchmaker.model.ids import JobId

if TYPE_CHECKING:
    from hpool.sandbox.api.door import Place


@click.command()
@click.argument("what", metavar="PID|JOB")
@click.option(
    *("-o", "--output"), type=click.Path(path_type=Path), metavar="IMAGE", help="Default: hpool-JOB.image."
)
@click.option("--stop", is_flag=True, help="The job ends there and goes on from the image alone.")
def dump(what: str, output: Path | None, stop: bool) -> None:
    """Write a job that runs on this machine to IMAGE, named by the number of any of its processes.

    Nobody else of the pool is needed, and the job goes on. IMAGE is a directory; each dump into it adds an
    epoch. `hpool image show` looks at it, `hpool restore` goes on from it.
    """
    from hpool.interpose_c.image.store import Store
    from hpool.sandbox.api import door

    place = find(what)
    path = output or Path(f"hpool-{place.job_id}.image")
    job_fd, meta_fd, pages_fd = (os.memfd_create(name, os.MFD_CLOEXEC) for name in ("job", "meta", "pages"))
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = Store(path)

        def keep(written: door.Written) -> None:
            store.commit(_content(meta_fd), pages_fd, _content(job_fd))

        said = door.ask(place, (job_fd, meta_fd, pages_fd), keep, stop=stop)
        if isinstance(said, door.NotWritten):
            raise NoCheckpoint(said.job_id, said.why)
    except ConnectionError as error:
        raise NotAJobHere(what, "its starter ended meanwhile") from error
    except OSError as error:
        raise CannotKeepImage(str(path), error.strerror or str(error)) from error
    still = f"it stood still for {said.frozen_us / 1000:.1f} ms"
    click.echo(
        f"job {said.job_id} is in {path}, epoch {store.numbers()[-1]}; {still}{', and ended' if stop else ''}"
    )
    if said.epoch and not stop:
        click.echo(
            f"what it changes at home from now on can be undone when it is over, if it does not complete:"
            f" hpool rollback {said.job_id} {said.epoch}"
        )


def find(what: str) -> Place:
    """Raises HpoolError."""
    from hpool.sandbox.api import door

    if not what.isdecimal():
        places = door.of_job(str(JobId.parse(what)))
        if len(places) != 1:
            why = "none has that name" if not places else "several have that name, name a process instead"
            raise NotAJobHere(what, why)
        return places[0]
    pid = int(what)
    try:
        place = door.of_process(pid)
    except ProcessLookupError as error:
        raise NoSuchProcess(pid) from error
    except OSError as error:
        raise NotAJobHere(f"process {pid}", f"its sandbox is somebody else's ({error.strerror})") from error
    if place is None:
        raise NotAJobHere(f"process {pid}", "no starter is among its ancestors")
    return place


def _content(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)
