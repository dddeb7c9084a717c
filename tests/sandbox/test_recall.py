"""What a job asks for while that which former runs asked for is still on its way."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hpool.sandbox.starter._engine import ffi as engine_ffi
from hpool.sandbox.starter._engine import lib as engine_lib
from tests.sandbox import test_engine as base
from tests.sandbox.test_engine import LIST, MKDIR, NAME, READ, RETRY, STAT, STATFS, Away, away_from, stats

client_library, home = base.client_library, base.home


class SilentHome:
    """Answers nothing until it is told to."""

    def __init__(self, away: Away, answers: threading.Event) -> None:
        self.away = away
        self._answers = answers

    def recall(self, *lines: str) -> None:
        """Asks for all of it; nothing has come when it returns."""
        text = os.fsencode("".join(f"{line}\n" for line in lines))
        engine_lib.hp_engine_recall(self.away.engine, text, len(text), engine_ffi.NULL, 0)

    def answer(self) -> None:
        self._answers.set()

    @property
    def asked(self) -> int:
        return int(stats(self.away).operations)


@pytest.fixture
def silent(home: Path, client_library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentHome]:
    answers = threading.Event()

    def pump(of_home: Any, *args: Any) -> None:
        answers.wait()
        of_home(*args)

    monkeypatch.setattr(base, "pump", functools.partial(pump, base.pump))
    with away_from(home, client_library) as away:
        try:
            yield SilentHome(away, answers)
        finally:
            answers.set()


@pytest.mark.parametrize(
    ("name", "want", "result"),
    [
        ("d/one", STAT, RETRY),
        ("d/one", READ, RETRY),
        ("d", LIST, RETRY),
        ("d/none", STAT, -errno.ENOENT),
        ("alone", READ, RETRY),
    ],
)
def test_what_is_on_its_way_is_not_asked_for_again(
    silent: SilentHome, name: str, want: int, result: int
) -> None:
    top = silent.away.home
    (top / "d").mkdir()
    for file in ("alone", "d/one", "d/two"):
        (top / file).write_text(file)
    silent.recall(f"C {top}/alone", f"D {top}/d")
    asked = silent.asked
    with ThreadPoolExecutor(1) as job:
        answer = job.submit(silent.away.ask, NAME, top / name, want)
        silent.answer()
        assert answer.result(20) == result
    assert silent.asked == asked + (want == LIST), "what statfs says comes with a listing"
    if result == RETRY and want == READ:
        assert silent.away.there(top / name).read_text() == name


def test_what_was_not_asked_for_before_is_asked_for_when_all_has_come(silent: SilentHome) -> None:
    top = silent.away.home
    (top / "new").write_text("new")
    silent.recall(f"R {top}/old")
    with ThreadPoolExecutor(1) as job:
        answer = job.submit(silent.away.ask, NAME, top / "new", READ)
        silent.answer()
        assert answer.result(20) == RETRY
    assert silent.away.there(top / "new").read_text() == "new"


@pytest.mark.parametrize("op", [MKDIR, STATFS])
def test_nothing_is_changed_before_all_has_come(silent: SilentHome, op: int) -> None:
    """Answers of before the change would be taken for ones of after it."""
    top = silent.away.home
    (top / "d").mkdir()
    silent.recall(f"L {top}/d", f"R {top}/none")
    asked, path = silent.asked, top / "d" / ("made" if op == MKDIR else "")
    with ThreadPoolExecutor(1) as job:
        answer = job.submit(silent.away.ask, op, path, 0o755)
        with pytest.raises(TimeoutError):
            answer.result(0.2)
        assert silent.asked == asked
        silent.answer()
        assert answer.result(20) >= 0
    if op == MKDIR:
        assert path.is_dir() and silent.away.ask(NAME, path, STAT) == RETRY


def test_a_link_that_is_lost_ends_the_waiting(silent: SilentHome) -> None:
    silent.recall(f"R {silent.away.home}/a")
    with ThreadPoolExecutor(1) as job:
        answer = job.submit(silent.away.ask, NAME, silent.away.home / "a", STAT)
        engine_lib.hp_engine_fail(silent.away.engine, errno.EIO)
        assert answer.result(20) == -errno.EIO
    engine_lib.hp_engine_await_recalled(silent.away.engine)
