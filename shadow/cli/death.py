"""The sentence for a job that a signal ended.

Pure. Owns: the words, and the likeliest sender where nobody said. Leaves to others: the crash
itself (report).
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Sequence
from typing import Final

from hpool.shadow.api.attach import Died
from hpool.shadow.api.crash import FIRST_PROCESS, name_of
from hpool.shadow.api.job import Outcome, ResourceLimit

_WORDS: Final = {
    signal.SIGXCPU: "its limit of processor time (ulimit -t)",
    signal.SIGXFSZ: "its limit of file size (ulimit -f)",
    signal.SIGPIPE: "it wrote where nobody reads any more",
    signal.SIGALRM: "an alarm of its own",
    signal.SIGKILL: "sent by a process of the job, by hpool, or by the machine when its memory ran out",
}
# Not worth a line: whoever sent it knows.
_PLAIN: Final = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE}


def deaths(
    job_id: str,
    outcome: Outcome,
    died: Sequence[Died],
    limits: Sequence[ResourceLimit],
    *,
    all_of_them: bool,
) -> list[str]:
    """Lines for the end of `hpool run`: the job's own death, and others' if they are wanted."""
    own = [each for each in died if each.pid == FIRST_PROCESS and each.signal == outcome.signal]
    lines = []
    if outcome.ended and outcome.signal and not outcome.removed:
        if own:
            lines.append(f"the job died of {own[-1].sentence}; report: hpool report {job_id}")
        elif outcome.signal not in _PLAIN:
            words = _cause(outcome, limits)
            lines.append(f"the job died of {name_of(outcome.signal)}" + (f": {words}" if words else ""))
    others = [each for each in died if not own or each is not own[-1]]
    if all_of_them:
        lines += [
            f"process {each.pid} died of {each.sentence}; report: hpool report {job_id} --pid {each.pid}"
            for each in others
        ]
    return lines


def _cause(outcome: Outcome, limits: Sequence[ResourceLimit]) -> str:
    used = outcome.statistics
    if outcome.signal == signal.SIGKILL and used is not None:
        hard = next((limit.hard for limit in limits if limit.resource == resource.RLIMIT_CPU), None)
        if hard is not None and (used.user_us + used.system_us) / 1e6 >= hard:
            return f"its limit of processor time (ulimit -t {hard})"
    return _WORDS.get(signal.Signals(outcome.signal), "") if outcome.signal < signal.SIGRTMIN else ""
