"""What a job changed can be undone: each change, random ones, and after a kill at any moment."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from hpool.matchmaker.model.errors import HomeUnusable
from hpool.shadow.api import wire
from hpool.shadow.api.wire import Op
from hpool.shadow.home.epochs import roll_back
from tests.shadow.home.changing import ROUNDS
from tests.shadow.home.conftest import Case, Client

MARKS = 4096  # HPJ_MARKS of journal.h


def write(client: Client, name: str, content: bytes, offset: int = 0) -> None:
    handle = client.open(name, os.O_RDWR)
    assert client.error(Op.WRITE, content, handle=handle, offset=offset) == 0


ONE_CHANGE: dict[str, Callable[[Client], object]] = {
    "overwrite": lambda client: write(client, "d3/d", b"new" * 2000, 5000),
    "append": lambda client: client.ask(
        Op.WRITE, b"more", handle=client.open("d3/d", os.O_RDWR), flags=wire.Flag.AT_END
    ),
    "grow": lambda client: client.ask(Op.TRUNCATE, handle=client.open("a", os.O_RDWR), length=99_999),
    "shrink": lambda client: client.ask(Op.TRUNCATE, handle=client.open("d3/d", os.O_RDWR), length=3),
    "empty": lambda client: client.open("d3/d", os.O_WRONLY | os.O_TRUNC),
    "write into a hole": lambda client: write(client, "d", b"land" * 3000, 90_000),
    "punch": lambda client: client.ask(
        Op.ALLOCATE, handle=client.open("d", os.O_RDWR), offset=204_800, length=8192, arg=3
    ),
    "create": lambda client: client.open("new", os.O_RDWR | os.O_CREAT),
    "unlink": lambda client: client.ask(Op.UNLINK, "d3/d"),
    "unlink a symlink": lambda client: client.ask(Op.UNLINK, "b"),
    "unlink a pipe": lambda client: client.ask(Op.UNLINK, "d1/d2/c"),
    "mkdir": lambda client: client.ask(Op.MKDIR, "d9", mode=0o700),
    "rename": lambda client: client.ask(Op.RENAME, "d1", "d8"),
    "rename over": lambda client: client.ask(Op.RENAME, "a", "d3/d"),
    "exchange": lambda client: client.ask(Op.RENAME, "a", "d1", arg=2),
    "symlink": lambda client: client.ask(Op.SYMLINK, "new", b"text"),
    "pipe": lambda client: client.ask(Op.MKNOD, "new", mode=0o010600),
    "mode": lambda client: client.ask(Op.SETATTR, "a", wire.Attr(mode=0o600).pack(), mode=1),
    "times": lambda client: client.ask(Op.SETATTR, "d3", wire.Attr(mtime_s=3).pack(), mode=16),
    "size": lambda client: client.ask(Op.SETATTR, "d3/d", wire.Attr(size=5).pack(), mode=128),
    "xattr": lambda client: client.ask(Op.SETXATTR, "a", b"user.mark\0after"),
    "no xattr": lambda client: client.ask(Op.REMOVEXATTR, "a", b"user.mark"),
}


@pytest.mark.parametrize("change", ONE_CHANGE.values(), ids=ONE_CHANGE)
def test_each_change_can_be_undone(case: Case, change: Callable[[Client], object]) -> None:
    case.plant()
    before = case.tree()
    change(case.client())
    if "xattr" not in str(change) or case.xattrs:
        assert case.tree() != before
    assert case.back() == (("", (), True))
    assert case.tree() == before


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_many_changes_are_undone_epoch_by_epoch(case: Case, seed: int) -> None:
    case.plant()
    trees = [case.tree()]
    changes = case.changes(seed)
    for epoch in range(1, 4):
        for _ in range(60):
            changes.step()
        trees.append(case.tree())
        assert changes.client.error(Op.EPOCH, offset=epoch) == 0
    for _ in range(40):
        changes.step()
    for epoch in random.Random(seed).choice([(3, 3), (2, 2), (1, 1), (0, 0)]):
        assert case.back(epoch).is_whole
        assert case.tree() == trees[epoch]


def test_a_session_goes_on_from_an_epoch_that_was_gone_back_to(case: Case) -> None:
    case.plant()
    beginning = case.tree()
    changes = case.changes(1)
    for _ in range(50):
        changes.step()
    assert changes.client.error(Op.EPOCH, offset=1) == 0
    first = case.tree()
    for _ in range(50):
        changes.step()
    assert case.back(1).is_whole
    changes = case.changes(2)
    for _ in range(50):
        changes.step()
    assert changes.client.error(Op.EPOCH, offset=2) == 0
    changes.step()
    assert case.back(1).is_whole
    assert case.tree() == first
    # Where something had to be made anew there is no way beyond what was gone back to.
    if case.back(0).is_whole:
        assert case.tree() == beginning
    else:
        assert case.tree() == first


def test_what_is_committed_cannot_be_undone_any_more(case: Case) -> None:
    case.plant()
    changes = case.changes(3)
    trees = []
    for epoch in range(1, 7):
        for _ in range(40):
            changes.step()
        trees.append(case.tree())
        assert changes.client.error(Op.EPOCH, offset=epoch) == 0
        if epoch > 1:
            changes.client.home.commit(epoch - 1)
            assert changes.client.home.epochs().oldest == epoch - 1
    assert not case.back(4).is_whole
    assert case.back(5).is_whole
    assert case.tree() == trees[4]


def test_marks_come_in_order_and_not_too_many(case: Case) -> None:
    client = case.client()
    assert client.error(Op.EPOCH, offset=2) == 22
    assert [client.error(Op.EPOCH, offset=each) for each in range(1, MARKS + 2)] == [0] * MARKS + [16]
    with pytest.raises(HomeUnusable):
        client.home.commit(MARKS + 1)
    client.home.commit(MARKS)
    assert client.error(Op.EPOCH, offset=MARKS + 1) == 0


def test_what_others_changed_since_is_not_undone(case: Case) -> None:
    case.plant()
    client = case.client()
    write(client, "d3/d", b"of the job")
    write(client, "d3/d", b"and more", 100)
    with (case.root / "d3/d").open("r+b") as file:
        file.write(b"of somebody else")
    before = case.tree()
    back = case.back()
    assert not back.is_whole
    assert not back.is_changed
    assert "d3/d: others have changed it since" in back.sentence
    assert case.tree() == before
    assert case.back(forced=True).is_whole
    assert case.tree() != before


def test_who_appended_in_between_is_noticed(case: Case) -> None:
    case.plant()
    client = case.client()
    for _ in range(2):
        handle = client.open("d3/d", os.O_RDWR)
        assert client.error(Op.WRITE, b"job\n", handle=handle, flags=wire.Flag.AT_END) == 0
        with (case.root / "d3/d").open("ab") as file:
            file.write(b"other\n" * (handle < 4))
    assert not case.back().is_whole


def test_files_of_others_stay_where_they_are(case: Case) -> None:
    case.plant()
    client = case.client()
    assert client.error(Op.MKDIR, "new", mode=0o755) == 0
    (case.root / "new/other").write_bytes(b"theirs")
    back = case.back()
    assert "others have put files into it" in back.sentence
    assert (case.root / "new/other").read_bytes() == b"theirs"


def test_a_journal_that_may_not_grow_is_given_up_and_the_job_goes_on(case: Case) -> None:
    case.plant()
    (case.root / "large").write_bytes(bytes(range(256)) * 1000)
    client = case.client(journal_bytes=100_000)
    write(client, "large", b"x" * 256_000)
    assert (case.root / "large").read_bytes() == b"x" * 256_000
    assert client.home.epochs().oldest is None
    # The next epoch begins anew.
    assert client.error(Op.EPOCH, offset=1) == 0
    assert client.home.epochs().oldest == 1
    before = case.tree()
    write(client, "large", b"y" * 1000)
    assert "more than the journal may hold" not in case.back(1).why_not
    assert case.tree() == before
    assert not case.back(0).is_whole


def test_a_journal_given_up_says_why(case: Case) -> None:
    case.plant()
    write(case.client(journal_bytes=1000), "d3/d", b"x" * 30_000)
    assert case.back().why_not == "what it changes is more than the journal may hold"


def test_a_damaged_journal_is_refused(case: Case) -> None:
    case.plant()
    changes = case.changes(5)
    for _ in range(40):
        changes.step()
    case.close()
    log = case.journal / "log"
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 1
    log.write_bytes(content)
    before = case.tree()
    assert "damaged" in case.back().why_not
    assert case.tree() == before


def test_a_torn_end_is_a_change_that_was_not_made(case: Case) -> None:
    case.plant()
    before = case.tree()
    changes = case.changes(6)
    for _ in range(40):
        changes.step()
    case.close()
    with (case.journal / "log").open("ab") as log:
        log.write(b"\x90\0\0\0torn")
    assert case.back().is_whole
    assert case.tree() == before


def test_a_journal_of_another_boot_is_refused(case: Case) -> None:
    case.plant()
    write(case.client(), "a", b"x")
    case.close()
    with (case.journal / "log").open("r+b") as log:
        log.seek(24)
        log.write(b"another")
    assert "started anew" in case.back().why_not


def test_a_journal_in_use_is_let_alone(case: Case) -> None:
    client = case.client()
    client.open("a", os.O_RDWR | os.O_CREAT)
    assert "in use" in roll_back(case.journal, 0).why_not


def test_a_session_does_not_begin_on_what_was_not_rolled_back(case: Case) -> None:
    case.client().open("a", os.O_RDWR | os.O_CREAT)
    case.close()
    with pytest.raises(HomeUnusable):
        case.client()


def test_links_in_the_journal_are_not_counted(case: Case) -> None:
    case.plant()
    client = case.client()
    handle = client.open("d3/d")
    assert client.error(Op.UNLINK, "d3/d") == 0
    assert client.ask(Op.GETATTR, handle=handle).entries[0].attr.nlink == 0
    assert client.ask(Op.READ, handle=handle, length=10).data == (case_content(15)[:10])


def case_content(number: int) -> bytes:
    return random.Random(number).randbytes(2500 + number * 2500)


def test_new_files_and_appended_bytes_cost_no_copy(case: Case) -> None:
    case.plant()
    client = case.client()
    handle = client.open("new", os.O_RDWR | os.O_CREAT)
    for _ in range(3):
        assert client.error(Op.WRITE, b"x" * 100_000, handle=handle) == 0
    handle = client.open("d3/d", os.O_RDWR)
    for _ in range(3):
        assert client.error(Op.WRITE, b"x" * 100_000, handle=handle, flags=wire.Flag.AT_END) == 0
    state = client.home.epochs()
    assert (state.data_bytes, state.held_bytes) == (0, 0)
    assert state.log_bytes < 2000
