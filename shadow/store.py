"""The queue on disk: sqlite3, write-ahead log, every commit synchronised.

Owns: what survives a power cut: jobs, their descriptions until they end, the event log. When a method
returns, what it wrote is on disk. Leaves to others: what a change means (lifecycle).
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hpool.matchmaker.model.ids import JobId
from hpool.matchmaker.model.places import QueueUnwritable
from hpool.matchmaker.model.states import FINAL_STATES, JobState
from hpool.shadow.api.job import JOB, OUTCOME, JobDescription
from hpool.shadow.lifecycle import Job

HISTORY_KEPT: Final = 10_000

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS jobs (
    cluster INTEGER NOT NULL, proc INTEGER NOT NULL, state TEXT NOT NULL, ticket TEXT NOT NULL,
    machine TEXT NOT NULL, submitted_at_s REAL NOT NULL, changed_at_s REAL NOT NULL,
    owner TEXT NOT NULL, arguments BLOB NOT NULL, directory BLOB NOT NULL,
    description BLOB, outcome BLOB, restarts INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (cluster, proc));
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, changed_at_s);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, cluster INTEGER NOT NULL, proc INTEGER NOT NULL,
    at_s REAL NOT NULL, kind TEXT NOT NULL, facts TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_job ON events (cluster, proc, number);
"""
_FINAL: Final = ",".join(f"'{state.value}'" for state in FINAL_STATES)


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job with what people want to see of its description."""

    job: Job
    owner: str
    arguments: tuple[bytes, ...]
    directory: bytes


class Store:
    """One database; one process at a time (the agent's role lock sees to that). What writes raises
    QueueUnwritable, and then has changed nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        path.chmod(0o600)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        if "restarts" not in {row[1] for row in self._db.execute("PRAGMA table_info(jobs)")}:
            # A queue of an earlier version.
            self._db.execute("ALTER TABLE jobs ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0")

    def close(self) -> None:
        self._db.close()

    def accept(self, description: JobDescription, ticket: str, at_s: float) -> Job:
        """A new job with the next number."""
        with self._transaction():
            (cluster,) = self._db.execute("SELECT COALESCE(MAX(cluster), 0) + 1 FROM jobs").fetchone()
            job = Job(JobId(cluster, 0), JobState.IDLE, ticket, at_s, at_s)
            self._db.execute(
                "INSERT INTO jobs VALUES (?,?,?,?,?,?,?,?,?,?,?,NULL,0)",
                (
                    *(cluster, 0, job.state.value, ticket, "", at_s, at_s, description.owner),
                    b"\0".join(description.arguments),
                    description.directory,
                    JOB.encode(description),
                ),
            )
            self._log(job.job_id, at_s, "submitted", {})
        return job

    def save(self, job: Job, kind: str, **facts: object) -> None:
        """The job's new state, and the event that led to it."""
        outcome = None if job.outcome is None else OUTCOME.encode(job.outcome)
        with self._transaction():
            self._db.execute(
                "UPDATE jobs SET state=?, ticket=?, machine=?, changed_at_s=?, outcome=?, restarts=?,"
                " description=CASE WHEN ? THEN NULL ELSE description END WHERE cluster=? AND proc=?",
                (
                    *(job.state.value, job.ticket, job.machine, job.changed_at_s, outcome, job.restarts),
                    # The environment may hold secrets: it goes when it is not needed any more.
                    job.is_over,
                    *(job.job_id.cluster, job.job_id.proc),
                ),
            )
            self._log(job.job_id, job.changed_at_s, kind, facts)

    def note(self, job_id: JobId, at_s: float, kind: str, facts: str) -> None:
        """A line of the job's log that changes nothing else; `facts` is a JSON object."""
        with self._transaction():
            self._log(job_id, at_s, kind, json.loads(facts))

    def description(self, job_id: JobId) -> JobDescription | None:
        """Until the job is over."""
        where = (job_id.cluster, job_id.proc)
        row = self._db.execute("SELECT description FROM jobs WHERE cluster=? AND proc=?", where).fetchone()
        return None if row is None or row[0] is None else JOB.decode(row[0])

    def job(self, job_id: JobId) -> Job | None:
        rows = self._select("cluster=? AND proc=?", job_id.cluster, job_id.proc)
        return rows[0].job if rows else None

    def unfinished(self) -> list[Job]:
        return [stored.job for stored in self._select(f"state NOT IN ({_FINAL}) ORDER BY cluster, proc")]

    def queue(self) -> list[StoredJob]:
        return self._select(f"state NOT IN ({_FINAL}) ORDER BY cluster, proc")

    def history(self, limit: int) -> list[StoredJob]:
        """Jobs that are over, oldest first; `limit` newest ones, 0 for all."""
        rows = self._select(f"state IN ({_FINAL}) ORDER BY changed_at_s DESC LIMIT ?", limit or -1)
        return rows[::-1]

    def finished_count(self) -> int:
        (count,) = self._db.execute(f"SELECT COUNT(*) FROM jobs WHERE state IN ({_FINAL})").fetchone()
        return int(count)

    def prune(self) -> None:
        """Forgets all but the newest of the history; numbers are never used again."""
        with self._transaction():
            old = (
                f"SELECT cluster FROM jobs WHERE state IN ({_FINAL}) AND cluster <"
                " (SELECT MAX(cluster) FROM jobs) ORDER BY changed_at_s DESC LIMIT -1 OFFSET ?"
            )
            self._db.execute(f"DELETE FROM events WHERE cluster IN ({old})", (HISTORY_KEPT,))
            self._db.execute(f"DELETE FROM jobs WHERE cluster IN ({old})", (HISTORY_KEPT,))

    def knows(self, job_id: JobId) -> bool:
        where = (job_id.cluster, job_id.proc)
        return self._db.execute("SELECT 1 FROM jobs WHERE cluster=? AND proc=?", where).fetchone() is not None

    def events(self, job_id: JobId) -> list[tuple[float, str, dict[str, object]]]:
        rows = self._db.execute(
            "SELECT at_s, kind, facts FROM events WHERE cluster=? AND proc=? ORDER BY number",
            (job_id.cluster, job_id.proc),
        )
        return [(at_s, kind, json.loads(facts)) for at_s, kind, facts in rows]

    def newest(self, job_id: JobId, kind: str) -> Iterator[tuple[float, dict[str, object]]]:
        """Events of one kind, from the newest on; as many are read as are taken."""
        rows = self._db.execute(
            "SELECT at_s, facts FROM events WHERE cluster=? AND proc=? AND kind=? ORDER BY number DESC",
            (job_id.cluster, job_id.proc, kind),
        )
        return ((at_s, json.loads(facts)) for at_s, facts in rows)

    def _select(self, where: str, *values: object) -> list[StoredJob]:
        rows = self._db.execute(
            "SELECT cluster, proc, state, ticket, machine, submitted_at_s, changed_at_s, outcome,"
            f" owner, arguments, directory, restarts FROM jobs WHERE {where}",
            values,
        )
        return [_stored(row) for row in rows]

    def _log(self, job_id: JobId, at_s: float, kind: str, facts: dict[str, object]) -> None:
        self._db.execute(
            "INSERT INTO events (cluster, proc, at_s, kind, facts) VALUES (?,?,?,?,?)",
            (job_id.cluster, job_id.proc, at_s, kind, json.dumps(facts)),
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it or nothing. Raises QueueUnwritable."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise QueueUnwritable(os.fspath(self._path), str(error)) from error
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def _stored(row: tuple[object, ...]) -> StoredJob:
    cluster, proc, state, ticket, machine, submitted_at_s, changed_at_s = row[:7]
    outcome, owner, arguments, directory, restarts = row[7:]
    assert isinstance(cluster, int)
    assert isinstance(proc, int)
    assert isinstance(submitted_at_s, float)
    assert isinstance(changed_at_s, float)
    assert isinstance(arguments, bytes)
    assert isinstance(directory, bytes)
    assert isinstance(restarts, int)
    job = Job(
        JobId(cluster, proc),
        JobState(state),
        str(ticket),
        submitted_at_s,
        changed_at_s,
        str(machine),
        OUTCOME.decode(outcome) if isinstance(outcome, bytes) else None,
        restarts,
    )
    return StoredJob(job, str(owner), tuple(arguments.split(b"\0")), directory)
