"""Whether an owner is there: by his word, his keyboard, his programs, his hours."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpool.matchmaker.model.again import BadHours
from hpool.sandbox import presence
from hpool.sandbox.owner import Hours, Policy, Reading, Watch

IDLE = Reading(0.0, 0.0, 12 * 60)


def test_nothing_is_watched_unless_he_wants_it_and_his_word_counts() -> None:
    watch = Watch(Policy())
    busy = Reading(touched_s=1000.0, load=8.0, minute=0)
    assert not watch.look(busy, 1000.0).is_here
    watch.said(True, 1000.0)
    assert watch.look(IDLE, 99_999.0).is_here
    watch.said(False, 99_999.0)
    assert not watch.look(busy, 99_999.0).is_here


def test_he_is_there_until_nothing_was_touched_for_long_enough() -> None:
    watch = Watch(Policy(idle_s=60))
    touched = IDLE._replace(touched_s=1000.0)
    assert [watch.look(touched, at_s).is_here for at_s in (1000, 1059, 1060)] == [True, True, False]


def test_who_says_that_he_goes_is_believed_until_something_is_touched_again() -> None:
    watch = Watch(Policy(idle_s=60))
    watch.said(False, 1010.0)
    assert not watch.look(IDLE._replace(touched_s=1009.0), 1011.0).is_here
    assert watch.look(IDLE._replace(touched_s=1012.0), 1012.0).is_here


def test_a_load_has_to_last_and_to_fall_well_below_the_limit() -> None:
    watch = Watch(Policy(load=0.5))

    def looks(load: float, from_s: int, to_s: int) -> list[bool]:
        return [watch.look(IDLE._replace(load=load), float(at_s)).is_here for at_s in range(from_s, to_s)]

    assert not any(looks(0.0, 1000, 1005))
    rising = looks(1.0, 1005, 1020)
    assert not rising[0] and all(rising[6:]), rising
    assert all(looks(0.3, 1020, 1060)), "between half of the limit and the limit nothing changes"
    assert not any(looks(0.1, 1070, 1080)[5:])


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [("18:00-08:00", (0, 479, 1080), (480, 1079)), ("9:30-24:00", (570,), (0, 569))],
)
def test_hours_may_lie_on_both_sides_of_midnight(
    text: str, inside: tuple[int, ...], outside: tuple[int, ...]
) -> None:
    watch = Watch(Policy(hours=Hours.parse(text)))
    assert not any(watch.look(IDLE._replace(minute=minute), 1.0).is_here for minute in inside)
    assert all(watch.look(IDLE._replace(minute=minute), 1.0).is_here for minute in outside)


@pytest.mark.parametrize("text", ["", "8-9", "08:00", "25:00-26:00", "08:60-09:00", "24:01-1:00"])
def test_what_are_no_hours_is_said(text: str) -> None:
    with pytest.raises(BadHours):
        Hours.parse(text)


def test_a_terminal_a_keyboard_and_a_mouse_are_felt(tmp_path: Path) -> None:
    master, slave = os.openpty()
    interrupts = tmp_path / "interrupts"
    interrupts.write_text("  1:  3  4  IO-APIC  1-edge  i8042\n  9:  1  1  IO-APIC  9-fasteoi  acpi\n")
    mouse = tmp_path / "event0"
    os.mkfifo(mouse)
    moved = os.open(mouse, os.O_RDWR)

    async def work() -> None:
        touches = presence.Touches(
            (os.ttyname(slave),), os.fspath(tmp_path / "event*"), os.fspath(interrupts)
        )
        os.utime(os.ttyname(slave), (1000.0, 1000.0))
        assert touches.last_s() == 1000.0
        os.write(master, b"typed\n")
        os.read(slave, 100)
        assert time.time() - touches.last_s() < 10  # a terminal's times are eight seconds coarse

        os.utime(os.ttyname(slave), (1000.0, 1000.0))
        interrupts.write_text("  1:  3  5  IO-APIC  1-edge  i8042\n  9:  1  9  IO-APIC  9-fasteoi  acpi\n")
        pressed_s = touches.last_s()
        assert time.time() - pressed_s < 5
        assert touches.last_s() == pressed_s

        touches.moved.clear()
        os.write(moved, b"an event")
        await asyncio.wait_for(touches.moved.wait(), 5)
        assert touches.last_s() > pressed_s
        touches.close()

    asyncio.run(asyncio.wait_for(work(), 20))
    for fd in (master, slave, moved):
        os.close(fd)


def test_what_jobs_use_is_not_his_also_when_they_have_ended() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    before_s = presence._used_s()
    subprocess.run([sys.executable, "-I", "-c", burn], check=True)
    assert presence._used_s() - before_s > 0.28
    load = presence.Load()
    subprocess.run([sys.executable, "-I", "-c", burn], check=True)
    before, after = load._read, load._now()
    at_s, busy_s, ours_s = (now - then for now, then in zip(after, before, strict=True))
    assert ours_s > 0.28 and at_s >= 0.28 and busy_s > 0
    assert load.since_last() < (busy_s + 1.0) / at_s
