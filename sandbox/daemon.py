"""The sandbox as a process: one per machine. It only ever dials out.

Owns: the conversation with the matchmaker, slots over time. Leaves to others: slots' rules
(lifecycle), claiming (claims), running (starters).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import secrets
import sys
from pathlib import Path
from typing import Any

import click

from hpool.matchmaker.api.client import ADVERTISE_MACHINE
from hpool.matchmaker.api.values import MachineNotice, MachineReport, Match
from hpool.matchmaker.hosting.daemon import (
    IdleTimer,
    log_to_stderr,
    read_token,
    run_until_told,
)
from hpool.matchmaker.hosting.role import Role, RoleAlreadyRuns, private_directory
from hpool.matchmaker.hosting.standing import StandingConversation
from hpool.matchmaker.model.errors import ClaimRefused, HpoolError
from hpool.matchmaker.model.settings import Directories, PoolSettings, parse_duration, parse_size
from hpool.sandbox import lifecycle, machine
from hpool.sandbox.api.door import DOORS
from hpool.sandbox.claims import Claims
from hpool.sandbox.guests import Guests
from hpool.sandbox.host import Host
from hpool.sandbox.owner import Hours, Policy
from hpool.sandbox.starters import FIRST_OUTSIDE_ID, StarterLimits, Starters, end_in_words
from hpool.shadow.api.queue import ClaimReply

log = logging.getLogger("sandbox")


class Sandbox:
    """Slots, and whoever runs in them."""

    def __init__(
        self,
        matchmaker: str,
        token: str,
        name: str,
        slots: int,
        starters: Starters,
        features: tuple[str, ...],
        *,
        patience_s: float,
        leave_within_s: float,
    ) -> None:
        self._conversation = StandingConversation(ADVERTISE_MACHINE, matchmaker, token)
        self._ad = machine.read_machine(secrets.token_hex(16), name, slots, features)
        self._slots = lifecycle.slots_of(slots)
        self._starters = starters
        self._claims = Claims()
        self._running: set[asyncio.Task[None]] = set()
        self.guests = Guests(
            starters,
            self._running,
            self._conversation.changed,
            patience_s=patience_s,
            leave_within_s=leave_within_s,
        )

    @property
    def is_busy(self) -> bool:
        """Whether it would be missed: it has a job, or somebody who may send one."""
        return self._conversation.is_connected or lifecycle.free_count(self._slots) < len(self._slots)

    async def advertise(self) -> None:
        """Until cancelled."""
        await self._conversation.run(self._report, self._noticed)

    async def leave(self, within_s: float) -> None:
        """Every job here is asked to go on elsewhere; returns when all have, or after so long."""
        if within_s > 0 and self._running:
            log.info("%d jobs have %.0f s to leave", len(self._running), within_s)
            self._starters.ask_to_leave()
            await asyncio.wait(self._running, timeout=within_s)

    async def end_all(self) -> None:
        """Every job here ends now, and nothing of it is left."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._claims.close()

    def _report(self) -> MachineReport:
        free_slots, is_here = lifecycle.free_count(self._slots), self.guests.is_owner_here
        return MachineReport(self._ad._replace(free_slots=free_slots, owner_is_here=is_here))

    def _noticed(self, notice: MachineNotice) -> None:
        if isinstance(notice, Match):
            self._take_up(notice)

    def _take_up(self, match: Match) -> None:
        number = None
        if not self.guests.is_owner_here:
            self._slots, number = lifecycle.take(self._slots, match.job_id)
        if number is None:
            self._conversation.changed()
            return
        task = asyncio.create_task(self._run(number, match))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, number: int, match: Match) -> None:
        try:
            claim = await self._claims.claim(match, self._ad, self._conversation.token)
            self._slots = lifecycle.occupy(self._slots, number)
            log.info("slot %d: job %s of %s", number, match.job_id, match.agent_address)
            self._conversation.changed()
            status = await self._run_starter(number, match, claim)
            log.info("slot %d: job %s is over, starter ended with %d", number, match.job_id, status)
        except ClaimRefused as refusal:
            log.info("slot %d: job %s: %s", number, match.job_id, refusal.sentence)
        except ConnectionError as error:
            log.warning("slot %d: job %s: no starter: %s", number, match.job_id, error)
        finally:
            self._slots = lifecycle.release(self._slots, number)
            self._conversation.changed()

    async def _run_starter(self, number: int, match: Match, claim: ClaimReply) -> int:
        """The starter's exit code. One that did not end well leaves a home behind that waits for it."""
        why = "its starter there could not run"
        try:
            status = await self._starters.run(number, match.job_id, claim)
            why = "" if status == 0 else f"its starter there {end_in_words(status)}"
        except asyncio.CancelledError as told:
            why = str(told) or "the sandbox there was told to end"
            raise
        finally:
            if why:
                await self._claims.starter_gone(claim, why)
        return status


@click.command("sandbox", help="Offer this machine to a pool, in the foreground. Dials out only.")
@click.option("--matchmaker", required=True, help="HOST:PORT, or the path of its contact file.")
@click.option("--token-file", type=click.Path(path_type=Path, exists=True), help="The pool's shared token.")
@click.option("--slots", type=click.IntRange(1, 512), help="Jobs at once; default: one per processor.")
@click.option("--name", default=platform.node, help="This machine's name, for people.")
@click.option("--mirror-size", help="Room for each job's view of its files, e.g. 4G.")
@click.option("--cache-size", default="2G", show_default=True, help="Room for programs kept by digest.")
@click.option("--memory", "memory_text", help="Most memory a job may use, e.g. 2G; default: no limit.")
@click.option("--max-processes", default=4096, show_default=True, help="Most processes of a job.")
@click.option("--allow-network", is_flag=True, help="Jobs that ask for it may use this machine's network.")
@click.option(
    "--uid-base", default=FIRST_OUTSIDE_ID, show_default=True, help="As root: slot N runs as this + N."
)
@click.option("--directory", type=click.Path(path_type=Path), help="Private directory of this sandbox.")
@click.option(
    "--leave-within",
    default=30.0,
    show_default=True,
    help="When told to end (SIGTERM, Ctrl-C), or when its owner stays: seconds for jobs to leave, written"
    " down. Told to end twice: none.",
)
@click.option(
    "--owner-idle",
    help="Its owner is there until keyboards, mice and terminals were left alone for so long, e.g. 15m.",
)
@click.option(
    "--owner-load",
    default=0.0,
    help="Its owner is there while programs other than jobs keep so many processors busy, e.g. 0.5.",
)
@click.option("--hours", help="Jobs are welcome from then to then only, e.g. 18:00-08:00.")
@click.option(
    "--owner-patience",
    default=10.0,
    show_default=True,
    help="Seconds that jobs stand still when the owner comes, before they are asked to leave.",
)
@click.option(
    "--idle-exit", default=0.0, help="End after so many seconds without jobs and matchmaker; 0: never."
)
def main(
    matchmaker: str,
    token_file: Path | None,
    slots: int | None,
    name: str,
    mirror_size: str | None,
    cache_size: str,
    memory_text: str | None,
    max_processes: int,
    allow_network: bool,
    uid_base: int,
    directory: Path | None,
    leave_within: float,
    owner_idle: str | None,
    owner_load: float,
    hours: str | None,
    owner_patience: float,
    idle_exit: float,
) -> None:
    log_to_stderr("sandbox")
    count = slots or len(os.sched_getaffinity(0))
    places = Directories.of_user(os.environ, os.getuid())
    key = PoolSettings(matchmaker=matchmaker).key
    try:
        limits = StarterLimits(
            mirror_bytes=parse_size(mirror_size) if mirror_size else machine.default_mirror_bytes(count),
            mirror_inodes=1 << 20,
            memory_bytes=parse_size(memory_text) if memory_text else 0,
            max_processes=max_processes,
            host_network=allow_network,
            first_outside_id=uid_base,
            cache_bytes=parse_size(cache_size) // (count if os.geteuid() == 0 else 1),
        )
        policy = Policy(
            parse_duration(owner_idle) if owner_idle else 0, owner_load, Hours.parse(hours) if hours else None
        )
        directory = place = private_directory(directory or private_directory(places.runtime) / key)
        role = Role(directory, "sandbox")
        token = read_token(token_file)
    except RoleAlreadyRuns:
        sys.exit("hpool: a sandbox runs here already")
    except (HpoolError, OSError) as error:
        sys.exit(f"hpool: {error}")

    async def work(stop: asyncio.Event) -> None:
        kept = places.cache / "executables"
        with contextlib.suppress(OSError):
            kept.mkdir(parents=True, exist_ok=True)
        doors = private_directory(directory / DOORS)
        features = machine.read_features()
        starters = Starters(limits, name, kept if kept.is_dir() else None, doors, features)
        starters.start()
        sandbox = Sandbox(
            *(matchmaker, token, name, count, starters, features),
            patience_s=owner_patience,
            leave_within_s=leave_within,
        )
        host = Host(place, policy, sandbox.guests)
        role.announce("", "")
        tasks = [
            asyncio.create_task(host.watch()),
            asyncio.create_task(sandbox.advertise()),
            asyncio.create_task(IdleTimer(stop, idle_exit, lambda: sandbox.is_busy).watch()),
        ]
        await stop.wait()
        role.leave()
        for task in tasks:
            task.cancel()
        stop.clear()
        leaving: list[asyncio.Task[Any]] = [
            asyncio.create_task(sandbox.leave(leave_within)),
            asyncio.create_task(stop.wait()),
        ]
        await asyncio.wait(leaving, return_when=asyncio.FIRST_COMPLETED)
        for each in leaving:
            each.cancel()
        await sandbox.end_all()
        starters.close()

    run_until_told(work)


if __name__ == "__main__":
    main()
