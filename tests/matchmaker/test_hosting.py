"""Roles, contact files, nurseries."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hpool.matchmaker.hosting import nursery
from hpool.matchmaker.hosting.daemon import dial_target
from hpool.matchmaker.hosting.role import (
    Role,
    RoleAlreadyRuns,
    is_running,
    private_directory,
    read_contact,
    write_private,
)

NURSE = """
import socket, sys
from hpool.matchmaker.hosting import nursery

def child(link):
    link.sendall(b"ready")
    status = link.recv(10)
    return int(status) if status else 99

nursery.serve(socket.socket(fileno=int(sys.argv[-1])), child, kill_children={kill})
"""


def test_a_role_runs_once_and_its_contact_dies_with_it(tmp_path: Path) -> None:
    role = Role(tmp_path, "agent")
    assert read_contact(tmp_path, "agent") is None
    contact = role.announce("h:1", "token")
    assert read_contact(tmp_path, "agent") == contact
    assert stat.S_IMODE((tmp_path / "agent.contact").stat().st_mode) == 0o600
    with pytest.raises(RoleAlreadyRuns):
        Role(tmp_path, "agent")
    assert not is_running(tmp_path, "sandbox")


def test_a_contact_file_without_its_process_is_not_believed(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from hpool.matchmaker.hosting.role import Role;"
        "Role(Path(sys.argv[1]), 'agent').announce('h:1', 't')"
    )
    subprocess.run([sys.executable, "-I", "-c", script, tmp_path], check=True)
    assert (tmp_path / "agent.contact").exists()
    assert read_contact(tmp_path, "agent") is None


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    with pytest.raises(OSError):
        private_directory(tmp_path / "link")
    wide = tmp_path / "wide"
    wide.mkdir(mode=0o777)
    assert stat.S_IMODE(private_directory(wide).stat().st_mode) == 0o700


def test_a_peer_is_an_address_or_a_contact_file(tmp_path: Path) -> None:
    assert dial_target("host:1") == ("host:1", None)
    with pytest.raises(ConnectionError):
        dial_target(str(tmp_path / "none"))
    write_private(tmp_path / "c", '{"address": "h:2", "token": "t", "pid": 1}')
    assert dial_target(str(tmp_path / "c")) == ("h:2", "t")


async def _nursery(tmp_path: Path, *, kill: bool) -> nursery.Nursery:
    script = tmp_path / "nurse.py"
    script.write_text(NURSE.format(kill=kill))
    made = nursery.Nursery("unused")
    made._command = [sys.executable, "-I", str(script)]
    return made


def _room_for_descriptors(pid: int) -> int:
    fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["FDSize"])


def test_a_nursery_forks_children_and_tells_how_they_ended(tmp_path: Path) -> None:
    async def work() -> None:
        raised = await _nursery(tmp_path, kill=True)
        loop = asyncio.get_running_loop()
        children = [await raised.fork() for _ in range(3)]
        for number, child in enumerate(children):
            assert await loop.sock_recv(child.link, 10) == b"ready"
            assert _room_for_descriptors(child.pid) >= 1024, (
                "it waits for all processors when it enlarges that"
            )
            await loop.sock_sendall(child.link, str(number).encode())
        assert [await child.ended for child in children] == [0, 1, 2]
        killed = await raised.fork()
        os.kill(killed.pid, signal.SIGKILL)
        assert await killed.ended == -signal.SIGKILL
        raised.close()

    asyncio.run(asyncio.wait_for(work(), 20))


def test_a_nursery_that_died_is_started_again(tmp_path: Path) -> None:
    async def work() -> None:
        raised = await _nursery(tmp_path, kill=True)
        child = await raised.fork()
        assert raised._process is not None
        raised._process.kill()
        raised._process.wait()
        assert await child.ended == -signal.SIGKILL
        again = await raised.fork()
        assert await asyncio.get_running_loop().sock_recv(again.link, 10) == b"ready"
        raised.close()

    asyncio.run(asyncio.wait_for(work(), 20))


def test_a_nursery_that_dies_while_it_is_asked_is_followed_by_another(tmp_path: Path) -> None:
    async def work() -> None:
        raised = await _nursery(tmp_path, kill=True)
        await raised.fork()
        loop = asyncio.get_running_loop()
        assert raised._process is not None
        raised._process.kill()
        raised._process.wait()
        unnoticed = await raised.fork()
        assert await loop.sock_recv(unnoticed.link, 10) == b"ready"
        os.kill(raised._process.pid, signal.SIGSTOP)
        asked = asyncio.create_task(raised.fork())
        await asyncio.sleep(0)
        raised._process.kill()
        assert await loop.sock_recv((await asked).link, 10) == b"ready"
        raised.close()

    asyncio.run(asyncio.wait_for(work(), 20))


@pytest.mark.parametrize("kill", [True, False])
def test_children_go_with_their_owner_or_outlive_it(tmp_path: Path, kill: bool) -> None:
    async def work() -> None:
        raised = await _nursery(tmp_path, kill=kill)
        child = await raised.fork()
        loop = asyncio.get_running_loop()
        await loop.sock_recv(child.link, 10)
        raised.close()
        if kill:
            assert await loop.sock_recv(child.link, 10) == b""
        else:
            pidfd = os.pidfd_open(child.pid)
            await asyncio.sleep(0.1)
            signal.pidfd_send_signal(pidfd, 0)
            await loop.sock_sendall(child.link, b"0")
            os.close(pidfd)

    asyncio.run(asyncio.wait_for(work(), 20))
