"""The job's streams at the sandbox's end, with real pipes."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import threading
from typing import Any

import pytest

from hpool.sandbox.starter.stdio import InputPump, OutputPump
from hpool.shadow.api import stdio

WINDOW = 1000


class Session:
    """Takes what the pumps say."""

    def __init__(self) -> None:
        self.said: queue.Queue[Any] = queue.Queue()

    def send(self, message: Any) -> None:
        self.said.put(message)

    def next(self) -> Any:
        return self.said.get(timeout=5)

    def is_silent(self) -> bool:
        try:
            self.said.get(timeout=0.1)
        except queue.Empty:
            return True
        return False


@pytest.fixture
def session() -> Session:
    return Session()


def output(session: Session) -> tuple[OutputPump, int]:
    pump = OutputPump(session.send, WINDOW)
    read_fd, write_fd = os.pipe()
    pump.add(1, read_fd)
    pump.start()
    return pump, write_fd


def test_output_never_gets_further_ahead_than_the_window(session: Session) -> None:
    pump, fd = output(session)
    os.write(fd, bytes(3 * WINDOW))
    first = session.next()
    assert (first.position, len(first.content)) == (0, WINDOW)
    assert session.is_silent()
    pump.taken(1, 400)
    second = session.next()
    assert (second.position, len(second.content)) == (WINDOW, 400)
    pump.taken(1, 100)  # older credit does no harm
    pump.taken(1, 10**9)  # nor does credit for what was never sent
    third = session.next()
    assert third.position == WINDOW + 400
    os.close(fd)


def test_what_is_held_waits_for_the_first_credit_or_a_promise(session: Session) -> None:
    pump = OutputPump(session.send, WINDOW, is_held=True)
    read_fd, fd = os.pipe()
    pump.add(1, read_fd, 7)
    pump.start()
    os.write(fd, b"waits")
    assert session.is_silent()
    pump.wait_for(1, pump.written(1))  # it is to leave
    assert session.next() == stdio.Output(1, 7, b"waits")
    os.write(fd, b"on")
    assert session.is_silent()
    pump.taken(1, 7)
    assert session.next() == stdio.Output(1, 12, b"on")
    os.close(fd)


def test_the_end_comes_after_the_last_byte(session: Session) -> None:
    pump, fd = output(session)
    os.write(fd, b"x")
    os.close(fd)
    assert session.next() == stdio.Output(1, 0, b"x")
    assert session.next() == stdio.OutputEnd(1)
    pump.wait_until_drained()


def test_an_output_nobody_reads_breaks_the_pipe(session: Session) -> None:
    pump, fd = output(session)
    pump.closed(1)
    assert session.next() == stdio.OutputEnd(1)
    with pytest.raises(BrokenPipeError):
        os.write(fd, b"x")
    os.close(fd)
    pump.taken(1, 5)


def test_both_streams_are_pumped_and_each_ends_by_itself(session: Session) -> None:
    pump = OutputPump(session.send, WINDOW)
    ends = {}
    for stream in (1, 2):
        read_fd, ends[stream] = os.pipe()
        pump.add(stream, read_fd)
    pump.start()
    os.close(ends[2])
    assert session.next() == stdio.OutputEnd(2)
    os.write(ends[1], b"still")
    assert session.next() == stdio.Output(1, 0, b"still")
    os.close(ends[1])
    pump.wait_until_drained()


def test_credit_for_input_comes_when_the_job_took_it(session: Session) -> None:
    pump = InputPump(session.send)
    read_fd, write_fd = os.pipe()
    pump.start(write_fd)
    size = 100_000  # more than a pipe holds
    pump.put(stdio.Input(0, bytes(size)))
    assert session.is_silent()
    taken = 0
    while taken < size:
        taken += len(os.read(read_fd, 65536))
    assert session.next() == stdio.InputTaken(size, False)
    pump.end()
    assert os.read(read_fd, 1) == b""
    os.close(read_fd)


def test_input_that_came_before_is_not_given_twice(session: Session) -> None:
    pump = InputPump(session.send)
    read_fd, write_fd = os.pipe()
    pump.start(write_fd)
    for position, content in ((0, b"abc"), (0, b"abc"), (1, b"bcde"), (9, b"gap")):
        pump.put(stdio.Input(position, content))
    pump.end()
    text = b""
    while piece := os.read(read_fd, 100):
        text += piece
    assert text == b"abcde"
    os.close(read_fd)


def test_a_job_that_closed_its_input_wants_no_more(session: Session) -> None:
    pump = InputPump(session.send)
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    pump.start(write_fd)
    pump.put(stdio.Input(0, b"abc"))
    assert session.next() == stdio.InputTaken(3, True)
    pump.end()


def test_a_terminals_end_of_input_is_a_key(session: Session) -> None:
    master_fd, slave_fd = os.openpty()
    pump = InputPump(session.send, is_terminal=True)
    pump.start(master_fd)
    pump.put(stdio.Input(0, b"line\n"))
    pump.end()
    assert os.read(slave_fd, 100) == b"line\n"
    assert select.select([slave_fd], [], [], 5)[0]
    assert os.read(slave_fd, 100) == b""
    os.close(slave_fd)


def test_what_a_terminal_is_about_to_show_is_counted_and_sent_once(session: Session) -> None:
    master_fd, slave_fd = os.openpty()
    os.set_blocking(slave_fd, False)
    pump = OutputPump(session.send, WINDOW)
    pump.add(stdio.STDOUT, master_fd, 1000, is_terminal=True)
    pump.start()
    said = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            said += os.write(slave_fd, b"x" * 1000)
    assert said > WINDOW
    assert pump.written(stdio.STDOUT) == 1000 + said
    os.write(slave_fd, b"more")
    os.close(slave_fd)
    got = b""
    while not isinstance(message := session.next(), stdio.OutputEnd):
        assert isinstance(message, stdio.Output) and message.position == 1000 + len(got)
        got += message.content
        pump.taken(stdio.STDOUT, 1000 + len(got))
    assert got == b"x" * said + b"more"


def test_a_pump_is_a_daemon_thread_and_holds_nobody_up(session: Session) -> None:
    before = set(threading.enumerate())
    pump, fd = output(session)
    assert [thread.daemon for thread in set(threading.enumerate()) - before] == [True]
    os.close(fd)
    pump.wait_until_drained()


@pytest.mark.parametrize("ends_first", [False, True])
def test_what_the_job_left_unread_is_known(session: Session, ends_first: bool) -> None:
    pump = InputPump(session.send)
    read_fd, write_fd = os.pipe()
    pump.start(write_fd)
    pump.put(stdio.Input(0, b"line one\nline two\n"))
    session.next()
    if ends_first:
        pump.end()
    assert os.read(read_fd, 9) == b"line one\n"
    os.close(read_fd)
    assert pump.consumed() == 9
    if not ends_first:
        pump.end()


def test_output_waits_until_home_has_what_was_synced_before_it(session: Session) -> None:
    is_synced = threading.Event()

    def until_synced() -> None:
        is_synced.wait()

    pump = OutputPump(session.send, WINDOW, until_synced)
    read_fd, write_fd = os.pipe()
    pump.add(1, read_fd)
    pump.start()
    os.write(write_fd, b"committed")
    assert session.is_silent()
    is_synced.set()
    assert session.next().content == b"committed"
    os.close(write_fd)
    pump.wait_until_drained()
