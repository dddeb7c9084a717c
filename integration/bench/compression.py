"""Would zstd pay on the wire? Messages of real jobs, recorded between two rooms, compressed afterwards.

Owns: recording (packets of the veth, put together to streams, taken apart into gRPC messages), and the
arithmetic. Leaves to others: the work (work.py), the pool. `python -m integration.bench.compression`;
needs the package zstandard, which hpool itself does not.

For each bandwidth: seconds that the messages of a job take plain, and compressed one by one at level 1, where
compressing, sending and decompressing overlap between messages, so that the slowest of the three counts, and
each message that the job waits for alone pays all three. Messages that do not shrink by a tenth travel plain.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from integration.bench.work import WORK, Size
from integration.judge import lay_out
from integration.pool import StrictPool

LINKS_MBIT: Final = (1, 10, 100, 1000)
WORKS: Final = ("python", "find", "grep", "compile", "binaries")
BINARIES: Final = ["/bin/sh", "-c", "cat /usr/bin/git /usr/lib/gcc/*/*/cc1 > /dev/null"]
LEAST: Final = 512  # bytes of a message that is worth trying
FRAME_DATA: Final = 0
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
RECORDER: Final = """
import socket, struct, sys
from time import monotonic
# all protocols: only then what is sent is seen too
tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.ntohs(3))
tap.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE
tap.bind(("eth0", 3))
tap.settimeout(0.2)
out = open(sys.argv[1], "wb", buffering=1 << 20)
print("ready", flush=True)
import select
while not select.select([sys.stdin], [], [], 0)[0]:
    for _ in range(1000):
        try:
            packet = tap.recv(70000)
        except TimeoutError:
            break
        if packet[0] >> 4 != 4 or packet[9] != 6:
            continue
        head = (packet[0] & 15) * 4
        data = head + (packet[head + 12] >> 4) * 4
        end = len(packet)
        if end > data:
            sequence = struct.unpack_from("!I", packet, head + 4)[0]
            key = packet[12:20] + packet[head:head + 4]
            out.write(struct.pack("<12sII", key, sequence, end - data) + packet[data:end])
out.close()
"""


class Sum(NamedTuple):
    messages: int
    plain: int
    sent: int
    compress_s: float
    decompress_s: float


def streams(record: bytes) -> Iterator[bytes]:
    """Each direction of each connection, from its beginning to the first hole."""
    pieces: dict[bytes, dict[int, bytes]] = defaultdict(dict)
    at = 0
    while at < len(record):
        key, sequence, length = struct.unpack_from("<12sII", record, at)
        at += 20
        pieces[key][sequence] = record[at : at + length]
        at += length
    for parts in pieces.values():
        following, whole = next(iter(parts)), bytearray()
        while following in parts:
            part = parts[following]
            whole += part
            following = (following + len(part)) & 0xFFFFFFFF
        yield bytes(whole)


def messages(stream: bytes) -> Iterator[bytes]:
    """gRPC messages in the DATA frames of a connection's direction."""
    at = len(PREFACE) if stream.startswith(PREFACE) else 0
    bodies: dict[int, bytearray] = defaultdict(bytearray)
    while at + 9 <= len(stream):
        length = int.from_bytes(stream[at : at + 3], "big")
        kind, flags = stream[at + 3], stream[at + 4]
        number = int.from_bytes(stream[at + 5 : at + 9], "big")
        if at + 9 + length > len(stream) or kind > 9:
            return
        if kind == FRAME_DATA and not flags & 8:
            body = bodies[number]
            body += stream[at + 9 : at + 9 + length]
            while len(body) >= 5 and len(body) >= 5 + (size := int.from_bytes(body[1:5], "big")):
                yield bytes(body[5 : 5 + size])
                del body[: 5 + size]
        at += 9 + length


def weigh(found: list[bytes]) -> Sum:
    import zstandard  # type: ignore[import-not-found, unused-ignore]

    compressor: Any = zstandard.ZstdCompressor(level=1)
    decompressor: Any = zstandard.ZstdDecompressor()
    plain = sent = 0
    compress_s = decompress_s = 0.0
    for message in found:
        plain += len(message)
        if len(message) < LEAST:
            sent += len(message)
            continue
        began_s = time.perf_counter()
        small = compressor.compress(message)
        compress_s += time.perf_counter() - began_s
        if len(small) > len(message) * 0.9:
            sent += len(message)
            continue
        sent += len(small)
        began_s = time.perf_counter()
        decompressor.decompress(small)
        decompress_s += time.perf_counter() - began_s
    return Sum(len(found), plain, sent, compress_s, decompress_s)


def record(pool: StrictPool, argv: list[str], env: dict[str, str], place: Path) -> list[bytes]:
    command = ["nsenter", "-t", str(pool.room.pid), "-n", sys.executable, "-c", RECORDER, str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as recorder:
        assert recorder.stdout is not None
        assert recorder.stdin is not None
        recorder.stdout.readline()
        # PYTHONHOME is for the job, not for the command
        ended = pool.home.run(
            [sys.executable, "-I", *pool.home.hpool(argv)], pool.home.work, env=pool.home.env | env
        )
        if ended.code != 0:
            raise RuntimeError(ended.stderr.decode(errors="replace"))
        recorder.communicate(b"end\n")
    return [message for stream in streams(place.read_bytes()) for message in messages(stream)]


def run(pool: StrictPool, name: str, place: Path) -> list[bytes]:
    if name == "binaries":
        return record(pool, BINARIES, {}, place)
    work = WORK[name]
    lay_out(pool.home, pool.home.work, lambda place: work.fill(place, Size()))
    env = {key: value.format(here=pool.home.work) for key, value in work.env}
    return record(pool, work.argv(Size()), env, place)


def row(name: str, found: Sum) -> str:
    cells = [name, str(found.messages), f"{found.plain / 1e6:.2f}", f"{found.plain / max(1, found.sent):.2f}"]
    cells += [f"{found.plain / 1e6 / max(1e-9, found.compress_s):.0f}"]
    for mbit in LINKS_MBIT:
        rate = mbit * 1e6 / 8
        plain_s = found.plain / rate
        alone_s = found.sent / rate + found.compress_s + found.decompress_s
        overlapped_s = max(found.sent / rate, found.compress_s, found.decompress_s)
        cells.append(f"{plain_s:.3f} / {alone_s:.3f} / {overlapped_s:.3f}")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(WORKS))
    names = parser.parse_args().only.split(",")
    links = [f"{mbit} Mbit/s: plain / alone / overlapped, s" for mbit in LINKS_MBIT]
    heads = ["job, first run", "messages", "MB", "ratio", "MB/s in", *links]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    with tempfile.TemporaryDirectory() as top, StrictPool(home_bytes=4 << 30) as pool:
        for name in names:
            print(row(name, weigh(run(pool, name, Path(top) / name))), flush=True)


if __name__ == "__main__":
    main()
