"""What cannot be dumped is refused before anything is changed, by name; so are images that are not whole."""

from __future__ import annotations

import os
import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.interpose_c.checkpoint.world import HERE, ROOT, Ended, Refused, World

CSRC: Final = ROOT / "interpose_c" / "csrc"


@pytest.fixture
def kinds(world: World) -> str:
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-pthread"]
    subprocess.run(["gcc", *flags, "-o", world.place / "kinds", HERE / "refused" / "kinds.c"], check=True)
    return "/work/kinds"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("connection", "not accepted yet that has sent something"),
        ("filter", "a seccomp filter of its own"),
        ("descriptor", "descriptors on their way"),
        ("urgent", "with an urgent byte that nobody has read"),
        ("unread", "has heard of changes that nobody has read yet"),
        ("once", "/tmp/place is watched for being opened once"),
        ("elsewhere", "inotify watches inode [0-9]+, which has no name"),
        ("queue", "POSIX message queue /left: tells by starting a thread"),
        ("apart", "has a directory or descriptors of its own"),
        ("traced", "is traced by another process"),
        ("leader", "without its first thread"),
        ("clone", "ends with a signal other than SIGCHLD"),
        ("room", "no room above it for restoring"),
        ("changes", r"told by a signal \(F_NOTIFY\)"),
        ("corked", r"keep back what has been sent \(UDP_CORK\)"),
        ("errors", "with an error that nobody has been told yet"),
        ("group", "bound to an address that others share, with something in it"),
        ("relative", "bound to a relative name that leads to it no longer"),
        ("aside", "bound to a name at home, where nobody could reach it"),
        ("who", r"with messages that tell who has sent them \(SO_PASSCRED"),
        ("another", "whose partner has left it for another"),
        ("packets", "with an error that nobody has been told yet, before something that waits"),
        ("asynchronous", r"asynchronous input and output of the kernel's \(io_setup\)"),
    ],
)
def test_what_cannot_travel_is_named_and_goes_on(world: World, kinds: str, kind: str, reason: str) -> None:
    world.start(kinds, kind)
    world.await_output("ready\n")
    for _ in range(2):
        with pytest.raises(Refused, match=reason):
            world.dump()
    assert world.end() == Ended(0, 0, "ready\nas it was\n")


@pytest.mark.slow
def test_who_waits_for_ever_for_a_vfork_child_is_not_waited_for(world: World, kinds: str) -> None:
    world.start(kinds, "vfork")
    world.await_output("ready\n")
    for _ in range(2):
        with pytest.raises(Refused, match="waits without end for a vfork child"):
            world.dump()
    (world.place / "stop").touch()
    assert world.end() == Ended(0, 0, "ready\nready\nas it was\n")


def test_a_program_that_has_changed_is_refused(world: World, compiled: Callable[..., str]) -> None:
    world.start(compiled("pipes.c"))
    world.await_output("ready\n")
    world.dump()
    program = world.place / "pipes"
    os.utime(program, ns=(0, program.stat().st_mtime_ns + 1))
    with pytest.raises(AssertionError, match="/work/pipes, which has changed since"):
        world.restore()


@pytest.fixture
def image(world: World, compiled: Callable[..., str]) -> Path:
    world.start(compiled("sockets.c"))
    world.await_output("ready\n")
    world.dump()
    return world.image


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda meta: meta[:-48], "cut off|sum|record"),
        (lambda meta: meta[:1000] + bytes([meta[1000] ^ 1]) + meta[1001:], "sum"),
        (lambda meta: b"x" + meta[1:], "record|not an image"),
        (lambda meta: meta[:16] + struct.pack("<I", 99) + meta[20:], "format 99"),
        (lambda _: b"", "beginning"),
    ],
)
def test_an_altered_image_is_refused(
    world: World, image: Path, damage: Callable[[bytes], bytes], reason: str
) -> None:
    meta = image / "meta"
    meta.write_bytes(damage(meta.read_bytes()))
    with pytest.raises(AssertionError, match=reason):
        world.restore()
    assert b"as it was" not in world.output


def test_the_reader_survives_any_bytes(world: World, image: Path) -> None:
    """Thousands of images that are wrong somewhere and whose sum is right: each is read or refused."""
    fuzzer = world.place / "fuzzer"
    sources = [CSRC / "checkpoint" / f"{name}.c" for name in ("read", "index", "refuse", "write")]
    flags = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]
    subprocess.run(
        [
            "gcc",
            *flags,
            "-fno-sanitize-recover",
            f"-I{CSRC}",
            f"-I{CSRC}/include",
            "-o",
            fuzzer,
            HERE / "reader_fuzz.c",
            *sources,
        ],
        check=True,
    )
    seed = str(random.randrange(1 << 31))
    ended = subprocess.run(
        [fuzzer, image / "meta", image / "pages", seed, "4000"],
        env={"ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, (seed, ended.stderr)
    accepted, refused = map(int, ended.stdout.split())
    assert accepted + refused == 4000
    assert refused > 100
