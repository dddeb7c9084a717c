"""Asked twice, done once."""

from __future__ import annotations

import errno
import os
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest

from hpool.shadow.api import wire
from hpool.shadow.api.wire import Op

if TYPE_CHECKING:
    from tests.shadow.home.conftest import Client

ONCE: list[tuple[Op, Any, Any, dict[str, int]]] = [
    (Op.MKDIR, "new", b"", {"mode": 0o755}),
    (Op.SYMLINK, "new", b"text", {}),
    (Op.MKNOD, "new", b"", {"mode": stat.S_IFREG | 0o600}),
    (Op.LINK, "file", "new", {}),
    (Op.RENAME, "file", "new", {}),
    (Op.UNLINK, "file", b"", {}),
    (Op.RMDIR, "directory", b"", {}),
    (Op.OPEN, "new", b"", {"handle": 3, "arg": os.O_RDWR | os.O_CREAT | os.O_EXCL, "mode": 0o600}),
    (Op.TMPFILE, "", b"", {"handle": 3}),
]


@pytest.mark.parametrize(("op", "first", "second", "fields"), ONCE)
def test_a_repeated_change_gets_the_first_answer(
    client: Client, op: Op, first: Any, second: Any, fields: dict[str, int]
) -> None:
    (client.root / "file").touch()
    (client.root / "directory").mkdir()
    request = client.request(op, first, second, id=77, **fields)
    (reply,) = client.batch(request)
    assert reply.error == 0
    assert client.batch(request, request) == [reply, reply]
    assert client.home.statistics()["replayed"] == 2


def test_failures_are_remembered_too(client: Client) -> None:
    assert client.error(Op.UNLINK, "file", id=5) == errno.ENOENT
    (client.root / "file").touch()
    assert client.error(Op.UNLINK, "file", id=5) == errno.ENOENT
    assert (client.root / "file").exists()


def test_what_was_acknowledged_is_forgotten_and_not_done_again(client: Client) -> None:
    assert client.error(Op.MKDIR, "a", id=5) == 0
    assert client.error(Op.MKDIR, "b", id=6) == 0
    client.home.acknowledge(5)
    os.rmdir(client.path("a"))
    assert client.error(Op.MKDIR, "a", id=5) == errno.ESTALE
    assert not os.path.exists(client.path("a"))
    assert client.error(Op.MKDIR, "b", id=6) == 0


def test_the_cache_is_bounded(client: Client) -> None:
    requests = [client.request(Op.UNLINK, "none", id=number) for number in range(1, 70001)]
    for begin in range(0, len(requests), 5000):
        client.home.execute(wire.batch(requests[begin : begin + 5000]))
    (client.root / "none").touch()
    assert client.error(Op.UNLINK, "none", id=70000) == errno.ENOENT
    assert client.error(Op.UNLINK, "none", id=1) == 0  # forgotten long ago


def test_two_connections_at_once_do_it_once(client: Client) -> None:
    batches = [wire.batch([client.request(Op.MKDIR, f"d{n}", id=1000 + n) for n in range(300)])] * 4
    replies: list[list[wire.Reply]] = []

    def run(batch: bytes) -> None:
        replies.append(wire.parse_replies(client.home.execute(batch)))

    threads = [threading.Thread(target=run, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply.error for answers in replies for reply in answers] == [0] * 1200
    assert all(answers == replies[0] for answers in replies)
