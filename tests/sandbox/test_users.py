"""Which user a slot's jobs run as: nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpool.sandbox import users
from hpool.sandbox.users import SlotUsers

FIRST = 3_000_000_000


def test_a_slot_keeps_its_user_and_no_other_has_it(tmp_path: Path) -> None:
    one, other = SlotUsers(FIRST, tmp_path), SlotUsers(FIRST, tmp_path)
    taken = [one.of(0), other.of(0), one.of(1), other.of(1)]
    assert taken == [FIRST, FIRST + 1, FIRST + 2, FIRST + 3]
    assert [one.of(0), other.of(1)] == [FIRST, FIRST + 3]
    one.close()
    assert SlotUsers(FIRST, tmp_path).of(0) == FIRST


@pytest.mark.root
def test_a_user_whose_processes_run_is_somebodys(tmp_path: Path) -> None:
    code = "import os, sys; os.setuid(int(sys.argv[1])); print(flush=True); os.read(0, 1)"
    command = [sys.executable, "-c", code, str(FIRST)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        assert SlotUsers(FIRST, tmp_path).of(0) == FIRST + 1
        process.communicate(b"x")


def test_when_all_are_taken_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "TRIED", 2)
    mine = SlotUsers(FIRST, tmp_path)
    assert [mine.of(0), mine.of(1)] == [FIRST, FIRST + 1]
    with pytest.raises(OSError, match="no user id is free"):
        mine.of(2)


def test_without_a_place_for_locks_it_goes_on(tmp_path: Path) -> None:
    nowhere = tmp_path / "absent" / "deeper"
    assert SlotUsers(FIRST, nowhere).of(0) == FIRST
    assert not os.path.exists(nowhere)
