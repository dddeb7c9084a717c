"""Who is asked for an image of a job, and what is said at the door."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hpool.sandbox.api import door as api
from hpool.sandbox.starter.checkpoint import Copied, CopyRefused
from hpool.sandbox.starter.door import Door


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """3000 is a starter below its nursery, 4000 its job, 5000 somebody else."""
    doors = tmp_path / "doors"
    doors.mkdir()
    (doors / "3000.7.0").touch()
    nursery = f"python\0-I\0-m\0{api.MODULE}\0{api.OPTION}\0{doors}\0{9}\0"
    for pid, parent, line in (
        (1, 0, "init\0"),
        (2000, 1, nursery),
        (3000, 2000, nursery),
        (3500, 3000, "hpool-keeper\0"),
        (4000, 3500, "python\0-m\0solve\0"),
        (5000, 1, f"grep\0{api.MODULE}\0"),
    ):
        place = tmp_path / "proc" / str(pid)
        place.mkdir(parents=True)
        (place / "cmdline").write_text(line)
        (place / "stat").write_text(f"{pid} (a (b) c) S {parent} 0 0")
    return tmp_path / "proc"


def test_a_process_leads_to_the_starter_it_descends_from(proc: Path) -> None:
    place = api.of_process(4000, proc)
    assert place is not None and (place.name, place.job_id) == ("3000.7.0", "7.0")
    assert api.of_process(5000, proc) is None
    assert api.of_process(2000, proc) is None, "a nursery has no job"
    with pytest.raises(ProcessLookupError):
        api.of_process(6000, proc)


def test_a_job_leads_to_its_starter(proc: Path) -> None:
    assert [place.name for place in api.of_job("7.0", proc)] == ["3000.7.0"]
    assert api.of_job("8.0", proc) == []


class Job:
    """What a starter's is to its door."""

    def __init__(self, tmp_path: Path) -> None:
        self.runs = True
        self.is_whole = True
        self.kept: list[api.Written] = []
        self._place = api.Place(tmp_path, api.name_of(os.getpid(), "7.0"))
        self._door = Door(tmp_path, "7.0")
        self._door.serve(self.copy)

    def copy(self, given: tuple[int, int, int], before_end: Callable[[Copied], None] | None) -> Copied:
        if not self.runs:
            raise CopyRefused("it does not run")
        os.write(given[1], b"meta")
        made = Copied(3, 1500, (0, 0, 0, 0))
        if before_end is not None:
            before_end(made)
            self.runs = False
        return made

    def asked(self, *, stop: bool, keeps: bool = True) -> api.Written | api.NotWritten:
        files = [os.memfd_create(name) for name in ("job", "meta", "pages")]

        def keep(written: api.Written) -> None:
            assert os.pread(files[1], 10, 0) == b"meta" and self.runs
            if not keeps:
                raise OSError(errno.ENOSPC, "no room")
            self.kept.append(written)

        try:
            return api.ask(self._place, (files[0], files[1], files[2]), keep, stop=stop)
        finally:
            for fd in files:
                os.close(fd)


def test_what_is_said_at_the_door(tmp_path: Path) -> None:
    job, written = Job(tmp_path), api.Written("7.0", 3, 1500)
    assert job.asked(stop=False) == written
    with pytest.raises(OSError, match="no room"):
        job.asked(stop=True, keeps=False)
    assert job.asked(stop=True) == written, "what could not be kept was no reason to end"
    assert job.kept == [written, written]
    assert job.asked(stop=True) == api.NotWritten("7.0", "it does not run")
