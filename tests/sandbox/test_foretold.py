"""What comes before a job asks for it, with something that it asks for."""

from __future__ import annotations

from tests.sandbox import test_engine as base
from tests.sandbox.test_engine import LIST, NAME, RETRY, STAT, STATFS, Away, stats

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
