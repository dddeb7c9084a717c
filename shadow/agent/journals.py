"""Undo journals of this agent's jobs, as directories.

Owns: where each lies, and how long: a job's that completed is discarded, any other's is kept for its user
(`hpool rollback`), newest ones for a day. Leaves to others: what is in them (shadow.home).
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Container
from pathlib import Path
from typing import Final

from hpool.matchmaker.model.errors import BadJobId
from hpool.matchmaker.model.ids import JobId

log = logging.getLogger("journals")

KEPT: Final = 32
KEPT_S: Final = 24 * 3600.0


class Journals:
    """Blocking: a journal may hold much."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, job_id: JobId) -> Path:
        return self._directory / str(job_id)

    def make(self, job_id: JobId) -> Path:
        path = self.path(job_id)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def discard(self, job_id: JobId) -> None:
        shutil.rmtree(self.path(job_id), ignore_errors=True)

    def prune(self, live: Container[JobId]) -> None:
        """Those of jobs that are over and were kept for long enough."""
        over: list[tuple[float, JobId]] = []
        for path in self._directory.iterdir() if self._directory.exists() else ():
            try:
                job_id = JobId.parse(path.name)
                changed_s = (path / "table").stat().st_mtime if (path / "table").exists() else 0.0
            except (BadJobId, OSError) as error:
                log.warning("%s: %s", path, error)
                continue
            if job_id not in live:
                over.append((changed_s, job_id))
        oldest_s = time.time() - KEPT_S
        for number, (changed_s, job_id) in enumerate(sorted(over, reverse=True)):
            if number >= KEPT or changed_s < oldest_s:
                self.discard(job_id)
