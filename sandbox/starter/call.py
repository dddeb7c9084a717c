"""A call of a streaming method by way of C, on a connection of its own.

Owns: the call as Stream uses it (a grpc.Call as far as that). Leaves to others: HTTP/2 (csrc/call), what
messages mean. Exists only where nghttp2 was there when hpool was built: `native_caller` gives None
elsewhere.

What a job waits for near home takes a third less time than through gRPC's core (integration/README.md).
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import unquote

import grpc

from hpool.matchmaker.hosting import rpc

try:
    from hpool.sandbox.starter._call import ffi, lib
except ImportError:
    ffi = lib = None

CONNECT_WITHIN_S: Final = 5.0
WINDOW_BYTES: Final = 16 << 20  # what 1.6 GB/s has on its way in 10 ms, or 320 MB/s in 50 ms
_FIELDS_ROOM: Final = 1024
_TEXT_ROOM: Final = 256
_STATUS: Final = {code.value[0]: code for code in grpc.StatusCode}


class CallEnded(grpc.RpcError):
    """Why a call is over, told as grpc's own calls tell it."""

    def __init__(self, status: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self._status = status
        self._text = text

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str:
        return self._text


class NativeCall:
    """An iterator of what the other end says; what `outgoing` gives is sent meanwhile."""

    def __init__(
        self,
        connection: socket.socket,
        address: str,
        path: str,
        outgoing: Iterator[bytes],
        metadata: Sequence[tuple[str, str]],
    ) -> None:
        """Raises CallEnded."""
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            ":authority": address,
            "te": "trailers",
            "content-type": "application/grpc",
            **dict(metadata),
        }
        texts = [ffi.new("char[]", text.encode("ascii")) for pair in fields.items() for text in pair]
        limits = ffi.new(
            "struct hp_call_limits *",
            (rpc.MAX_MESSAGE_BYTES, WINDOW_BYTES, rpc.KEEPALIVE_MS, rpc.KEEPALIVE_WITHIN_MS),
        )
        connection.setblocking(False)
        call = lib.hp_call_open(connection.detach(), limits, ffi.new("char *[]", texts), len(fields))
        if call == ffi.NULL:
            raise CallEnded(grpc.StatusCode.INTERNAL, "no memory for a call")
        self._call = ffi.gc(call, lib.hp_call_close)
        threading.Thread(target=self._send, args=(outgoing,), name="sending", daemon=True).start()

    def initial_metadata(self) -> list[tuple[str, str]]:
        """Waits for them. Raises CallEnded."""
        room = ffi.new("char[]", _FIELDS_ROOM)
        length = lib.hp_call_fields(self._call, room, _FIELDS_ROOM)
        if length < 0:
            raise self._why()
        texts = bytes(ffi.buffer(room, length)).decode("ascii", "replace").split("\0")
        return list(zip(texts[0::2], texts[1::2], strict=False))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        pointer = ffi.new("uint8_t **")
        length = lib.hp_call_receive(self._call, pointer)
        if length < 0:
            why = self._why()
            if why.code() is grpc.StatusCode.OK:
                raise StopIteration
            raise why
        return ffi.buffer(ffi.gc(pointer[0], lib.hp_call_free), length)

    def _send(self, outgoing: Iterator[bytes]) -> None:
        for message in outgoing:
            if lib.hp_call_send(self._call, ffi.from_buffer(message), len(message)) < 0:
                return
        lib.hp_call_finish(self._call)

    def _why(self) -> CallEnded:
        text = ffi.new("char[]", _TEXT_ROOM)
        status = lib.hp_call_status(self._call, text, _TEXT_ROOM)
        said = unquote(ffi.string(text).decode("utf-8", "replace"))
        return CallEnded(_STATUS.get(status, grpc.StatusCode.UNAVAILABLE), said)


Caller = Callable[[Iterator[bytes], Sequence[tuple[str, str]]], Any]
"""Calls a method: what is sent, metadata. What comes back iterates over what the other end says."""


class Dial:
    """A connection that is being made."""

    def __init__(self, address: str) -> None:
        self._where = rpc.place(address)
        self._made: socket.socket | OSError = OSError("not made")
        self._thread = threading.Thread(target=self._make, name="dial", daemon=True)
        self._thread.start()

    def result(self) -> socket.socket:
        """Once only. Raises CallEnded."""
        self._thread.join()
        if isinstance(self._made, OSError):
            raise CallEnded(grpc.StatusCode.UNAVAILABLE, str(self._made))
        return self._made

    def _make(self) -> None:
        try:
            self._made = socket.create_connection(self._where, timeout=CONNECT_WITHIN_S)
            self._made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            self._made = error


def is_built() -> bool:
    """Whether nghttp2 was there when this hpool was built, and is here now."""
    return lib is not None


def native_caller(address: str, path: str) -> Caller | None:
    """Calls that method there, each time on a connection of its own, the first of which is begun at once.
    None: not built."""
    if not is_built():
        return None
    dialled = [Dial(address)]

    def call(outgoing: Iterator[bytes], metadata: Sequence[tuple[str, str]]) -> NativeCall:
        connection = (dialled.pop() if dialled else Dial(address)).result()
        return NativeCall(connection, address, path, outgoing, metadata)

    return call
