"""The shadow as a process: a nursery that imports everything, and the child that serves one job.

Owns: start, the link to the agent, the order of the end. Leaves to others: everything between.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Final

import uvloop

from hpool.matchmaker.hosting import nursery, rpc
from hpool.matchmaker.hosting.daemon import log_to_stderr
from hpool.matchmaker.model.errors import HpoolError, ShadowLost
from hpool.shadow.api import custody
from hpool.shadow.api.custody import FROM_SHADOW, TO_SHADOW, FramedLink
from hpool.shadow.api.job import Outcome
from hpool.shadow.home.epochs import RolledBack
from hpool.shadow.job.conversation import Conversation
from hpool.shadow.job.files import JobFiles, memory_key, open_files
from hpool.shadow.job.images import IMAGES, Images
from hpool.shadow.job.service import ShadowService
from hpool.shadow.job.spool import Spool

log = logging.getLogger("shadow")

RECORD_WITHIN_S: Final = 2.0
DETACH_WITHIN_S: Final = 10.0
ATTACH_WITHIN_S: Final = 20.0
# A busy Python thread must not hold up what a job waits for; measured: 5 ms is the default's price.
SWITCH_INTERVAL_S: Final = 0.0005


class ShadowProcess:
    """One child's life."""

    def __init__(self, listen_host: str, advertise_host: str | None, lease_s: float) -> None:
        self._lease_s = lease_s
        self._listen_host = listen_host
        self._advertise_host = advertise_host
        self._service = ShadowService()
        self._recorded = asyncio.Event()
        self._agent_is_there = True
        self._spool: Spool | None = None
        self._link: FramedLink | None = None
        self._conversation: Conversation | None = None
        self._files: JobFiles | None = None

    async def run(self, link: socket.socket) -> None:
        self._link = FramedLink(await asyncio.open_connection(sock=link), TO_SHADOW, FROM_SHADOW)
        server = rpc.aio_server()
        server.add_generic_rpc_handlers(self._service.handlers())
        address = rpc.bind(server, f"{self._listen_host}:0", self._advertise_host)
        await server.start()
        self._link.send(custody.Ready(address))
        assignment = await self._link.receive()
        if isinstance(assignment, custody.Assignment):
            await self._serve(assignment, self._link)
        await server.stop(0.1)

    async def _serve(self, assignment: custody.Assignment, link: FramedLink) -> None:
        spool = Path(os.fsdecode(assignment.spool))
        self._spool = Spool(spool)
        journal = Path(os.fsdecode(assignment.journal)) if assignment.journal else None
        images = None if journal is None else Images(journal / IMAGES)
        conversation = Conversation(
            *(assignment.job, self._report, self._settle, memory_key(), self._lease_s),
            go_back=self._go_back,
            images=images,
            commit=self._commit,
            restarts_left=assignment.restarts_left,
        )
        self._conversation = conversation
        listening = asyncio.create_task(self._obey(conversation, link))
        asyncio.get_running_loop().call_later(ATTACH_WITHIN_S, self._expect_terminal, conversation)
        self._service.take(conversation, assignment, self._lease_s)
        async with contextlib.AsyncExitStack() as keeping:
            try:
                files = await keeping.enter_async_context(open_files(assignment.job, spool, journal, images))
            except HpoolError as error:
                conversation.fail(error)
            else:
                self._files = files
                self._service.open(files.serve_lane)
                if assignment.begins_again:
                    needs = () if files.going is None else files.going.needs
                    self._report(custody.Returned(conversation.goes_on(files.going), 0.0, needs))
            await conversation.over.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DETACH_WITHIN_S):
                    await conversation.released.wait()
                    await self._service.detached.wait()
            await self._service.close()
        listening.cancel()

    def _expect_terminal(self, conversation: Conversation) -> None:
        """A command that was killed between submitting and attaching never comes."""
        if not self._service.is_attached:
            conversation.terminal_gone()
            self._service.detached.set()

    async def _obey(self, conversation: Conversation, link: FramedLink) -> None:
        while (message := await link.receive()) is not None:
            match message:
                case custody.Claimed(secret, machine):
                    conversation.claimed(secret, machine)
                case custody.Removal(why):
                    conversation.remove(why)
                case custody.CheckpointJob(leave):
                    conversation.checkpoint(leave=leave)
                case custody.Recorded():
                    self._recorded.set()
        # The agent is gone. A job that has a machine goes on; one that waits would wait for ever.
        self._agent_is_there = False
        self._recorded.set()
        if not conversation.claim_secret:
            conversation.fail(ShadowLost("the agent ended while the job waited for a machine"))

    def _report(self, report: custody.FromShadow) -> None:
        """To the agent; the job's log is kept aside if there is none any more."""
        assert self._link is not None
        assert self._spool is not None
        if self._agent_is_there:
            self._link.send(report)
        elif isinstance(report, custody.Noted):
            self._spool.leave_note(report)

    def _commit(self, epoch: int) -> None:
        assert self._files is not None
        self._files.commit(epoch)

    async def _go_back(self, epoch: int) -> RolledBack:
        """The lost run is fenced off first: nothing of it is served any more."""
        assert self._files is not None
        await self._service.close()
        if not self._agent_is_there:
            return RolledBack("the agent is gone, and nobody would find another machine for it")
        return await self._files.go_back(epoch)

    async def _settle(self, outcome: Outcome) -> None:
        """The outcome is on disk, in the queue or in the spool, before anybody is told."""
        assert self._link is not None
        assert self._conversation is not None
        for refusal in self._files.refusals() if self._files is not None else ():
            self._conversation.remark(refusal.sentence)
        assert self._spool is not None
        if self._agent_is_there:
            self._link.send(custody.JobEnded(outcome))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECORD_WITHIN_S):
                    await self._recorded.wait()
        if not self._agent_is_there:
            self._spool.leave_outcome(outcome)
        if outcome.problem is None and self._files is not None:
            await self._files.let_go()


def child_main(link: socket.socket, listen_host: str, advertise_host: str | None, lease_s: float) -> int:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ShadowProcess(listen_host, advertise_host, lease_s).run(link))
    return 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen-host", required=True)
    parser.add_argument("--advertise-host")
    parser.add_argument("--lease", type=float, required=True)
    parser.add_argument("owner", type=int)
    options = parser.parse_args()
    log_to_stderr("shadow")
    nursery.serve(
        socket.socket(fileno=options.owner),
        lambda link: child_main(link, options.listen_host, options.advertise_host, options.lease),
        # A shadow outlives its agent: the job it serves must not suffer.
        kill_children=False,
    )


if __name__ == "__main__":
    main()
