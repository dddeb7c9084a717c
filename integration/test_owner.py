"""Is my machine mine again at once? Jobs stand still when its owner comes, leave if he stays, and may come
again when he goes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from integration.conftest import needs_root
from integration.pool import HPOOL, MACHINE, StrictPool
from integration.rooms import wait_until
from integration.test_moved import Moving

pytestmark = [pytest.mark.slow, pytest.mark.root]
OTHER = "other"


@pytest.fixture
def two() -> Iterator[StrictPool]:
    """Two machines with impatient owners."""
    needs_root()
    with StrictPool(lease_s=4, machine_options=("--owner-patience", "4", "--leave-within", "8")) as pool:
        pool.start_another(OTHER)
        yield pool


def owner(pool: StrictPool, machine: str, word: str) -> str:
    """What is said to the owner of the machine, who speaks there."""
    place = ("--directory", f"{pool.machine.home}/{OTHER}") if machine == OTHER else ()
    said = pool.machine.popen([HPOOL, "owner", word, *place], stdout=-1, stderr=-1)
    out, err = said.communicate(timeout=30)
    assert (said.returncode, err) == (0, b""), (out, err)
    return out.decode()


def owners(pool: StrictPool) -> dict[str, str]:
    """Of each machine, whether the owner is there, as the pool knows it."""
    listed = pool.home.run([HPOOL, "status"]).stdout.decode().splitlines()
    return {line.split()[0]: line.split()[-1] for line in listed[1:-1]}


def states(pool: StrictPool, words: str) -> set[str]:
    """Of the tasks on the machine that have such a command line, as the kernel calls them."""
    found = set()
    for pid, line in pool.machine.processes():
        if words in line:
            with open(f"/proc/{pid}/stat") as file:
                found.add(file.read().rpartition(")")[2].split()[0])
    return found


def test_an_owner_who_only_looks_in_loses_no_guest_and_one_who_stays_is_left_alone(two: StrictPool) -> None:
    moving = Moving(two)
    first = moving.where()
    second = OTHER if first == MACHINE else MACHINE
    assert "1 job is here, all stand still" in owner(two, first, "here")
    assert states(two, "copies.py") == {"t"}
    assert owners(two) == {first: "here", second: "away"}
    assert "takes jobs; 1 job is here" in owner(two, first, "away")
    moving.give(10)
    assert moving.where() == first

    owner(two, first, "here")
    wait_until(lambda: "no job is here" in owner(two, first, "show"), "an empty machine", 20)
    moving.give(10)
    assert moving.where() == second
    stood = re.findall(r"it stands still \(after ([0-9.]+) ms\)", moving.ask("log"))
    assert len(stood) == 2 and max(map(float, stood)) < 1000, stood
    # nothing comes while he is there, although the other machine is full soon
    jobs = [two.home.popen(two.home.hpool(["/bin/sleep", "0.5"]), two.home.work) for _ in range(3)]
    assert [job.wait(60) for job in jobs] == [0, 0, 0]
    assert "no job is here" in owner(two, first, "show")
    assert two.log("sandbox" if first == MACHINE else OTHER).count(": job ") == 2  # it came, it was over
    # and he lets them in again, when the other one's wants his own
    owner(two, first, "away")
    owner(two, second, "here")
    # what it is given before it has left it may still read there, in the moment before it is written down
    wait_until(lambda: moving.where() == first, "the job back there")
    moving.give(10)
    moving.ends_as_if_nothing_had_been(b"has left", 2)


def test_who_cannot_be_written_down_stands_still_too_and_is_ended_by_the_deadline(two: StrictPool) -> None:
    moving = Moving(two, "--intercept", "trace")
    first = moving.where()
    owner(two, first, "here")
    assert states(two, "copies.py") <= {"t", "T"}
    owner(two, first, "away")
    moving.give(10)
    began_s = time.monotonic()
    owner(two, first, "here")
    wait_until(lambda: "no job is here" in owner(two, first, "show"), "an empty machine", 30)
    assert time.monotonic() - began_s < 20
    moving.ends_as_if_nothing_had_been(b"its owner wanted the machine back", 1)


def test_what_an_owner_said_outlives_his_sandbox_and_hours_are_kept(own_pool: StrictPool) -> None:
    wait_until(lambda: MACHINE in owners(own_pool), "the machine")
    assert "no job is here, and none will come" in owner(own_pool, MACHINE, "here")
    own_pool.roles["sandbox"].terminate()
    own_pool.roles["sandbox"].wait(20)
    own_pool.start("sandbox")
    wait_until(lambda: owners(own_pool).get(MACHINE) == "here", "the machine", 20)
    owner(own_pool, MACHINE, "away")
    now = time.localtime()
    later = "-".join(f"{(now.tm_hour + hours) % 24:02}:00" for hours in (2, 3))
    own_pool.start_another(OTHER, "--hours", later)
    wait_until(lambda: owners(own_pool) == {MACHINE: "away", OTHER: "here"}, "both", 20)
    for _ in range(3):
        assert own_pool.home.job("/bin/true").code == 0
    assert ": job " not in own_pool.log(OTHER)
