"""The keeper's words: what is said to it, what it says."""

from __future__ import annotations

import pytest

from hpool.interpose_c.keeper import (
    BadKeeperMessage,
    Exceeded,
    Exited,
    Failed,
    KeeperSpec,
    Limit,
    Message,
    Protection,
    Protections,
    Restored,
    Started,
    TerminalReady,
    WindowSize,
    parse,
)


def test_a_spec_is_strings_in_pairs() -> None:
    spec = KeeperSpec(
        exe=b"/bin/a\xff",
        argv=[b"a", b""],
        environment=[b"X=1"],
        cwd=b"/w",
        umask=0o27,
        hostname=b"h",
        limits=[Limit(7, 10, None)],
        ignored_signals=[1, 17],
        blocked_signals=[64],
        closed_streams=[0, 2],
        own_session=True,
        terminal=WindowSize(24, 80),
        islands=[b"/tmp/w"],
        memory_bytes=5,
        max_processes=6,
        intercept="trace",
        restore=(4, 5),
        lazy=(6, 1 << 20),
    )
    words = spec.encode().split(b"\0")
    assert words.pop() == b""
    assert list(zip(words[::2], words[1::2], strict=True)) == [
        (b"exe", b"/bin/a\xff"),
        (b"cwd", b"/w"),
        (b"umask", b"27"),
        (b"network", b"none"),
        (b"intercept", b"trace"),
        (b"arg", b"a"),
        (b"arg", b""),
        (b"env", b"X=1"),
        (b"rlimit", b"7 10 unlimited"),
        (b"ignore", b"1"),
        (b"ignore", b"17"),
        (b"block", b"64"),
        (b"island", b"/tmp/w"),
        (b"closed", b"0"),
        (b"closed", b"2"),
        (b"session", b"own"),
        (b"restore", b"4 5"),
        (b"faults", b"6 1048576"),
        (b"hostname", b"h"),
        (b"tty", b"24 80"),
        (b"memory_bytes", b"5"),
        (b"max_processes", b"6"),
    ]


def test_a_nul_cannot_be_smuggled_into_a_spec() -> None:
    with pytest.raises(ValueError, match="NUL"):
        KeeperSpec(exe=b"/a", argv=[b"x\0umask\x000"], environment=[], cwd=b"/").encode()


@pytest.mark.parametrize(
    ("datagram", "message"),
    [
        (b"started", Started()),
        (b"restored", Restored()),
        (b"tty", TerminalReady(9)),
        (b"failed 2 /tmp/a b", Failed(2, "/tmp/a b")),
        (b"exceeded memory", Exceeded("memory")),
        (b"exit code=3 signal=0 utime_us=1 stime_us=2 maxrss_kb=3", Exited(3, 0, 1, 2, 3)),
        (
            b"protections proc=yes landlock=no:abi-4",
            Protections({"proc": Protection(True), "landlock": Protection(False, "abi-4")}),
        ),
    ],
)
def test_what_it_says_is_understood(datagram: bytes, message: Message) -> None:
    assert parse(datagram, [9]) == message


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"hello",
        b"tty",
        b"exit code=1",
        b"exit code=a signal=0",
        b"exit more=1",
        b"protections proc",
        b"failed x",
    ],
)
def test_anything_else_is_quoted_in_an_error(datagram: bytes) -> None:
    with pytest.raises(BadKeeperMessage) as caught:
        parse(datagram)
    assert repr(datagram) in str(caught.value)


def test_words_for_people() -> None:
    assert Exited(0, 9, 0, 0, 0).shell_code == 137
    assert Exited(4, 0, 0, 0, 0).shell_code == 4
    assert str(Failed(2, "chdir")) == "chdir: No such file or directory"
    assert Protections({"a": Protection(True), "b": Protection(False, "why")}).missing() == {"b": "why"}
