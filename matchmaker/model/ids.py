"""Identifiers of jobs.

Owns: how they are written and read. Leaves to others: who hands them out (the queue).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from hpool.matchmaker.model.errors import BadJobId

_JOB_ID: Final = re.compile(r"([1-9][0-9]{0,17})\.(0|[1-9][0-9]{0,8})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class JobId:
    """One job of one submission: cluster counts submissions, proc the jobs of one."""

    cluster: int
    proc: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads "12.3"; raises BadJobId quoting what it could not read."""
        match = _JOB_ID.fullmatch(text)
        if match is None:
            raise BadJobId(text)
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.cluster}.{self.proc}"
