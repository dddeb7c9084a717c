"""Declared gRPC methods with typed values, and the options all of our channels and servers share.

Owns: paths, codecs on both ends, who is admitted. Leaves to others: what a method does.
Nothing is generated for services: a method is declared once, beside its values, and used by both ends.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, NoReturn, Protocol, TypeVar

import grpc
import grpc.aio

Q = TypeVar("Q")
R = TypeVar("R")

MAX_MESSAGE_BYTES: Final = 64 << 20
TOKEN_KEY: Final = "hpool-token"
# A peer that is gone without a word is noticed in eight seconds.
KEEPALIVE_MS: Final = 3_000
KEEPALIVE_WITHIN_MS: Final = 5_000

_COMMON: Final = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_WITHIN_MS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)
SERVER_OPTIONS: Final = (
    *_COMMON,
    # With it a stale server would silently share the port.
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.max_ping_strikes", 0),
)
CHANNEL_OPTIONS: Final = (
    *_COMMON,
    # One connection per channel: bulk must not stand in the way of what a job waits for.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    # What one attempt may take, handshakes included: a shorter one never gets through to a home far away.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_http_proxy", 0),
)


class Codec(Protocol[Q]):
    """What turns values into bytes and back; MessageCodec and OneOfCodec are such."""

    def encode(self, value: Q) -> bytes: ...
    def decode(self, raw: bytes) -> Q: ...


class RawCodec:
    """Bytes as they are: whoever uses it frames by hand."""

    def encode(self, value: bytes) -> bytes:
        return value

    def decode(self, raw: bytes) -> bytes:
        return raw


class Method(Generic[Q, R]):
    """One method of a service; `path` is "package.Service/Method"."""

    def __init__(self, path: str, request: Codec[Q], reply: Codec[R]) -> None:
        self.path = f"/{path}"
        self.name = path.partition("/")[2]
        self.service = path.partition("/")[0]
        self.request = request
        self.reply = reply


class UnaryMethod(Method[Q, R]):
    """A question and its answer."""

    def handler(self, behaviour: Callable[..., Any]) -> grpc.RpcMethodHandler[Any, Any]:
        return grpc.unary_unary_rpc_method_handler(behaviour, self.request.decode, self.reply.encode)

    def on(self, channel: grpc.Channel) -> Callable[..., R]:
        return channel.unary_unary(self.path, self.request.encode, self.reply.decode)

    def on_aio(self, channel: grpc.aio.Channel) -> Callable[..., Any]:
        return channel.unary_unary(self.path, self.request.encode, self.reply.decode)


class StreamMethod(Method[Q, R]):
    """A long conversation: both sides speak when they have something to say."""

    def handler(self, behaviour: Callable[..., Any]) -> grpc.RpcMethodHandler[Any, Any]:
        return grpc.stream_stream_rpc_method_handler(behaviour, self.request.decode, self.reply.encode)

    def on(self, channel: grpc.Channel) -> Callable[..., Any]:
        return channel.stream_stream(self.path, self.request.encode, self.reply.decode)

    def on_aio(self, channel: grpc.aio.Channel) -> Callable[..., Any]:
        return channel.stream_stream(self.path, self.request.encode, self.reply.decode)


def service(behaviours: Mapping[Method[Any, Any], Callable[..., Any]]) -> grpc.GenericRpcHandler[Any, Any]:
    """The handler that a server needs for methods of one service."""
    (name,) = {method.service for method in behaviours}
    handlers = {
        method.name: method.handler(behaviour)
        for method, behaviour in behaviours.items()
        if isinstance(method, UnaryMethod | StreamMethod)
    }
    return grpc.method_handlers_generic_handler(name, handlers)


def aio_server() -> grpc.aio.Server:
    return grpc.aio.server(options=SERVER_OPTIONS)


def aio_channel(address: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)


def sync_channel(address: str) -> grpc.Channel:
    return grpc.insecure_channel(address, options=CHANNEL_OPTIONS)


def place(address: str) -> tuple[str, int]:
    """Host and port, as a socket wants them."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


async def refuse(context: Any, status: grpc.StatusCode, why: str) -> NoReturn:
    """Ends the call with `status`."""
    await context.abort(status, why)
    raise AssertionError("abort returned")


async def admit(context: Any, key: str, secret: str) -> None:
    """Lets a call pass only if its metadata carries `secret` under `key`."""
    given = next((value for name, value in context.invocation_metadata() or () if name == key), "")
    if isinstance(given, bytes):
        given = given.decode("ascii", "replace")
    if not secret or not hmac.compare_digest(given.encode(), secret.encode()):
        await refuse(context, grpc.StatusCode.UNAUTHENTICATED, f"no valid {key}")


def bind(server: grpc.aio.Server, listen: str, advertise_host: str | None) -> str:
    """Opens the port and returns the address others should dial. `listen` is host:port, port 0: any."""
    host, _, _ = listen.rpartition(":")
    port = server.add_insecure_port(listen)
    if port == 0:
        raise OSError(f"cannot listen on {listen}")
    shown = advertise_host or host
    if shown in {"0.0.0.0", "[::]", "", "*"}:
        import socket

        shown = socket.getfqdn()
    return f"{shown}:{port}"
