"""`hpool run`: one program, now, as if it ran here.

Owns: the options, the order of things, the sentences at the end. Leaves to others: describing the job,
the pool, the terminal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from hpool.matchmaker.model.again import InputLost
from hpool.matchmaker.model.errors import HpoolError, NoAgent, NoMachine
from hpool.matchmaker.model.settings import load_settings, parse_duration, parse_rate, parse_size

if TYPE_CHECKING:
    from hpool.matchmaker.hosting.role import Contact
    from hpool.shadow.api.job import JobDescription, Outcome, Statistics
    from hpool.shadow.api.queue import SubmitReply
    from hpool.shadow.cli.personal import Pool

PATIENCE_S: Final = 30.0  # with a personal pool: no other machine will ever come
LOOK_AGAIN_S: Final = 1.0
SUBMIT_WITHIN_S: Final = 30.0
REATTACH_WITHIN_S: Final = 30.0
ASK_AGAIN_S: Final = 0.2
RESTARTS: Final = 3
AUTO_EVERY_S: Final = 60


@click.command(
    "run",
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
    short_help="Run a program on another machine as if it ran here.",
)
@click.option(
    "--share", "shares", multiple=True, metavar="PATH[:ro|:rw]", help="Let the job see more. Repeatable."
)
@click.option("--hide", "hides", multiple=True, metavar="PATH", help="Let the job see less. Repeatable.")
@click.option("-t", "--tty", is_flag=True, help="Give the job a terminal.")
@click.option("--stats", is_flag=True, help="Say at the end what it took, and where the time went.")
@click.option(
    "--network",
    type=click.Choice(["none", "host"]),
    default="none",
    show_default=True,
    help="The job's network.",
)
@click.option(
    "--intercept",
    type=click.Choice(["auto", "shim", "trace"]),
    default="auto",
    show_default=True,
    help="How its system calls are met: in process, by a tracer, or whichever serves it.",
)
@click.option(
    "--sync",
    type=click.Choice(["external", "strict"]),
    default="external",
    show_default=True,
    help="At fsync: hold back what others could see until home has it durable, or let the job wait.",
)
@click.option(
    "--bandwidth",
    metavar="SIZE/s",
    help="The most of the link it may use in each direction, e.g. 2MB/s. Else pool.toml's, or all.",
)
@click.option(
    "--restarts",
    type=click.IntRange(0),
    help="How often it may begin again, its files rolled back, after its machine was lost."
    f" Default: {RESTARTS}; none with -t or --network host.",
)
@click.option(
    "--undo-limit",
    metavar="SIZE",
    default="8G",
    show_default=True,
    help="The most that may be kept of what it overwrites and removes; 0: it can be neither rolled back nor"
    " begun again.",
)
@click.option(
    "--checkpoint-every",
    metavar="TIME|auto",
    default="never",
    help="Write the job down so often, e.g. 10m, to go on from there; auto: each minute, or as seldom as"
    " keeps the cost below 1 % of the time. Default: never, but see `hpool checkpoint`.",
)
@click.option(
    "--cpu-level",
    type=click.Choice(["x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4"]),
    help="Show it a processor of that level only: once written down, it goes on on more machines.",
)
@click.option(
    "--restore",
    "restoring",
    type=click.Choice(["auto", "eager"]),
    default="auto",
    show_default=True,
    help="When it goes on from a checkpoint: at once, much memory following while it runs, where the machine"
    " can do that soundly; or with all of it.",
)
@click.option("--memory", metavar="SIZE", help="Memory the job may use, e.g. 2G.")
@click.option("--cpus", type=click.IntRange(1), default=1, show_default=True, help="Processors it wants.")
@click.option("--pool", "pool_address", metavar="HOST:PORT", help="Matchmaker of the pool to use.")
@click.option("-q", "--quiet", is_flag=True, help="Only the job's own output, and errors.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="PROGRAM [ARGUMENT]...")
def run(
    shares: tuple[str, ...],
    hides: tuple[str, ...],
    tty: bool,
    stats: bool,
    network: str,
    intercept: str,
    sync: str,
    bandwidth: str | None,
    restarts: int | None,
    undo_limit: str,
    checkpoint_every: str,
    cpu_level: str | None,
    restoring: str,
    memory: str | None,
    cpus: int,
    pool_address: str | None,
    quiet: bool,
    command: tuple[str, ...],
) -> int:
    """Run PROGRAM on another machine; its files, streams and exit code are at home.

    hpool's own options end at PROGRAM. Exit codes: the program's own, 128+N when signal N ended it,
    125 hpool failed, 126 cannot be executed, 127 not found.
    """
    # Before anything is started or loaded: what could not be run at home either.
    from hpool.shadow.cli.describe import describe, parse_sharing

    environ = dict(os.environ)
    if pool_address:
        environ["HPOOL_POOL"] = pool_address
    settings = load_settings(environ)
    # What was typed, or said to others, cannot be taken back.
    most_restarts = restarts if restarts is not None else 0 if tty or network == "host" else RESTARTS
    every_s = checkpoint_interval_s(checkpoint_every)
    if every_s and not (most_restarts and parse_size(undo_limit)):
        raise click.UsageError("--checkpoint-every is of no use without --restarts and --undo-limit")
    description = describe(
        command,
        sharing=parse_sharing(shares, hides),
        network=network,
        cpus=cpus,
        memory_bytes=0 if memory is None else parse_size(memory),
        wants_terminal=tty,
        intercept=intercept,
        sync=sync,
        bandwidth=settings.bandwidth if bandwidth is None else parse_rate(bandwidth),
        restarts=most_restarts,
        undo_bytes=parse_size(undo_limit),
        checkpoint_every_s=every_s,
        checkpoint_cheaply=checkpoint_every == "auto",
        cpu_level=cpu_level or "",
        restore_eagerly=restoring == "eager",
    )
    from hpool.shadow.cli.personal import Pool

    pool = Pool(settings, environ, os.getuid())
    return _run(pool, description, raw=tty, stats=stats, quiet=quiet)


def checkpoint_interval_s(text: str) -> int:
    """Of --checkpoint-every; 0: never. Raises BadDuration."""
    words = {"never": 0, "auto": AUTO_EVERY_S}
    return words[text] if text in words else parse_duration(text)


def _run(pool: Pool, description: JobDescription, *, raw: bool, stats: bool, quiet: bool) -> int:
    from hpool.shadow.cli.death import deaths
    from hpool.shadow.cli.terminal import Terminal

    accepted = _submit(pool, description)
    patience = _Patience(pool, quiet)
    terminal = Terminal(
        *(accepted.shadow_address, accepted.attach_secret),
        raw=raw,
        on_progress=patience.progress,
        on_restart=patience.restart,
        reattach=lambda gone: _reattach(pool, accepted.job_id, gone) if description.restarts else None,
    )
    patience.watch(lambda: terminal.end(signal.SIGTERM))
    outcome = terminal.run()
    if not quiet:
        for line in terminal.remarks:
            say(line)
        # A job that succeeded has dealt with what was refused: its stderr stays its own.
        for refusal in terminal.refusals:
            if stats or (refusal.grave and outcome.shell_status):
                say(refusal.sentence)
        for line in deaths(accepted.job_id, outcome, terminal.died, description.limits, all_of_them=stats):
            say(line)
    if patience.lost is not None:
        raise patience.lost
    if terminal.input_lost:
        raise InputLost
    if terminal.differs:
        say(f"what the job printed when it began again is not what had been shown: {terminal.differs}")
    if terminal.ended_by is not None:
        say(f"the job was ended by {signal.Signals(terminal.ended_by).name}")
        return 128 + terminal.ended_by
    if outcome.problem is not None:
        say_error(outcome.problem.error())
    if terminal.output_lost is not None:
        say_error(terminal.output_lost)
    if stats and outcome.statistics is not None:
        say(f"{summary(outcome.statistics, outcome.machine)}; {protection_text(terminal.protections)}")
        _say_waits(outcome.statistics, accepted.job_id)
    return terminal.status_of(outcome)


def _submit(pool: Pool, description: JobDescription) -> SubmitReply:
    """Raises HpoolError. A dead agent is started once more; a submission is never made twice."""
    contact = pool.ensure()
    import grpc

    try:
        return _submit_to(contact, description)
    except grpc.RpcError as error:
        # UNAVAILABLE before anything was sent: the agent was just going away when we looked.
        if getattr(error, "code", lambda: None)() is not grpc.StatusCode.UNAVAILABLE:
            raise _no_agent(contact, error) from error
    contact = pool.ensure()
    try:
        return _submit_to(contact, description)
    except grpc.RpcError as error:
        raise _no_agent(contact, error) from error


def _submit_to(contact: Contact, description: JobDescription) -> SubmitReply:
    from hpool.matchmaker.hosting import rpc
    from hpool.shadow.api.queue import SUBMIT, SubmitRequest

    metadata = ((rpc.TOKEN_KEY, contact.token),)
    channel = rpc.sync_channel(contact.address)
    reply = SUBMIT.on(channel)(SubmitRequest(description), metadata=metadata, timeout=SUBMIT_WITHIN_S)
    if reply.problem is not None:
        raise reply.problem.error()
    return reply


def _reattach(pool: Pool, job_id: str, gone: str) -> tuple[str, str] | Outcome | None:
    """The agent gives the job a new shadow, if it may begin again."""
    import grpc

    from hpool.matchmaker.hosting import rpc
    from hpool.shadow.api.queue import REATTACH, ReattachReply, ReattachRequest

    until_s = time.monotonic() + REATTACH_WITHIN_S
    while time.monotonic() < until_s:
        try:
            contact = pool.ensure()
            reply: ReattachReply = REATTACH.on(rpc.sync_channel(contact.address))(
                ReattachRequest(job_id), metadata=((rpc.TOKEN_KEY, contact.token),), timeout=5.0
            )
        except (grpc.RpcError, HpoolError):
            reply = ReattachReply()
        if reply.problem is not None:
            return None
        if reply.outcome is not None:
            return reply.outcome
        if reply.shadow_address not in {"", gone}:
            return reply.shadow_address, reply.attach_secret
        time.sleep(ASK_AGAIN_S)
    return None


def _no_agent(contact: Contact, error: Exception) -> NoAgent:
    return NoAgent(contact.address, str(getattr(error, "details", lambda: error)()))


class _Patience:
    """While the job waits for a machine: says so, and starts again what died of a personal pool."""

    def __init__(self, pool: Pool, quiet: bool) -> None:
        self._pool = pool
        self._quiet = quiet
        self._is_waiting = True
        self._is_silent = False
        self.lost: HpoolError | None = None

    def progress(self, state: str, machine: str) -> None:
        self._is_waiting = state == "waiting"
        if not self._quiet and (state == "silent" or self._is_silent):
            say(f"no word from {machine}; waiting for it" if state == "silent" else f"{machine} is back")
        self._is_silent = state == "silent"

    def restart(self, sentence: str) -> None:
        self._is_silent = False
        if not self._quiet:
            say(sentence)

    def watch(self, give_up: Callable[[], None]) -> None:
        threading.Thread(target=self._watch, args=(give_up,), daemon=True).start()

    def _watch(self, give_up: Callable[[], None]) -> None:
        since_s = time.monotonic()
        has_said = self._quiet
        while True:
            time.sleep(LOOK_AGAIN_S)
            if not self._is_waiting:
                since_s = time.monotonic()
                continue
            if not has_said:
                has_said = True
                say("waiting for a machine")
            if not self._pool.settings.is_personal:
                continue
            try:
                self._pool.ensure()
                waited_s = time.monotonic() - since_s
                if waited_s > PATIENCE_S:
                    raise NoMachine(waited_s)
            except HpoolError as error:
                self.lost = error
                give_up()
                return


def say(text: str) -> None:
    """A line of hpool's own, on stderr. What came from another machine may hold anything: only
    what can be printed is."""
    from hpool.shadow.cli.render import printable

    with contextlib.suppress(OSError):  # its terminal may be gone: no reason to end otherwise
        sys.stderr.write(f"hpool: {printable(text)}\n")
        sys.stderr.flush()


def say_error(error: HpoolError) -> None:
    say(f"{error} [{error.code}]")


def _say_waits(counted: Statistics, job_id: str) -> None:
    """One line; a table for who looks at a terminal."""
    from hpool.shadow.api.waits import in_words

    if not sys.stderr.isatty() or not counted.waits:
        say(in_words(counted))
        return
    from hpool.shadow.cli.profile import head, show_waits

    for line in head(counted):
        say(line)
    show_waits(counted, sys.stderr)
    say(f"which paths: hpool profile {job_id}")


def protection_text(names: tuple[str, ...]) -> str:
    """What the job was held by there."""
    held = [name.partition("=")[0] for name in names if name.endswith("=yes")]
    lacking = [
        name.replace("=no:", ": ", 1) for name in names if not name.endswith(("=yes", "=no:not-asked"))
    ]
    return f"held by {', '.join(held) or 'nothing'}" + (f"; without {', '.join(lacking)}" if lacking else "")


def summary(counted: Statistics, machine: str) -> str:
    """The line of --stats."""
    return (
        f"{counted.wall_ns / 1e9:.3f} s on {machine}, {counted.prepared_ns / 1e9:.3f} s before it,"
        f" {counted.settled_ns / 1e9:.3f} s after it: cpu {counted.user_us / 1e6:.3f} s user,"
        f" {counted.system_us / 1e6:.3f} s system; peak memory {counted.peak_memory_bytes / 2**20:.1f} MiB;"
        f" {counted.faults} faults; {counted.round_trips} round trips;"
        f" {counted.bytes_in} bytes to the job, {counted.bytes_out} bytes home;"
        f" {counted.waited_ns / 1e9:.3f} s waiting for home"
    )
