"""Finding the program as execvp would, and the sentences for what could not be run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hpool.matchmaker.model.errors import (
    HpoolError,
    InterpreterMissing,
    ProgramIsDirectory,
    ProgramNotExecutable,
    ProgramNotFound,
    ProgramWrongKind,
    WorkingDirectoryGone,
)
from hpool.shadow.cli.program import check_program, find_program, working_directory


def find(name: str, directory: Path, path: str | None = None) -> str:
    environ = {} if path is None else {b"PATH": os.fsencode(path)}
    return os.fsdecode(find_program(os.fsencode(name), os.fsencode(directory), environ))


def executable(path: Path, content: bytes = b"#!/bin/sh\n") -> Path:
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def test_a_name_without_slash_is_looked_for_on_path(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    program = executable(tmp_path / "b" / "p")
    (tmp_path / "a" / "p").mkdir()  # a directory of that name is passed over
    assert find("p", tmp_path, f"/nowhere:{tmp_path}/a:{tmp_path}/b") == str(program)
    assert find("sh", tmp_path) in {"/bin/sh", "/usr/bin/sh"}
    with pytest.raises(ProgramNotFound, match="on PATH"):
        find("p", tmp_path, "/nowhere")


def test_an_empty_part_of_path_is_the_working_directory(tmp_path: Path) -> None:
    executable(tmp_path / "p")
    assert os.path.samefile(find("p", tmp_path, ""), tmp_path / "p") if os.getcwd() == str(tmp_path) else True


def test_a_name_with_a_slash_is_not(tmp_path: Path) -> None:
    executable(tmp_path / "p")
    assert find("./p", tmp_path, "/bin") == f"{tmp_path}/./p"
    with pytest.raises(ProgramNotFound):
        find("./sh", tmp_path, "/bin")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may execute anything with one x bit")
def test_what_may_not_be_executed_is_said_if_nothing_better_comes(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"")
    with pytest.raises(ProgramNotExecutable):
        find("p", tmp_path, str(tmp_path))


def test_each_hopeless_case_has_its_own_error(tmp_path: Path) -> None:
    true = Path(shutil.which("true") or "/bin/true").read_bytes()
    arm = executable(tmp_path / "arm", true[:18] + b"\xb7\0" + true[20:])
    thirty_two = executable(tmp_path / "x86", true[:4] + b"\1" + true[5:18] + b"\3\0" + true[20:])
    loaderless = true.replace(b"/lib64/ld-linux-x86-64.so.2", b"/nowhere/ld-linux-x86-64.so", 1)
    os.mkfifo(tmp_path / "fifo", 0o755)
    (tmp_path / "plain").write_bytes(true)
    cases: list[tuple[Path, type[HpoolError], str, int]] = [
        (tmp_path / "none", ProgramNotFound, "there is no program", 127),
        (tmp_path / "plain" / "x", ProgramNotFound, "there is no program", 127),
        (tmp_path, ProgramIsDirectory, "is a directory", 126),
        (tmp_path / "plain", ProgramNotExecutable, "no permission", 126),
        (tmp_path / "fifo", ProgramWrongKind, "not a regular file", 126),
        (executable(tmp_path / "text", b"hello\n"), ProgramWrongKind, "neither an ELF", 126),
        (executable(tmp_path / "empty", b""), ProgramWrongKind, "empty", 126),
        (executable(tmp_path / "cut", b"\x7fELF\2\1"), ProgramWrongKind, "cut short", 126),
        (executable(tmp_path / "half", true[:100]), ProgramWrongKind, "cut short", 126),
        (executable(tmp_path / "loaderless", loaderless), InterpreterMissing, "/nowhere/ld-linux", 127),
        (arm, ProgramWrongKind, "aarch64", 126),
        (thirty_two, ProgramWrongKind, "32-bit x86", 126),
        (executable(tmp_path / "script", b"#! /no/such -x\n"), InterpreterMissing, "/no/such", 127),
    ]
    for path, kind, text, exit_code in cases:
        with pytest.raises(kind, match=text) as caught:
            check_program(os.fsencode(path))
        assert caught.value.exit_code == exit_code


def test_a_working_directory_that_was_removed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(WorkingDirectoryGone):
        working_directory()
    monkeypatch.chdir(tmp_path)
