"""Streams of a job that begins again: given again, shown once."""

from __future__ import annotations

import os
import queue
from pathlib import Path
from typing import Any

import pytest

from hpool.shadow.api import stdio
from hpool.shadow.cli import replay
from hpool.shadow.cli.replay import Input, Shown


def test_what_was_shown_is_not_shown_again() -> None:
    shown = Shown()
    assert [shown.new_of(part) for part in (b"one ", b"two ")] == [b"one ", b"two "]
    shown.begin_again()
    assert shown.is_behind
    assert [shown.new_of(part) for part in (b"o", b"ne tw", b"o three", b" four")] == [
        *(b"", b"", b"three", b" four")
    ]
    assert (shown.is_same, shown.is_behind) == (True, False)


def test_a_run_that_says_something_else_is_noticed() -> None:
    shown = Shown()
    shown.new_of(b"at 12:00\n")
    for text, is_same in ((b"at 12:00\n", True), (b"at 12:01\nmore", False)):
        shown.begin_again()
        shown.new_of(text)
        assert shown.is_same is is_same
    shown.begin_again()
    shown.new_of(b"at")
    assert shown.is_behind


class Sent:
    def __init__(self, fd: int) -> None:
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.input = Input(fd, self._queue.put)

    def next(self) -> Any:
        return self._queue.get(timeout=10)

    def all(self) -> bytes:
        """Until its end."""
        content = b""
        while not isinstance(message := self.next(), stdio.InputEnd):
            assert message.position == len(content)
            content += message.content
            self.input.grant(len(content) + 100, is_wanted=True)
        return content


def test_a_pipe_is_given_again_from_the_beginning() -> None:
    read_fd, write_fd = os.pipe()
    sent = Sent(read_fd)
    os.write(write_fd, b"first ")
    sent.input.begin(100)
    assert sent.next() == stdio.Input(0, b"first ")
    sent.input.begin_again()
    assert sent.input.can_begin_again()
    os.write(write_fd, b"second")
    os.close(write_fd)
    sent.input.begin(100)
    assert sent.all() == b"first second"
    sent.input.begin_again()
    sent.input.begin(100)
    assert sent.all() == b"first second"
    os.close(read_fd)


def test_a_file_is_read_again_however_large_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "KEPT_BYTES", 10)
    (tmp_path / "in").write_bytes(b"head" + bytes(range(256)) * 1000)
    fd = os.open(tmp_path / "in", os.O_RDONLY)
    os.lseek(fd, 4, os.SEEK_SET)
    sent = Sent(fd)
    for _ in range(2):
        sent.input.begin(1000)
        assert sent.all() == bytes(range(256)) * 1000
        sent.input.begin_again()
    assert sent.input.can_begin_again()
    os.close(fd)


def test_more_than_is_kept_of_a_pipe_cannot_be_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "KEPT_BYTES", 10)
    read_fd, write_fd = os.pipe()
    os.write(write_fd, b"x" * 15)
    os.close(write_fd)
    sent = Sent(read_fd)
    sent.input.begin(6)
    assert sent.all() == b"x" * 15, "the run itself gets all of it"
    assert not sent.input.can_begin_again()
    os.close(read_fd)


def test_of_more_than_is_kept_a_run_gets_what_the_last_one_had_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "KEPT_BYTES", 100)
    read_fd, write_fd = os.pipe()
    text = bytes(range(250))
    sent = Sent(read_fd)
    sent.input.begin(250)
    for at in range(0, 250, 25):
        os.write(write_fd, text[at : at + 25])
        assert sent.next() == stdio.Input(at, text[at : at + 25])
    assert sent.input.can_begin_again(200) and not sent.input.can_begin_again(100)
    sent.input.begin_again(200)
    sent.input.begin(100)
    assert sent.next() == stdio.Input(200, text[200:])
    os.close(write_fd)
    assert sent.next() == stdio.InputEnd()
    os.close(read_fd)


def test_nothing_is_read_beyond_what_is_wanted() -> None:
    read_fd, write_fd = os.pipe()
    sent = Sent(read_fd)
    os.write(write_fd, b"x" * 50)
    sent.input.begin(20)
    assert sent.next() == stdio.Input(0, b"x" * 20)
    sent.input.leave_at(20)
    os.set_blocking(read_fd, False)
    assert os.read(read_fd, 100) == b"x" * 30
    os.close(read_fd)
    os.close(write_fd)


def test_what_is_kept_is_given_again_while_the_pipe_says_nothing_new() -> None:
    read_fd, write_fd = os.pipe()
    os.write(write_fd, b"first second")
    sent = Sent(read_fd)
    sent.input.begin(100)
    assert sent.next() == stdio.Input(0, b"first second")
    for position, rest in ((0, b"first second"), (6, b"second")):
        sent.input.begin_again(position)
        sent.input.begin(100)
        assert sent.next() == stdio.Input(position, rest)
    os.close(write_fd)
    assert sent.next() == stdio.InputEnd()
    os.close(read_fd)


class Told:
    """Signals on their way, beside two outputs."""

    def __init__(self) -> None:
        self.numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.outputs = [Shown(), Shown()]
        self.signals = replay.Sent(lambda signal: self.numbers.put(signal.number), self.outputs)

    def next(self) -> int:
        return self.numbers.get(timeout=10)

    def says(self, text: bytes) -> None:
        self.outputs[0].new_of(text)
        self.signals.look()


def test_signals_wait_for_a_run_and_come_in_order() -> None:
    told = Told()
    for number in (10, 12, 10):
        told.signals.put(number)
    told.signals.begin()
    assert [told.next() for _ in range(3)] == [10, 12, 10]
    told.signals.put(3)
    assert told.next() == 3


def test_a_signal_comes_again_when_what_led_to_it_was_said_again() -> None:
    told = Told()
    told.signals.begin()
    for number, text in ((10, b"one"), (12, b"two"), (3, b"three")):
        told.signals.put(number)
        assert told.next() == number
        told.says(text)
    told.signals.begin_again(1)
    told.outputs[0].begin_again(1)
    told.signals.begin()
    told.says(b"n")
    assert told.numbers.empty()
    told.says(b"e")
    assert told.next() == 12
    told.outputs[0].is_wanted = False  # nobody reads it: its positions say nothing
    told.says(b"")
    assert told.next() == 3
    told.signals.begin_again(0)
    told.outputs[0].is_wanted = True
    told.outputs[0].begin_again()
    told.signals.begin()
    assert told.next() == 10
    told.signals.put(2)  # whoever sends another one waits no longer for the others
    assert [told.next() for _ in range(3)] == [12, 3, 2]
