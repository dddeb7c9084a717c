"""An installed wheel works as well as the checkout.

Owns: sdist, wheel, a fresh virtual environment, another user's first run. Leaves to others: what `hpool run`
promises in general.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
NOBODY: Final = 65534
NOT_SOURCES: Final = (
    ".venv",
    ".git",
    ".*_cache",
    "build",
    "dist",
    "bin",
    "lib",
    "*.so",
    "*.egg-info",
    "__pycache__",
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory everybody may enter, with short names."""
    with tempfile.TemporaryDirectory(prefix="hpool-wheel-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def wheel(place: Path) -> Path:
    """Built from the sdist, so that what MANIFEST.in forgets is missed here."""
    sources = place / "sources"
    shutil.copytree(ROOT, sources, ignore=shutil.ignore_patterns(*NOT_SOURCES))
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", place / "dist", sources],
        check=True,
        capture_output=True,
        text=True,
    )
    return next((place / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def installed(place: Path, wheel: Path) -> Path:
    """The bin directory of a new environment, with nothing in it but the wheel and what it depends on."""
    environment = place / "venv"
    base = Path(sys.executable).resolve()
    python = base if readable_by_others(base) else Path("/usr/bin/python3")
    subprocess.run([python, "-m", "venv", "--without-pip", environment], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")]
    subprocess.run([*pip, "install", "-q", wheel], check=True)
    return environment / "bin"


def readable_by_others(path: Path) -> bool:
    return all(step.stat().st_mode & 0o005 for step in (path, *path.parents))


def test_the_wheel_says_which_machine_it_is_for(wheel: Path) -> None:
    assert wheel.name.endswith("-cp311-abi3-linux_x86_64.whl")


def test_the_wheel_installs_one_top_level_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        executables = {info.filename for info in archive.infolist() if info.external_attr >> 16 & 0o111}
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"hpool"}
    assert "hpool/__init__.py" not in names
    assert executables >= {"hpool/interpose_c/bin/hpool-keeper", "hpool/interpose_c/bin/hpool-loader"}
    assert "hpool/interpose_c/lib/libhpool.a" in names
    assert [name for name in names if name.endswith("py.typed")]


def test_nothing_of_the_checkout_is_imported(installed: Path, place: Path) -> None:
    asked = "import hpool.shadow, hpool.interpose_c.executables as e; print(hpool.shadow.__file__, e.LOADER)"
    printed = subprocess.run(
        [installed / "python", "-I", "-c", asked], cwd="/", check=True, capture_output=True, text=True
    ).stdout
    assert all(word.startswith(str(place / "venv")) for word in printed.split())


def first_run(installed: Path, home: Path, uid: int) -> None:
    """`hpool run` as that user, with a pool of his own that is gone afterwards."""
    work = home / "work"
    work.mkdir(parents=True)
    (work / "input").write_text("b\na\n")
    for path in (home, work, work / "input"):
        os.chown(path, uid, uid)
    environment = {"PATH": f"{installed}:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
    environment |= {f"HPOOL_{kind}_DIR": f"{home}/{kind}" for kind in ("STATE", "CACHE", "RUNTIME")}

    def hpool(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [installed / "hpool", *words],
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            user=uid,
            group=uid,
            extra_groups=[] if os.getuid() == 0 else None,
        )

    try:
        done = hpool("run", "sh", "-c", "sort input > output; cat output; exit 7")
        assert (done.returncode, done.stdout, done.stderr) == (7, "a\nb\n", "")
        assert (work / "output").read_text() == "a\nb\n"
        assert (work / "output").stat().st_uid == uid
    finally:
        hpool("pool", "stop")


def test_it_compiles_and_links(installed: Path, place: Path) -> None:
    work = place / "compiled"
    work.mkdir()
    (work / "main.c").write_text(
        '#include <unistd.h>\nint main(void) { return write(1, "hello\\n", 6) != 6; }\n'
    )
    environment = {"PATH": "/usr/bin:/bin"}
    for kind in ("-static", "-pie"):
        subprocess.run(
            [installed / "hpool", "cc", kind, "main.c", "-o", "main"], cwd=work, env=environment, check=True
        )
        assert subprocess.run([work / "main"], capture_output=True, check=True).stdout == b"hello\n"
        said = subprocess.run(
            [installed / "hpool", "inspect", "./main"],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
        ).stdout
        assert "relinked (note version" in said


def test_an_ordinary_user_runs_a_program_with_it(installed: Path, place: Path) -> None:
    first_run(installed, place / "ordinary", os.getuid() or NOBODY)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_root_runs_a_program_from_where_nobody_else_may_look(installed: Path, place: Path) -> None:
    place.chmod(0o700)
    try:
        first_run(installed, place / "roots", 0)
    finally:
        place.chmod(0o755)
