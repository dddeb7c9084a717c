"""Each piece of work of remote.py while its connections are cut, again and again: is it the same work?

Owns: when to cut, and counting. Leaves to others: the work, the pool, comparing with the native run
(contest). Short work is done several times, until there were enough cuts. Says per work how often it was
cut, in how many runs, and what differed from the native run: nothing should.
"""

from __future__ import annotations

import argparse
import random
import threading
from typing import Final

from integration.bench.contest import Contest
from integration.bench.work import TOY, WORK, Size, Work

PAUSE_S: Final = (0.02, 0.15)
MOST_RUNS: Final = 200


class Cutter:
    """Cuts from another thread while it is entered."""

    def __init__(self, contest: Contest, seed: str) -> None:
        self.contest, self.chance, self.cuts = contest, random.Random(seed), 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._cut)

    def __enter__(self) -> Cutter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _cut(self) -> None:
        while not self._over.wait(self.chance.uniform(*PAUSE_S)):
            self.cuts += self.contest.pool.reset_connections() > 0


def cut(contest: Contest, work: Work, wanted: int) -> tuple[int, int, list[str]]:
    """Cuts, runs, complaints."""
    native, _ = contest.prepare(work)
    cuts, complaints = 0, []
    for run in range(1, MOST_RUNS + 1):
        with Cutter(contest, f"{work.name} {run}") as cutter:
            complaint = contest.away(work, native).complaint
        cuts += cutter.cuts
        complaints += [complaint] if complaint else []
        if cuts >= wanted:
            break
    return cuts, run, complaints


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rtt", type=float, default=1, help="added round-trip time, ms")
    parser.add_argument("--cuts", type=int, default=20, help="of each piece of work, at least")
    parser.add_argument("--only", default=",".join(WORK), help="names of work: %(default)s")
    parser.add_argument("--toy", action="store_true", help="tiny sizes")
    options = parser.parse_args()
    wrong = 0
    with Contest(
        options.rtt, TOY if options.toy else Size(), rounds=1, patience_s=120, with_rivals=False
    ) as contest:
        for name in options.only.split(","):
            cuts, runs, complaints = cut(contest, WORK[name], options.cuts)
            wrong += len(complaints)
            print(
                f"{name}: cut {cuts} times in {runs} runs, {'; '.join(complaints) or 'the same'}", flush=True
            )
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
