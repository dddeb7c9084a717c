"""Calls by way of C, against gRPC's own server."""

from __future__ import annotations

import contextlib
import queue
import random
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

from hpool.matchmaker.hosting import rpc
from hpool.sandbox.starter import call

pytestmark = pytest.mark.skipif(
    not call.is_built(), reason="built without nghttp2: apt-get install libnghttp2-dev"
)

METHOD: rpc.StreamMethod[bytes, bytes] = rpc.StreamMethod("test.Service/Talk", rpc.RawCodec(), rpc.RawCodec())
Behaviour = Callable[[Iterator[bytes], Any], Iterator[bytes]]


@contextlib.contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(2), options=rpc.SERVER_OPTIONS)
    server.add_generic_rpc_handlers((rpc.service({METHOD: behaviour}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def calling(address: str, outgoing: Iterator[bytes], **metadata: str) -> Any:
    caller = call.native_caller(address, METHOD.path)
    assert caller is not None
    return caller(outgoing, tuple(metadata.items()))


def echo(messages: Iterator[bytes], _context: Any) -> Iterator[bytes]:
    for message in messages:
        yield message[::-1]


def test_messages_of_all_lengths_come_back_in_order() -> None:
    chance = random.Random(3)
    sizes = [0, 1, 16_383, 16_384, 65_535, 1 << 20, 20 << 20, *(chance.randrange(70_000) for _ in range(200))]
    messages = [chance.randbytes(size) for size in sizes]
    with serving(echo) as address:
        answers = [bytes(answer) for answer in calling(address, iter(messages))]
    assert [len(answer) for answer in answers] == sizes
    assert answers == [message[::-1] for message in messages]


def test_a_conversation_by_turns() -> None:
    said: queue.Queue[bytes | None] = queue.Queue()
    with serving(echo) as address:
        talk = calling(address, iter(said.get, None))
        for number in range(300):
            said.put(b"%d" % number)
            assert bytes(next(talk)) == (b"%d" % number)[::-1]
        said.put(None)
        with pytest.raises(StopIteration):
            next(talk)


def test_an_upload_waits_while_the_other_end_does_not_read() -> None:
    may_read = threading.Event()
    taken: list[int] = []

    def read_late(messages: Iterator[bytes], _context: Any) -> Iterator[bytes]:
        may_read.wait(20)
        taken.extend(len(message) for message in messages)
        yield b"%d" % sum(taken)

    with serving(read_late) as address:
        talk = calling(address, (bytes(1 << 20) for _ in range(64)))
        may_read.set()
        assert bytes(next(talk)) == b"%d" % (64 << 20)
        assert len(taken) == 64


def test_metadata_goes_both_ways() -> None:
    def tell(_messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
        given = dict(context.invocation_metadata())
        context.send_initial_metadata((("told", given["asked"] + "!"),))
        yield b"done"

    with serving(tell) as address:
        talk = calling(address, iter(()), asked="this")
        assert dict(talk.initial_metadata())["told"] == "this!"
        assert bytes(next(talk)) == b"done"


def test_a_refusal_comes_with_its_code_and_words() -> None:
    def refuse(_messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
        yield b"first"
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you? 100 % strange, ä")

    with serving(refuse) as address:
        talk = calling(address, iter(()))
        assert bytes(next(talk)) == b"first"
        with pytest.raises(grpc.RpcError) as refused:
            next(talk)
    error: Any = refused.value
    assert (error.code(), error.details()) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "who are you? 100 % strange, ä",
    )


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(grpc.RpcError) as refused:
        calling(address, iter(()))
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "refused" in error.details()


@contextlib.contextmanager
def accepting(then: Callable[[socket.socket], None]) -> Iterator[str]:
    """A peer that speaks no HTTP/2."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            connection, _ = server.accept()
            with connection:
                then(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(20)
        assert not thread.is_alive()


def why_it_ended(talk: Any) -> str:
    with pytest.raises(grpc.RpcError) as broken:
        next(talk)
    error: Any = broken.value
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    return str(error.details())


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\n\r\n" * 100, b"\0" * 4096], ids=["nothing", "http1", "zeros"]
)
def test_a_peer_of_another_kind_breaks_the_call(said: bytes) -> None:
    def say(connection: socket.socket) -> None:
        connection.recv(10)
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass

    with accepting(say) as address:
        assert why_it_ended(calling(address, iter([b"hello"])))


def test_a_peer_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "KEEPALIVE_MS", 50)
    monkeypatch.setattr(rpc, "KEEPALIVE_WITHIN_MS", 50)

    def listen(connection: socket.socket) -> None:
        while connection.recv(4096):
            pass

    with accepting(listen) as address:
        assert why_it_ended(calling(address, iter([b"hello"]))) == "no word from it"


def test_a_peer_that_only_answers_pings_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "KEEPALIVE_MS", 20)
    may_answer = threading.Event()

    def wait(messages: Iterator[bytes], _context: Any) -> Iterator[bytes]:
        next(messages)
        may_answer.wait(20)
        yield b"at last"

    with serving(wait) as address:
        talk = calling(address, iter([b"hello"]))
        threading.Timer(0.5, may_answer.set).start()  # many times the silence that it bears
        assert bytes(next(talk)) == b"at last"
