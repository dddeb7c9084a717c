"""A racer that swaps names under the walk's feet gets nothing outside."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from hpool.shadow.api.wire import Flag, Op
from hpool.shadow.home.policy import Share

if TYPE_CHECKING:
    from tests.shadow.home.conftest import MakeClient

# A process of its own, so that it races with us and not with our interpreter's lock.
RACER = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
a, b = (os.fsencode(name) for name in sys.argv[1:])
while os.getppid() == PARENT:
    libc.renameat2(-100, a, -100, b, 2)
""".replace("PARENT", str(os.getpid()))


def race(first: str, second: str, ask: Callable[[], None], seconds: float = 2.0) -> None:
    racer = subprocess.Popen([sys.executable, "-IS", "-c", RACER, first, second])
    try:
        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            ask()
    finally:
        racer.kill()
        racer.wait()


@pytest.mark.slow
def test_an_exchange_of_directory_and_symlink_reveals_no_secret(make_client: MakeClient) -> None:
    client = make_client(("work", Share.RW), ("secret", Share.HIDE))
    for name in ("work/dir", "secret"):
        (client.root / name).mkdir(parents=True)
    (client.root / "work/dir/key").write_bytes(b"harmless")
    (client.root / "secret/key").write_bytes(b"the secret")
    (client.root / "work/link").symlink_to("../secret")
    seen = set()

    def ask() -> None:
        resolved = client.ask(Op.RESOLVE, "work/dir/key", flags=Flag.CONTENT, length=99)
        seen.add((resolved.error, resolved.entries[-1].content if not resolved.error else None))
        handle = next(client.ids)
        if client.error(Op.OPEN, "work/dir/key", handle=handle) == 0:
            seen.add((0, client.ask(Op.READ, handle=handle, length=99).data))
            client.ask(Op.CLOSE, handle=handle)

    race(str(client.root / "work/dir"), str(client.root / "work/link"), ask)
    assert seen <= {(0, b"harmless"), (0, None), (errno.EACCES, None), (errno.ENOENT, None)}
    assert (0, b"harmless") in seen and (errno.EACCES, None) in seen, "nothing was raced"


@pytest.mark.slow
def test_an_exchange_does_not_lead_a_write_outside(make_client: MakeClient) -> None:
    client = make_client(("work", Share.RW))
    for name in ("work/dir", "outside"):
        (client.root / name).mkdir(parents=True)
    (client.root / "work/link").symlink_to("../outside")
    errors = set()

    def ask() -> None:
        errors.add(client.error(Op.MKDIR, "work/dir/new", mode=0o755))
        client.error(Op.RMDIR, "work/dir/new")
        handle = next(client.ids)
        errors.add(client.error(Op.OPEN, "work/dir/f", handle=handle, arg=os.O_RDWR | os.O_CREAT, mode=0o600))
        client.ask(Op.CLOSE, handle=handle)
        client.error(Op.LINK, "work/dir/f", "work/dir/g")
        client.error(Op.RENAME, "work/dir/f", "work/dir/h")

    race(str(client.root / "work/dir"), str(client.root / "work/link"), ask)
    assert os.listdir(client.root / "outside") == []
    assert {0, errno.EACCES} <= errors


@pytest.mark.slow
def test_a_file_that_becomes_a_pipe_hangs_nobody(make_client: MakeClient) -> None:
    client = make_client()
    (client.root / "file").write_bytes(b"x")
    os.mkfifo(client.root / "pipe")
    errors = set()

    def ask() -> None:
        handle = next(client.ids)
        errors.add(client.error(Op.OPEN, "file", handle=handle, arg=os.O_RDONLY))
        client.ask(Op.CLOSE, handle=handle)
        client.ask(Op.RESOLVE, "file", flags=Flag.CONTENT, length=9)
        client.ask(Op.LIST, "", flags=Flag.CONTENT, length=9, mode=99)

    race(str(client.root / "file"), str(client.root / "pipe"), ask, 1.0)
    assert errors == {0, errno.ENXIO}


def test_lanes_may_work_at_once(make_client: MakeClient) -> None:
    client = make_client()
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(150):
                name = f"d{number}"
                handle = (number + 1) * 1000 + turn
                assert client.error(Op.MKDIR, name, mode=0o755) == 0
                flags = os.O_RDWR | os.O_CREAT
                assert client.error(Op.OPEN, f"{name}/f", handle=handle, arg=flags, mode=0o600) == 0
                assert client.error(Op.WRITE, b"x" * number, handle=handle) == 0
                assert client.error(Op.RENAME, f"{name}/f", f"moved{number}") == 0
                assert client.ask(Op.RESOLVE, f"moved{number}").entries[-1].attr.size == number
                assert client.error(Op.RMDIR, name) == 0
                assert client.ask(Op.GETATTR, handle=handle).entries[0].path == client.path(f"moved{number}")
                assert client.error(Op.CLOSE, handle=handle) == 0
                assert client.error(Op.LIST, "") == 0
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert ctypes.CDLL(None).umask(0) == 0
