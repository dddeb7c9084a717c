"""The matchmaker over real gRPC: introductions, restarts, strangers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import grpc
import pytest

from hpool.matchmaker.api import client, values
from hpool.matchmaker.hosting import rpc
from hpool.matchmaker.hosting.standing import StandingConversation
from hpool.matchmaker.model.clock import SystemClock
from hpool.matchmaker.service import NEEDS_COUNT_S, MatchmakerService

TOKEN = "secret"


def machine(name: str = "m", slots: int = 1) -> values.MachineAd:
    return values.MachineAd(name, name, "x86_64", "6", (), 2, 1 << 30, slots, slots, "1")


def idle(job_id: str, ticket: str = "t") -> values.JobAd:
    return values.JobAd(job_id, ticket, "me", 1, 0, "x86_64", 1.0)


async def serve(listen: str = "127.0.0.1:0") -> tuple[Any, str]:
    server = rpc.aio_server()
    server.add_generic_rpc_handlers((MatchmakerService(TOKEN, 5.0, SystemClock()).handler(),))
    address = rpc.bind(server, listen, None)
    await server.start()
    return server, address


def run(work: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work

    asyncio.run(bounded())


class Talker:
    """One side of a standing conversation."""

    def __init__(self, method: Any, address: str, report: Any, token: str = TOKEN) -> None:
        self.report = report
        self.notices: asyncio.Queue[Any] = asyncio.Queue()
        self.conversation = StandingConversation(method, address, token)
        self.task = asyncio.create_task(self.conversation.run(lambda: self.report, self.notices.put_nowait))

    async def next(self, kind: type) -> Any:
        while not isinstance(notice := await self.notices.get(), kind):
            pass
        return notice


def test_a_job_and_a_machine_are_introduced_whoever_came_first() -> None:
    async def work() -> None:
        server, address = await serve()
        sandbox = Talker(client.ADVERTISE_MACHINE, address, values.MachineReport(machine()))
        await sandbox.next(values.Welcome)
        agent = Talker(
            client.ADVERTISE_JOBS, address, values.JobsReport("a", "agent:1", (idle("1.0"), idle("2.0")))
        )
        assert await sandbox.next(values.Match) == values.Match("1.0", "agent:1", "t")
        assert await agent.next(values.Matched) == values.Matched("1.0", "m")
        # One slot: the second job waits until a machine has room.
        late = Talker(client.ADVERTISE_MACHINE, address, values.MachineReport(machine("late")))
        assert (await late.next(values.Match)).job_id == "2.0"
        await server.stop(None)

    run(work())


def test_a_new_ticket_is_proposed_again_at_once() -> None:
    async def work() -> None:
        server, address = await serve()
        sandbox = Talker(client.ADVERTISE_MACHINE, address, values.MachineReport(machine(slots=4)))
        agent = Talker(client.ADVERTISE_JOBS, address, values.JobsReport("a", "agent:1", (idle("1.0"),)))
        assert (await sandbox.next(values.Match)).ticket == "t"
        agent.report = values.JobsReport("a", "agent:1", (idle("1.0", "t2"),))
        agent.conversation.changed()
        assert (await sandbox.next(values.Match)).ticket == "t2"
        await server.stop(None)

    run(work())


def test_a_restarted_matchmaker_knows_everything_again() -> None:
    async def work() -> None:
        server, address = await serve()
        sandbox = Talker(client.ADVERTISE_MACHINE, address, values.MachineReport(machine()))
        await sandbox.next(values.Welcome)
        await server.stop(None)
        server, _ = await serve(address)
        await sandbox.next(values.Welcome)
        Talker(client.ADVERTISE_JOBS, address, values.JobsReport("a", "agent:1", (idle("1.0"),)))
        assert (await sandbox.next(values.Match)).job_id == "1.0"
        await server.stop(None)

    run(work())


def test_who_leaves_is_forgotten_and_strangers_are_not_admitted() -> None:
    async def work() -> None:
        server, address = await serve()
        sandbox = Talker(client.ADVERTISE_MACHINE, address, values.MachineReport(machine()))
        await sandbox.next(values.Welcome)
        channel = rpc.aio_channel(address)
        ask = client.STATUS.on_aio(channel)
        good = ((rpc.TOKEN_KEY, TOKEN),)
        while not (await ask(values.StatusRequest(), metadata=good)).machines:
            await asyncio.sleep(0.01)
        sandbox.task.cancel()
        while (await ask(values.StatusRequest(), metadata=good)).machines:
            await asyncio.sleep(0.01)
        for metadata in ((), ((rpc.TOKEN_KEY, "wrong"),), ((rpc.TOKEN_KEY, ""),)):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await ask(values.StatusRequest(), metadata=metadata)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        await channel.close(None)
        await server.stop(None)

    run(work())


class Watch(SystemClock):
    """Goes when it is told."""

    at_s = 0.0

    def monotonic_s(self) -> float:
        return self.at_s


def test_an_image_that_fits_nowhere_waits_for_long_but_not_for_ever() -> None:
    async def work() -> None:
        clock = Watch()
        service = MatchmakerService(TOKEN, 5.0, clock)
        server = rpc.aio_server()
        server.add_generic_rpc_handlers((service.handler(),))
        address = rpc.bind(server, "127.0.0.1:0", None)
        await server.start()
        sandbox = Talker(client.ADVERTISE_MACHINE, address, values.MachineReport(machine()))
        needy = idle("1.0")._replace(needs=("avx2",))
        agent = Talker(client.ADVERTISE_JOBS, address, values.JobsReport("a", "agent:1", (needy,)))
        await sandbox.next(values.Welcome)
        await agent.next(values.Welcome)
        while not (service._agents and service._machines):
            await asyncio.sleep(0.01)
        for clock.at_s in (1.0, NEEDS_COUNT_S - 1):
            service.match()
            assert sandbox.notices.empty()
        agent.report = agent.report._replace(jobs=(needy._replace(ticket="of its next image"),))
        agent.conversation.changed()
        while service._agents["a"].waiting["1.0"][0] == "t":
            await asyncio.sleep(0.01)
        clock.at_s += NEEDS_COUNT_S - 1
        service.match()
        assert sandbox.notices.empty()
        clock.at_s += 2
        service.match()
        assert (await sandbox.next(values.Match)).ticket == "of its next image"
        await server.stop(None)

    run(work())
