"""The catalogue's part on the descriptors of who typed `hpool run`.

Owns: what can be wrong with them, in words. Leaves to others: finding that out.
"""

from __future__ import annotations

from hpool.matchmaker.model.errors import HpoolError


class OutputLost(HpoolError):
    """What the job wrote did not get to where its output was led: a full disk, a terminal that is gone.

    From then on it writes to a closed pipe. A job whose output was lost has not succeeded.
    """

    code = "RUN-011"
    says = "what the job wrote to {stream} could not be written here: {why}"
    remedy = "Make room, or lead it elsewhere, then run the job again."
    stream: str
    why: str


class NotInherited(HpoolError):
    """A job inherits descriptors 0, 1 and 2. Others, as a shell's <(...) makes them, stay at home."""

    code = "RUN-012"
    says = "{argument!r} is a descriptor of this shell, and the job cannot have it"
    remedy = "Lead it into the job's input, or into a file first; or let the job's own shell make it."
    argument: str
