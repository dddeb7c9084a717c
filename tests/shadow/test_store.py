"""The queue on disk."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from hpool.matchmaker.model.ids import JobId
from hpool.matchmaker.model.places import QueueUnwritable
from hpool.matchmaker.model.states import JobState
from hpool.shadow import store as store_module
from hpool.shadow.api.job import JobDescription, Outcome
from hpool.shadow.store import Store


def description() -> JobDescription:
    return JobDescription(
        *(b"/bin/true", (b"true", b""), (b"SECRET=1",), b"/w", 0o22, (), 1, 2, (), "h", False, "none"),
        *(1, 0, (), "me"),
    )


def test_what_was_accepted_survives(tmp_path: Path) -> None:
    store = Store(tmp_path / "q")
    job = store.accept(description(), "t", 1.0)
    store.save(
        replace(job, state=JobState.CLAIMED, ticket="", machine="m", changed_at_s=2.0), "claimed", machine="m"
    )
    # No close: as after a kill.
    again = Store(tmp_path / "q")
    (found,) = again.unfinished()
    assert (found.job_id, found.state, found.machine) == (JobId(1, 0), JobState.CLAIMED, "m")
    (row,) = again.queue()
    assert (row.owner, row.arguments, row.directory) == ("me", (b"true", b""), b"/w")
    assert [kind for _, kind, _ in again.events(job.job_id)] == ["submitted", "claimed"]
    assert stat.S_IMODE((tmp_path / "q").stat().st_mode) == 0o600


def test_a_finished_job_is_history_and_its_environment_is_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path / "q")
    for number in range(3):
        job = store.accept(description(), "t", float(number))
        done = Outcome(True, number, 0, "m", False)
        store.save(replace(job, state=JobState.COMPLETED, outcome=done, changed_at_s=10.0 + number), "ended")
    assert store.unfinished() == []
    assert [row.job.outcome.exit_code for row in store.history(2) if row.job.outcome] == [1, 2]
    assert store.finished_count() == 3
    store.close()
    assert b"SECRET" not in b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name == "q")


def test_numbers_are_never_used_again(tmp_path: Path, monkeypatch: object) -> None:
    store = Store(tmp_path / "q")
    for _ in range(4):
        job = store.accept(description(), "t", 1.0)
        store.save(replace(job, state=JobState.FAILED), "ended")
    store_module.HISTORY_KEPT, kept = 1, store_module.HISTORY_KEPT  # type: ignore[misc]
    try:
        store.prune()
    finally:
        store_module.HISTORY_KEPT = kept  # type: ignore[misc]
    assert 1 <= store.finished_count() < 4
    assert store.accept(description(), "t", 1.0).job_id == JobId(5, 0)


def test_what_a_full_disk_does_not_take_is_refused_whole_and_room_helps(tmp_path: Path) -> None:
    store = Store(tmp_path / "q")
    kept = store.accept(description(), "t", 1.0)
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count={pages}")
    large = description()._replace(environment=(b"A" * 100_000,))
    with pytest.raises(QueueUnwritable, match="full"):
        store.accept(large, "t", 2.0)
    with pytest.raises(QueueUnwritable):
        store.save(replace(kept, state=JobState.CLAIMED), "claimed", why="x" * 100_000)
    (row,) = store.queue()
    assert row.job.state is JobState.IDLE
    store._db.execute("PRAGMA max_page_count=10000")
    assert store.accept(large, "t", 3.0).job_id == JobId(2, 0)
