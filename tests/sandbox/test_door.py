"""Who is asked for an image of a job, and what is said at the door."""

from __future__ import annotations

import os
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


def asked(tmp_path: Path, word: bytes) -> api.Written | api.NotWritten:
    files = [os.memfd_create(name) for name in ("job", "meta", "pages")]

    def copy(given: tuple[int, int, int], stop: bool) -> Copied:
        if stop:
            raise CopyRefused("it does not run")
        os.write(given[1], b"meta")
        return Copied(3, 1500, (0, 0, 0, 0))

    door = Door(tmp_path, "7.0")
    door.serve(copy)
    said = api.ask(api.Place(tmp_path, api.name_of(os.getpid(), "7.0")), word, (files[0], files[1], files[2]))
    door.close()
    assert os.pread(files[1], 10, 0) == (b"meta" if isinstance(said, api.Written) else b"")
    for fd in files:
        os.close(fd)
    return said


def test_what_is_said_at_the_door(tmp_path: Path) -> None:
    assert asked(tmp_path, api.DUMP) == api.Written("7.0", 3, 1500)
    (tmp_path / api.name_of(os.getpid(), "7.0")).unlink()
    assert asked(tmp_path, api.DUMP_AND_STOP) == api.NotWritten("7.0", "it does not run")
    (tmp_path / api.name_of(os.getpid(), "7.0")).unlink()
    assert asked(tmp_path, b"sing") == api.NotWritten("7.0", "this hpool is another version")
