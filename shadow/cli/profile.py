"""`hpool profile`: where a job's time went: what it waited for, and which paths and calls cost most.

Owns: asking (the job's shadow while it runs, its log afterwards) and showing. Leaves to others: counting
(the starter's engine), the stream (trace), the log (agent).
"""

from __future__ import annotations

import json
import os
import queue
import time
from collections.abc import Iterator
from typing import Any, Final, TextIO

import click
import grpc

from hpool.matchmaker.model.errors import CannotWatch
from hpool.matchmaker.model.ids import JobId
from hpool.shadow.api import home
from hpool.shadow.api import queue as api
from hpool.shadow.api.job import Cost, Profile, Statistics
from hpool.shadow.api.waits import from_facts, hit_rate, percent
from hpool.shadow.cli.log import read
from hpool.shadow.cli.render import bytes_text, printable, table
from hpool.shadow.cli.status import ask_agent
from hpool.shadow.cli.trace import details_of, watching

ANSWER_WITHIN_S: Final = 60.0  # home waits that long for a broken connection
MEANS: Final = {
    "names": "whether a name is there, and what it stands for",
    "listings": "all names of a directory",
    "content": "bytes of files, with their names",
    "attributes": "looking at or changing mode, times, size",
    "name changes": "making, moving, removing names",
    "locks": "flock and fcntl at home",
    "sync": "until home had what was written",
    "news": "what others changed at home",
    "start": "before the job's first instruction",
    "end": "after its last",
}


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="Rows of the second table."
)
def profile(job_id: str, as_json: bool, limit: int) -> None:
    """Print where the time of JOB went: so far if it runs, in all if it is over.

    First what its threads waited for, by kind, then the paths and calls that cost most. A job waits for home
    when what it asks is not on its machine yet; threads that wait at once count each, so the sum can be more
    than the job's time. A path ending in "/*" stands for several names of that directory, one in "/**" for
    any below it. "read" and "write" have the bytes that travelled for a file, whether anybody waited or not.
    What a job asks for again costs nothing, and is not here. Calls are counted when their thread asks for
    something new, or ends.

    The costs of a job that is over are kept with its log.
    """
    found, is_over = _of(str(JobId.parse(job_id)))
    if as_json:
        click.echo(json.dumps(as_object(found, is_over=is_over)))
        return
    for line in head(found.statistics):
        print(line)
    print()
    show_waits(found.statistics)
    print()
    rows = list(_rows(found.costs, found.statistics.waited_ns, limit))
    if rows:
        table(("waited s", "share", "waits", "from home", "to home", "call", "path"), rows)


def _of(job_id: str) -> tuple[Profile, bool]:
    """And whether it is over. Raises HpoolError."""
    ended = [line for line in read(job_id) if line.kind == "profile"]
    if ended:
        return from_facts(json.loads(ended[-1].facts)), True
    reply: api.IntroduceReply = ask_agent(api.INTRODUCE, api.IntroduceRequest(job_id))
    if reply.problem is not None:
        raise reply.problem.error()
    until_s = time.monotonic() + ANSWER_WITHIN_S
    with watching(reply, home.Watch(0, "profile", 0)) as answers:
        while True:
            try:
                answer = answers.get(timeout=max(0.0, until_s - time.monotonic()))
            except queue.Empty:
                raise CannotWatch("its machine does not answer") from None
            if isinstance(answer, grpc.RpcError):
                raise CannotWatch(details_of(answer))
            if answer.profile is not None:
                return answer.profile, False
            if answer.ended:
                raise CannotWatch(answer.ended)


def head(counted: Statistics) -> Iterator[str]:
    """How often home was needed at all."""
    rate = percent(hit_rate(counted))
    yield (
        f"Waited {counted.waited_ns / 1e9:.3f} s for home, {counted.round_trips} times"
        + (f" in a job of {counted.wall_ns / 1e9:.3f} s" if counted.wall_ns else " so far")
        + "."
    )
    if rate:
        yield f"{rate} of all {counted.calls:,} handled calls were answered without waiting."
    yield (
        f"{bytes_text(counted.bytes_in)} came from home"
        f" ({bytes_text(counted.bytes_to_job)} of them by blocks),"
        f" {bytes_text(counted.bytes_out)} went there,"
        f" in {counted.operations:,} operations."
    )


def show_waits(counted: Statistics, file: TextIO | None = None) -> None:
    kinds = sorted(counted.waits, key=lambda waits: -waits.wait_ns)
    rows = [
        (f"{waits.wait_ns / 1e9:.3f}", str(waits.times), printable(waits.kind), MEANS.get(waits.kind, ""))
        for waits in kinds
    ]
    if rows:
        table(("waited s", "waits", "for", ""), rows, file)


def _rows(costs: tuple[Cost, ...], waited_ns: int, limit: int) -> Iterator[tuple[str, ...]]:
    for cost in costs[:limit]:
        path = printable(os.fsdecode(cost.path)) if cost.path else "(all others)"
        if cost.call in {"start", "end"}:
            path = f"({MEANS[cost.call]})"
        yield (
            f"{cost.wait_ns / 1e9:.3f}",
            f"{cost.wait_ns / waited_ns:.0%}" if waited_ns else "",
            str(cost.waits or ""),
            bytes_text(cost.bytes_in) if cost.bytes_in else "",
            bytes_text(cost.bytes_out) if cost.bytes_out else "",
            printable(cost.call),
            path + (f" ({cost.names} names)" if cost.names > 1 else ""),
        )


def as_object(found: Profile, *, is_over: bool) -> dict[str, Any]:
    """For --json: seconds and bytes, words as in the tables."""
    counted = found.statistics
    return {
        "over": is_over,
        "waited_s": counted.waited_ns / 1e9,
        "round_trips": counted.round_trips,
        "bytes_in": counted.bytes_in,
        "bytes_out": counted.bytes_out,
        "operations": counted.operations,
        "calls": counted.calls,
        "calls_that_waited": counted.asked,
        "hit_rate": hit_rate(counted),
        "waits": [
            {"for": waits.kind, "count": waits.times, "waited_s": waits.wait_ns / 1e9}
            for waits in counted.waits
        ],
        "costs": [
            {
                "path": os.fsdecode(cost.path).encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
                "call": cost.call,
                "names": cost.names,
                "waits": cost.waits,
                "waited_s": cost.wait_ns / 1e9,
                "bytes_in": cost.bytes_in,
                "bytes_out": cost.bytes_out,
            }
            for cost in found.costs
        ],
    }
