"""Relinked programs without a mirror: at home and through the loader they do what the plain one does.

Owns: every kind of link, the loader's small programs relinked, that nothing of them is rewritten
while they run. Leaves to others: the driver's words (test_link.py), the decisions (test_sites.py).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from elftools.elf.elffile import ELFFile

from hpool.interpose_c.executables import LOADER as INSTALLED
from hpool.interpose_c.relinked import HEADER, Note, find_note

CSRC: Final = INSTALLED.parents[1] / "csrc"
BARE: Final = INSTALLED.parents[2] / "build" / "bare" / "hpool-loader-bare"
HERE: Final = Path(__file__).parent
SOURCES: Final = sorted(
    path
    for path in (HERE / "loader").iterdir()
    if path.suffix in {".c", ".cc"} and path.stem not in {"musl", "sites"}
)
ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TELL": "me"}
HPOOL: Final = f"{sys.prefix}/bin/hpool"
WARNINGS: Final = ("-Wall", "-Wextra", "-D_GNU_SOURCE", "-O1", "-pthread")


@pytest.fixture(scope="module", autouse=True)
def loader() -> None:
    subprocess.run(["make", "-s", "-f", CSRC / "loader.mk", "PASSTHROUGH=1"], check=True)


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(HERE / "relinked" / "text.c", tmp_path_factory.mktemp("static") / "text", "-static")


def make(source: Path, target: Path, *flags: str, relinked: bool = True) -> Path:
    cxx = source.suffix == ".cc"
    command = [HPOOL, "c++" if cxx else "cc"] if relinked else ["g++" if cxx else "gcc"]
    subprocess.run([*command, *flags, *WARNINGS, "-o", target, source], check=True)
    return target


def note_of(program: Path) -> Note:
    with open(program, "rb") as file:
        note = find_note(ELFFile(file))
    assert note is not None
    return note


def run(program: Path, work: Path, *, loader: Path | None = None) -> tuple[int, str]:
    """In an empty directory, always with the same words; exit status and all that was said."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    argv, executable = [str(program), "one", "two words"], str(program)
    if loader:
        argv, executable = [f"hpool,n{len(executable)}:{executable}{executable}", *argv], str(loader)
    ended = subprocess.run(
        argv,
        executable=executable,
        cwd=work,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="backslashreplace",
        timeout=90,
        check=False,
    )
    return ended.returncode, ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_relinked_program_cannot_tell(source: Path, tmp_path: Path) -> None:
    program, work = tmp_path / "program", tmp_path / "work"
    plain = run(make(source, program, "-static", relinked=False), work)
    make(source, program, "-static")
    assert note_of(program).covered > 50
    assert run(program, work) == plain
    assert run(program, work, loader=BARE) == plain
    assert plain[0] == 0


def test_nothing_of_a_static_program_is_rewritten_while_it_runs(static: Path, tmp_path: Path) -> None:
    assert_not_rewritten(static, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ("-static", "-s"),
        ("-static-pie",),
        ("-static", "-flto"),
        ("-static", "-Wl,--gc-sections", "-ffunction-sections"),
        ("-static", "-fuse-ld=gold"),
        ("-static", "-O0", "-g"),
        ("--with", "clang", "-static"),
        ("--with", "clang", "-static-pie"),
        ("--with", "musl-gcc", "-static"),
    ],
    ids=" ".join,
)
def test_nor_is_it_however_it_was_linked(flags: tuple[str, ...], tmp_path: Path) -> None:
    if "--with" in flags and shutil.which(flags[1]) is None:
        pytest.skip(f"needs {flags[1]}")
    if "-fuse-ld=gold" in flags and shutil.which("ld.gold") is None:
        pytest.skip("needs ld.gold")
    assert_not_rewritten(make(HERE / "relinked" / "text.c", tmp_path / "text", *flags), tmp_path)


def assert_not_rewritten(program: Path, place: Path) -> None:
    assert note_of(program).covered > 40
    status, at_home = run(program, place / "work")
    assert (status, rewritten(at_home)) == (0, {program.name: 0})
    status, away = run(program, place / "work", loader=INSTALLED)
    assert (status, rewritten(away)) == (0, {program.name: 0})
    assert calls_by_signal(program, place) < 12  # of some two hundred


def calls_by_signal(program: Path, place: Path) -> int:
    """How many calls took the slow way, each with its SIGSYS."""
    if shutil.which("strace") is None:
        return 0
    start = ["bash", "-c", f"exec -a hpool:{program} {INSTALLED} text"]
    watch = ["strace", "-e", "trace=none", "-e", "signal=SIGSYS", "-o", str(place / "signals")]
    subprocess.run([*watch, *start], cwd=place, env=ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)
    return (place / "signals").read_text().count("SIGSYS")


@pytest.mark.parametrize("flags", [(), ("-no-pie", "-s"), ("-flto",)], ids=" ".join)
def test_of_a_dynamic_program_only_libraries_are_rewritten(flags: tuple[str, ...], tmp_path: Path) -> None:
    program = make(HERE / "relinked" / "text.c", tmp_path / "text", *flags)
    assert note_of(program).covered > 0
    status, away = run(program, tmp_path / "work", loader=INSTALLED)
    counts = rewritten(away)
    assert (status, counts.pop(program.name)) == (0, 0)
    assert 0 < sum(counts.values()) < 30


def test_the_same_program_plain_is_rewritten(tmp_path: Path) -> None:
    program = make(HERE / "relinked" / "text.c", tmp_path / "text", "-static", relinked=False)
    assert rewritten(run(program, tmp_path / "work", loader=INSTALLED)[1])[program.name] > 5
    assert shutil.which("strace") is None or calls_by_signal(program, tmp_path) > 20


def rewritten(said: str) -> dict[str, int]:
    """text.c: how many places of each object's text are not as in its file."""
    words = (line.split() for line in said.splitlines() if line.startswith("text "))
    return {Path(name).name: int(count) for _, name, count in words}


def test_a_note_of_nonsense_harms_nobody(static: Path, tmp_path: Path) -> None:
    note, content, program = note_of(static), static.read_bytes(), tmp_path / "text"
    shutil.copy(static, program)
    for field in range(HEADER.size // 4):
        for value in (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\x07\0\0\0"):
            at = note.file_offset + 4 * field
            program.write_bytes(content[:at] + value + content[at + 4 :])
            assert run(program, tmp_path / "work")[0] == 0
            assert run(program, tmp_path / "work", loader=INSTALLED)[0] == 0


def test_a_program_of_another_version_runs_as_any_other(static: Path, tmp_path: Path) -> None:
    note, content, program = note_of(static), bytearray(static.read_bytes()), tmp_path / "text"
    content[note.file_offset] = 99
    shutil.copy(static, program)
    program.write_bytes(content)
    status, away = run(program, tmp_path / "work", loader=INSTALLED)
    assert status == 0
    assert rewritten(away)["text"] > 5


@pytest.mark.parametrize("loader", [None, BARE], ids=["home", "loader"])
def test_unwinding_out_of_a_stub_finds_its_caller(loader: Path | None, tmp_path: Path) -> None:
    """Cancelled while between the jump to a stub and the call: destructors run, landing pads are found."""
    program = make(HERE / "relinked" / "unwind.cc", tmp_path / "unwind", "-static")
    status, said = run(program, tmp_path / "work", loader=loader)
    assert (status, said.splitlines()[-1]) == (0, "unwound from every place")
