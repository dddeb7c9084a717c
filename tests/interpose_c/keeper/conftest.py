"""Each test of the jail runs twice where it can: started by root, and by an ordinary user."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

from hpool.interpose_c.executables import KEEPER
from tests.interpose_c.keeper.jail import HERE, NOBODY, SOMEBODY, USERNS, Jail, Programs, survivors


@pytest.fixture(autouse=True, scope="session")
def what_is_needed() -> None:
    if not KEEPER.exists():
        pytest.skip("hpool-keeper is not built")
    if shutil.which("busybox") is None:
        pytest.skip("needs busybox-static")


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    made = tmp_path_factory.mktemp("keeper")
    warnings = ["-Wall", "-Wextra", "-Werror", "-O1"]
    userns, standin, probe = made / "userns.so", made / "standin", made / "probe"
    subprocess.run(["gcc", *warnings, "-std=gnu11", "-shared", "-fPIC", "-o", userns, USERNS], check=True)
    subprocess.run(["gcc", *warnings, "-static", "-o", standin, HERE / "standin.c"], check=True)
    subprocess.run(["gcc", *warnings, "-static", "-o", probe, HERE / "probe.c"], check=True)
    return Programs(userns, standin, probe)


@pytest.fixture(params=["root", "ordinary"])
def jail(request: pytest.FixtureRequest, programs: Programs) -> Jail:
    am_root = os.geteuid() == 0
    if request.param == "root":
        if not am_root:
            pytest.skip("not root")
        return Jail(programs, become=None, outside=NOBODY)
    return Jail(programs, SOMEBODY, SOMEBODY) if am_root else Jail(programs, None, os.geteuid())


@pytest.fixture
def token() -> Iterator[str]:
    """A word on the job's command lines by which its processes are known from outside."""
    word = f"9{time.monotonic_ns() % 10**8:08d}"
    yield word
    deadline_s = time.monotonic() + 3
    while survivors(word) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert survivors(word) == []
