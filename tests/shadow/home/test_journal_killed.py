"""A kill at any moment leaves what can be undone."""

from __future__ import annotations

import errno
import os
import random
import signal
import struct
import time
from collections.abc import Callable

import pytest

from hpool.shadow.api.wire import Op
from hpool.shadow.home.epochs import roll_back
from tests.shadow.home.changing import ROUNDS
from tests.shadow.home.conftest import Case, Client, fork


def killed_after(seconds: float, work: Callable[[], object]) -> bool:
    """In a process of its own, killed then. Had it not ended yet?"""
    pid = fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_kill_at_any_moment_leaves_what_can_be_undone(case: Case, seed: int) -> None:
    """Of the session, then of the roll-back, again and again."""
    case.plant()
    before = case.tree()
    chance = random.Random(seed)

    def session() -> None:
        changes = case.changes(seed)
        while True:
            changes.step()

    assert killed_after(chance.uniform(0.002, 0.08), session)
    while killed_after(chance.uniform(0.0005, 0.004), lambda: roll_back(case.journal, 0)):
        pass
    left = roll_back(case.journal, 0)
    assert left.is_whole or left.why_not == "there is no journal", left
    assert case.tree() == before


TAKEN: dict[str, Callable[[Client], int]] = {
    "mkdir": lambda client: client.error(Op.MKDIR, "taken", mode=0o700),
    "mknod": lambda client: client.error(Op.MKNOD, "taken", mode=0o010600),
    "symlink": lambda client: client.error(Op.SYMLINK, "taken", b"text"),
}


@pytest.mark.parametrize("make", TAKEN)
def test_a_name_that_was_taken_stays_though_its_maker_was_killed(case: Case, make: str) -> None:
    """Between asking for it and writing down that it was refused."""
    match make:
        case "mkdir":
            (case.root / "taken").mkdir(0o700)
        case "mknod":
            os.mkfifo(case.root / "taken")
        case "symlink":
            (case.root / "taken").symlink_to("text")
    before = case.tree()
    assert TAKEN[make](case.client()) == errno.EEXIST
    case.close()
    log = case.journal / "log"
    content = log.read_bytes()
    refused = struct.pack("<2Q", 2**64 - 1, 2**64 - 1)  # made_dev, made_ino of journal_log.h
    assert content.count(refused) == 1
    log.write_bytes(content.replace(refused, bytes(16)))
    assert case.back().is_whole
    assert case.tree() == before
