"""The tracer: who is traced when, what programs' filters mean, what is said where it cannot be had."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hpool.interpose_c.executables import LOADER
from tests.interpose_c.keeper.jail import HERE, Jail

TRACER = "while read name number; do case $name in TracerPid:) echo $number;; esac; done < /proc/self/status"


@pytest.fixture
def shim(jail: Jail) -> Jail:
    """A jail whose loader is the real one; without a mirror behind it, calls are native."""
    return replace(jail, files=jail.files | {"/.hpool/loader": str(LOADER)})


@pytest.mark.parametrize(
    ("intercept", "has_dispatch", "is_traced"),
    [("shim", True, False), ("auto", True, False), ("trace", True, True), ("auto", False, True)],
)
def test_who_is_traced(shim: Jail, intercept: str, has_dispatch: bool, is_traced: bool) -> None:
    script = f"{TRACER}; sh -c '{TRACER}'; exit 3"
    outcome = shim.sh(script, intercept=intercept, has_dispatch=has_dispatch)
    assert outcome.ended == (3, 0), outcome
    first, second = (int(line) for line in outcome.stdout.split())
    assert (first > 0, second > 0) == (is_traced, is_traced)
    assert first == second


def test_in_process_for_good_needs_dispatch(shim: Jail) -> None:
    outcome = shim.sh("exit 0", intercept="shim", has_dispatch=False)
    assert outcome.ended == (126, 0)
    assert "Syscall User Dispatch" in outcome.stderr


def test_where_no_tracer_can_be_had_it_is_said() -> None:
    """Outside of a jail nobody answers."""
    argv = ["hpool,T:/bin/true", "true"]
    ended = subprocess.run(argv, executable=LOADER, capture_output=True, text=True, check=False)
    assert ended.returncode == 126
    assert "does not let it be traced" in ended.stderr


def test_a_traced_job_can_signal_everybody_and_lives(shim: Jail) -> None:
    outcome = shim.sh("sleep 9 & kill -9 -1; wait; sh -c 'exit 4'", intercept="trace")
    assert outcome.ended == (4, 0), outcome


def test_a_stopped_child_is_seen_stopped_and_goes_on(shim: Jail) -> None:
    script = "sh -c 'kill -STOP $$; exit 5' & sleep 0.2; kill -CONT $!; wait $!"
    assert shim.sh(script, intercept="trace").ended == (5, 0)


@pytest.fixture(scope="module")
def rules_judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("rules") / "rules_judge"
    source = Path(__file__).with_name("rules_judge.c")
    include = HERE.parents[2] / "interpose_c" / "csrc" / "include"
    flags = ["-O1", "-g", "-Wall", "-Wextra", "-fsanitize=undefined", "-fno-sanitize-recover"]
    subprocess.run(["gcc", *flags, f"-I{include}", "-o", program, source], check=True)
    return program


def test_filters_mean_what_they_mean_to_the_kernel(rules_judge: Path) -> None:
    ended = subprocess.run([rules_judge, "7", "1500"], capture_output=True, text=True, check=True)
    *differences, last = ended.stdout.splitlines()
    assert differences == []
    accepted = int(last.split()[1])
    assert 300 < accepted < 1400, last
