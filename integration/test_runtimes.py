"""Every runtime and every shape of executable: natively and as a job, everything the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from integration import fixture, judge
from integration.judge import Ended
from integration.pool import StrictPool
from integration.runtime_cases import ALL, SHAPES, Case, build

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def runtimes(pool: StrictPool) -> Iterator[str]:
    """Where everything is built, at home."""
    place = f"{pool.home.directory}/runtimes"
    build(ALL, pool.home.outside(place))
    pool.home.own(place)
    yield place


def sifted(case: Case, ended: Ended) -> Ended:
    out, err = ended.stdout, ended.stderr
    for pattern, put in case.sift:
        out, err = re.sub(pattern, put, out), re.sub(pattern, put, err)
    return Ended(ended.code, out, err)


def differences(case: Case, pool: StrictPool, place: str) -> list[str]:
    """What is not as natively; nothing is a test that the job could not tell it was away."""
    env = pool.home.env | {"R": place, "LC_ALL": "C.UTF-8"}
    argv, runs = ["/bin/sh", "-c", case.command], []
    for command in (argv, pool.home.hpool(argv)):
        judge.lay_out(pool.home, pool.home.work, fixture.lay_out)
        ended = pool.home.run(command, pool.home.work, env=env, timeout_s=case.timeout_s)
        runs.append((sifted(case, ended), judge.snapshot(pool.home.outside(pool.home.work))))
    (expected, tree), (got, got_tree) = runs
    assert expected.code not in (126, 127), expected
    assert expected.stdout, "a run without a word proves nothing"
    return judge.differences(expected, got, tree, got_tree)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_a_runtime_cannot_tell_it_is_away(case: Case, pool: StrictPool, runtimes: str) -> None:
    if missing := case.missing():
        pytest.skip(f"{', '.join(missing)} not installed: .ci/packages installs it as root on Debian")
    assert differences(case, pool, runtimes) == []


def test_an_executable_may_be_the_job_itself(pool: StrictPool, runtimes: str) -> None:
    """Not a child of a shell: the first program is loaded in another way."""
    judge.lay_out(pool.home, pool.home.work, fixture.lay_out)
    for shape in ("shape-static-pie-2m", "shape-gap", "shape-executable-stack", "bare-omagic", "bare-high"):
        assert any(shape in command for case in SHAPES for command in case.built)
        argv = [f"{runtimes}/{shape}", "a"]
        expected = pool.home.run(argv, pool.home.work)
        got = pool.home.run(pool.home.hpool(argv), pool.home.work)
        assert got == expected, shape


def test_a_program_for_another_machine_is_refused_in_one_line(pool: StrictPool, runtimes: str) -> None:
    place = pool.home.fresh_work()
    plain = bytearray(pool.home.outside(f"{runtimes}/bare-plain").read_bytes())
    for kind, change, word in (("arm", {18: 0xB7}, b"aarch64"), ("word32", {4: 1, 18: 3}, b"32-bit")):
        for at, value in change.items():
            plain[at] = value
        (place / kind).write_bytes(plain)
        (place / kind).chmod(0o755)
        ended = pool.home.job(f"./{kind}")
        assert ended.code == 126 and ended.stderr.count(b"\n") == 1 and b"x86-64" in ended.stderr
        assert word in ended.stderr.lower(), ended.stderr
