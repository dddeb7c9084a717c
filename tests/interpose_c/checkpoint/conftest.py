"""What each test of dump and restore needs: a world, and programs compiled where the job can read them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpool.interpose_c.executables import KEEPER
from tests.interpose_c.checkpoint.world import HERE, ROOT, USERNS, World, memory_directory

# Not the cached directories of pytest: whoever the job runs as cannot walk there.
PLACES = "/tmp"


@pytest.fixture(autouse=True, scope="session")
def what_is_needed() -> None:
    if not KEEPER.exists():
        pytest.skip("hpool-keeper is not built")
    if not Path("/proc/sys/kernel/ns_last_pid").exists():
        pytest.skip("this kernel has no CONFIG_CHECKPOINT_RESTORE")


@pytest.fixture(scope="session")
def parts() -> Iterator[tuple[Path, Path]]:
    """userns.c as a library, and the loader without core: every call of a job is native."""
    subprocess.run(
        ["make", "-s", "-f", ROOT / "interpose_c" / "csrc" / "loader.mk", "PASSTHROUGH=1"], check=True
    )
    with tempfile.TemporaryDirectory(dir=PLACES) as made:
        userns = Path(made) / "userns.so"
        subprocess.run(["gcc", "-std=gnu11", "-O1", "-shared", "-fPIC", "-o", userns, USERNS], check=True)
        yield userns, ROOT / "build" / "bare" / "hpool-loader-bare"


@pytest.fixture
def world(parts: tuple[Path, Path]) -> Iterator[World]:
    with tempfile.TemporaryDirectory(dir=PLACES) as place:
        Path(place).chmod(0o777)
        for image in memory_directory():
            yield World(*parts, place=Path(place), image=image)


@pytest.fixture
def compiled(world: World) -> Callable[..., str]:
    def compile_(name: str, *flags: str) -> str:
        target = world.place / Path(name).stem
        if name.endswith(".go"):
            if shutil.which("go") is None:
                pytest.skip("needs go")
            shutil.copy(HERE / "programs" / name, world.place)
            subprocess.run(["go", "build", "-o", target, name], cwd=world.place, check=True)
            return f"/work/{target.name}"
        warnings = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-O1", "-mavx2", "-pthread"]
        subprocess.run(["gcc", *warnings, *flags, "-o", target, HERE / "programs" / name], check=True)
        return f"/work/{target.name}"

    return compile_
