"""What comes before a job asks for it, with something that it asks for."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from tests.sandbox import test_engine as base
from tests.sandbox.test_engine import (
    LIST,
    NAME,
    RETRY,
    STAT,
    STATFS,
    Away,
    away_from,
    listed,
    recall,
    remembered,
    stats,
)

home, client_library, away = base.home, base.client_library, base.away


def test_a_little_content_comes_with_a_name_that_is_only_looked_at(away: Away) -> None:
    file = away.home / "a"
    file.write_text("hello")
    before = stats(away).round_trips
    assert away.ask(NAME, file, STAT) == RETRY
    assert stats(away).round_trips == before + 1
    assert away.there(file).read_text() == "hello"
    assert away.there(file).stat().st_mtime_ns == file.stat().st_mtime_ns


def test_what_statfs_says_comes_with_the_first_listing(away: Away) -> None:
    (away.home / "d").mkdir()
    assert away.ask(NAME, away.home / "d", LIST) == RETRY
    before = stats(away).round_trips
    assert away.ask(STATFS, away.home / "d") == 120
    assert stats(away).round_trips == before


def test_of_many_names_the_next_run_has_those_that_were_looked_for(
    home: Path, client_library: ctypes.CDLL, tmp_path: Path
) -> None:
    for number in range(300):
        (home / f"a name of some length, and its number {number}").touch()
    looked_for = [home / f"absent {number}" for number in range(6)]
    with away_from(home, client_library) as away:
        for path in looked_for:
            assert away.ask(NAME, path, STAT) == -errno.ENOENT
        text = remembered(away, tmp_path / "pack")
    assert sorted(line[2:] for line in text.splitlines() if b"absent" in line) == list(
        map(os.fsencode, looked_for)
    )
    with away_from(home, client_library) as away:
        assert 0 < recall(away, text, b"") < 10_000
        before = stats(away).round_trips
        for path in looked_for:
            assert away.ask(NAME, path, STAT) == -errno.ENOENT
        assert stats(away).round_trips == before
    with away_from(home, client_library) as away:
        for path in looked_for:
            assert away.ask(NAME, path, STAT) == -errno.ENOENT
        assert len(listed(away, home)) == 300
        text = remembered(away, tmp_path / "pack")
    with away_from(home, client_library) as away:
        assert recall(away, text, b"") > 20_000
        before = stats(away).round_trips
        assert len(listed(away, home)) == 300
        assert stats(away).round_trips == before
