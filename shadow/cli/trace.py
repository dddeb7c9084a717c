"""`hpool trace`: the system calls of a running job, as they happen.

Owns: options, the stream from the shadow, its end. Leaves to others: pairing and filters (story), words
(decode).
"""

from __future__ import annotations

import contextlib
import json
import queue
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import click
import grpc

from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.model.errors import CannotWatch
from hpool.matchmaker.model.ids import JobId
from hpool.shadow.api import attach, home, seen
from hpool.shadow.api import queue as api
from hpool.shadow.cli import decode
from hpool.shadow.cli.render import printable, table
from hpool.shadow.cli.run import say
from hpool.shadow.cli.status import ask_agent
from hpool.shadow.cli.story import Line, Story, Summary, Wanted
from hpool.shadow.cli.syscalls import ROUTES

LOOK_EVERY_S: Final = 0.1
THE_JOB_IS_OVER: Final = "the job is over"


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--route", "routes", multiple=True, type=click.Choice(ROUTES), help="Only calls of this route.")
@click.option("-e", "--call", "calls", metavar="NAME[,NAME]...", default="", help="Only these calls.")
@click.option("--path", metavar="PART", default="", help="Only calls with this in a path or text.")
@click.option("--pid", type=click.IntRange(1), help="Only this process, by its number inside the job.")
@click.option("--all", "is_all", is_flag=True, help="All that the kernel is asked by the process --pid.")
@click.option(
    "-c", "--summary", "is_summary", is_flag=True, help="Count and time calls; print that at the end."
)
@click.option("--count", type=click.IntRange(1), help="End after so many calls.")
def trace(
    job_id: str,
    as_json: bool,
    routes: tuple[str, ...],
    calls: str,
    path: str,
    pid: int | None,
    is_all: bool,
    is_summary: bool,
    count: int | None,
) -> None:
    """Print the system calls of the running job JOB until it ends. Ctrl-C ends the trace, not the job.

    Each line: seconds since the first, process (and thread), the call, its result, how long it took, its
    route (`hpool syscalls`), and how often it waited for home.

    There are two ways to look. Without --all, hpool's own code in every process of the job writes down the
    calls it handles: those of all routes but "native". That costs the job about a microsecond a call while
    somebody watches, stops nothing, and tells routes and round trips. What is passed to the kernel untouched
    (poll, futex, brk, ...) is not seen.

    With --all --pid N one process and its threads are attached to as a debugger would (ptrace): every call
    that reaches the kernel is seen, also those hpool makes itself to serve the program. Each costs the
    process some 50 microseconds; calls that sleep are interrupted once at the beginning (epoll_wait,
    sigtimedwait, semop and reads of inotify then return EINTR, as under strace); and it cannot be done while
    something else traces it.

    Nobody but who submitted the job can watch it.
    """
    if is_all and pid is None:
        raise click.UsageError("--all needs --pid: it attaches to one process")
    names = tuple(filter(None, calls.split(",")))
    unknown = [name for name in names if not decode.is_known(name)]
    if unknown:
        raise click.UsageError(f"no call is named {unknown[0]!r}; `hpool syscalls` lists them")
    wanted = Wanted(routes, names, path.encode(), pid)
    printer = _Printer(as_json=as_json, is_summary=is_summary, count=count)
    why = THE_JOB_IS_OVER
    with contextlib.suppress(KeyboardInterrupt, _Enough):
        why = _follow(
            str(JobId.parse(job_id)),
            home.Watch(0, "process" if is_all else "calls", pid or 0),
            wanted,
            printer,
        )
    printer.finish()
    if why != THE_JOB_IS_OVER:
        raise CannotWatch(why)


class _Enough(Exception):
    """--count was reached."""


def _follow(job_id: str, request: home.Watch, wanted: Wanted, printer: _Printer) -> str:
    """Until the shadow has no more; says why. Raises HpoolError."""
    reply: api.IntroduceReply = ask_agent(api.INTRODUCE, api.IntroduceRequest(job_id))
    if reply.problem is not None:
        raise reply.problem.error()
    with watching(reply, request) as batches:
        story = Story()
        while True:
            with contextlib.suppress(queue.Empty):
                batch = batches.get(timeout=LOOK_EVERY_S)
                if isinstance(batch, grpc.RpcError):
                    raise CannotWatch(details_of(batch))
                printer.lose(batch.lost)
                for entry in seen.unpack(batch.calls) if batch.calls else ():
                    _show(story.take(entry, time.monotonic()), wanted, printer)
                if batch.ended:
                    return str(batch.ended)
            _show(story.lasting(time.monotonic()), wanted, printer)


def details_of(error: Any) -> str:
    return str(error.details()) if callable(getattr(error, "details", None)) else str(error)


def _show(lines: Iterator[Line], wanted: Wanted, printer: _Printer) -> None:
    for line in lines:
        if wanted.passes(line):
            printer.show(line)


@contextlib.contextmanager
def watching(reply: api.IntroduceReply, request: home.Watch) -> Iterator[queue.SimpleQueue[Any]]:
    """What the shadow sends, on a queue: waiting for it must not hide calls that last, nor Ctrl-C."""
    outgoing: queue.SimpleQueue[home.Watch | None] = queue.SimpleQueue()
    outgoing.put(request)
    batches: queue.SimpleQueue[Any] = queue.SimpleQueue()
    call: Any = attach.WATCH.on(rpc.sync_channel(reply.shadow_address))(
        iter(outgoing.get, None), metadata=((attach.WATCH_KEY, reply.watch_secret),)
    )

    def listen() -> None:
        try:
            for batch in call:
                batches.put(batch)
            batches.put(home.Seen(0, b"", 0, THE_JOB_IS_OVER))
        except grpc.RpcError as error:
            batches.put(error)

    threading.Thread(target=listen, name="watching", daemon=True).start()
    try:
        yield batches
    finally:
        call.cancel()


class _Printer:
    """Lines as they come, or the summary at the end."""

    def __init__(self, *, as_json: bool, is_summary: bool, count: int | None) -> None:
        self._as_json = as_json
        self._summary = Summary() if is_summary else None
        self._left = count
        self._since_ns: int | None = None
        self._lost = 0

    def lose(self, count: int) -> None:
        self._lost += count

    def show(self, line: Line) -> None:
        if self._since_ns is None:
            self._since_ns = line.start_ns
        if self._summary is not None:
            self._summary.add(line)
        elif self._as_json:
            print(json.dumps(line.as_object(self._since_ns)), flush=True)
        else:
            print(printable(line.as_text(self._since_ns)), flush=True)
        if self._left is not None and line.result is not None:
            self._left -= 1
            if self._left == 0:
                raise _Enough

    def finish(self) -> None:
        if self._summary is not None:
            self._print_summary(self._summary)
        if self._lost:
            say(f"{self._lost} calls went by unseen: the job makes more than the way home carries")

    def _print_summary(self, summary: Summary) -> None:
        rows = summary.rows()
        if self._as_json:
            for name, tally in rows:
                counted = {"calls": tally.calls, "errors": tally.errors, "seconds": tally.ns / 1e9}
                print(json.dumps({"call": name, **counted, "asked": tally.asked, "round_trips": tally.trips}))
            return
        table(
            ("seconds", "usecs/call", "calls", "errors", "round trips", "call"),
            (
                (
                    *(
                        f"{tally.ns / 1e9:.6f}",
                        f"{tally.ns / 1e3 / max(1, tally.calls):.1f}",
                        str(tally.calls),
                    ),
                    *(str(tally.errors or ""), str(tally.trips or ""), name),
                )
                for name, tally in rows
            ),
        )
        sys.stdout.flush()
