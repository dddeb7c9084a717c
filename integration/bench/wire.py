"""A slow wire between two rooms, and what a wire really does.

Owns: the forwarder (delay.c), compiled when it is first wanted; addresses on its two devices; the round
trip and the throughput that TCP finds there. Leaves to others: what travels.
"""

from __future__ import annotations

import functools
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple, Self

from integration.rooms import Room, wait_until

SOURCE: Final = Path(__file__).parent / "delay.c"
PORT: Final = 47001
# One end answers bytes for bytes, then swallows all that comes; the other asks, then pours.
ANSWERS: Final = """
import socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
peer, _ = server.accept()
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for _ in range(int(sys.argv[3])):
    peer.sendall(peer.recv(64))
room = bytearray(1 << 20)
while peer.recv_into(room):
    pass
peer.sendall(b"x")
"""
ASKS: Final = """
import socket, sys, time
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
times = []
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    peer.sendall(bytes(64))
    peer.recv(64)
    times.append(time.perf_counter() - start)
block, count = bytes(1 << 20), int(sys.argv[4])
start = time.perf_counter()
for _ in range(count):
    peer.sendall(block)
peer.shutdown(socket.SHUT_WR)
peer.recv(1)
print(*times)
print(count * len(block) / (time.perf_counter() - start))
"""


class Found(NamedTuple):
    """What a wire does: 64 bytes and their answer; one stream, slow start included."""

    round_trip_ms: float
    worst_ms: float
    bytes_per_s: float

    def __str__(self) -> str:
        rate = self.bytes_per_s / 1e6
        return f"{self.round_trip_ms:.2f} ms there and back (worst {self.worst_ms:.2f}), {rate:.0f} MB/s"


@functools.cache
def _forwarder() -> Path:
    program = Path(tempfile.mkdtemp(prefix="hpool-delay-")) / "delay"
    flags = ["-O2", "-Wall", "-Wextra", "-pthread"]
    subprocess.run(["gcc", *flags, str(SOURCE), "-o", str(program)], check=True)
    return program


class SlowWire:
    """`round_trip_ms` is added by a process of its own; 0 is a plain wire of the kernel's.
    `bytes_per_s`: it carries so many each way; 0: as many as the machine can."""

    def __init__(
        self,
        one: Room,
        two: Room,
        network: str,
        round_trip_ms: float,
        *,
        device: str = "eth0",
        bytes_per_s: float = 0,
    ) -> None:
        self.one, self.two = one, two
        self.addresses = f"{network}.1", f"{network}.2"
        self._process: subprocess.Popen[bytes] | None = None
        if round_trip_ms == 0 and bytes_per_s == 0:
            _in(
                one,
                "ip",
                "link",
                "add",
                device,
                "type",
                "veth",
                "peer",
                "name",
                device,
                "netns",
                str(two.pid),
            )
        else:
            argv = [str(_forwarder()), str(one.pid), str(two.pid), device, str(round(round_trip_ms * 500))]
            argv += [str(round(bytes_per_s))] if bytes_per_s else []
            self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert self._process.stdout is not None
            if self._process.stdout.readline() != b"ready\n":
                raise RuntimeError(f"no wire of {round_trip_ms} ms")
        for room, address in zip((one, two), self.addresses, strict=True):
            _in(room, "ip", "addr", "add", f"{address}/24", "dev", device)
            _in(room, "ip", "link", "set", device, "txqueuelen", "10000", "up")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()

    def measure(self, rounds: int = 100, megabytes: int = 256) -> Found:
        """Of the wire as it is now, with whatever else is on it."""
        python = [sys.executable, "-I", "-c"]
        where = [self.addresses[0], str(PORT), str(rounds)]
        server = self.one.popen([*python, ANSWERS, *where], cwd="/")
        assert server.stdout is not None
        wait_until(server.stdout.readline, "the other end")
        client = self.two.popen([*python, ASKS, *where, str(megabytes)], cwd="/")
        out, err = client.communicate(timeout=120)
        server.communicate(timeout=10)
        if client.returncode != 0:
            raise RuntimeError(f"the wire could not be measured: {err.decode()}")
        times, rate = out.decode().splitlines()
        ms = [1000 * float(word) for word in times.split()]
        return Found(statistics.median(ms), max(ms), float(rate))


def _in(room: Room, *words: str) -> None:
    subprocess.run(["nsenter", "-t", str(room.pid), "-n", *words], check=True)
