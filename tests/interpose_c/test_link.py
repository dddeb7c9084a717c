"""`hpool cc` as a compiler driver: what is not a link of an executable is the compiler's alone.

Owns: commands, exit statuses, messages, link lines written by hand. Leaves to others: what a
relinked program does (test_relinked.py).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from elftools.elf.elffile import ELFFile

from hpool.interpose_c.link import LIBRARY, read_link
from hpool.interpose_c.relinked import Note, find_note

HPOOL: Final = f"{sys.prefix}/bin/hpool"
MAIN: Final = '#include <stdio.h>\nint main(void) { return printf("hello\\n") != 6; }\n'


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for variable in ("HPOOL_CC", "HPOOL_CXX"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "main.c").write_text(MAIN)
    return tmp_path


def run(*words: str, stdin: str = "", **variables: str) -> tuple[int, str, str]:
    ended = subprocess.run(
        words,
        input=stdin,
        capture_output=True,
        text=True,
        env=os.environ | variables,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def cc(*words: str, **variables: str) -> tuple[int, str, str]:
    return run(HPOOL, "cc", *words, **variables)


def note(path: str) -> Note | None:
    with open(path, "rb") as file:
        return find_note(ELFFile(file))


def test_a_link_says_nothing_and_leaves_a_program(place: Path) -> None:
    assert cc("-O2", "main.c", "-o", "main") == (0, "", "")
    assert run("./main") == (0, "hello\n", "")
    assert note("main") is not None
    assert sorted(os.listdir()) == ["main", "main.c"]
    assert Path("main").stat().st_mode & 0o7777 == 0o777 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    "words",
    [
        ("-c", "main.c"),
        ("-S", "main.c"),
        ("-E", "main.c"),
        ("-MM", "main.c"),
        ("-c", "-MD", "-MF", "deps", "main.c"),
        ("-fsyntax-only", "main.c"),
        ("-shared", "-fPIC", "main.c", "-o", "libmain.so"),
        ("-r", "-nostdlib", "main.c", "-o", "part.o"),
        (
            "-nostdlib",
            "-static",
            "-Wl,--oformat=binary",
            "-Wl,-e,main",
            "-Dprintf(x)=0",
            "main.c",
            "-o",
            "flat",
        ),
        ("main.c", "-o", "/dev/null"),
        ("--version",),
        ("-v",),
        ("-dumpmachine",),
        ("-print-file-name=libc.so",),
        ("-E", "-dM", "-x", "c", "/dev/null"),
        ("main.c", "-Wl,--version"),
        ("nothing.c", "-o", "nothing"),
        ("-O2",),
        ("main.c", "-lnothing", "-o", "main"),
        ("-no-such-option", "main.c"),
        ("@nothing",),
    ],
    ids=" ".join,
)
def test_anything_else_is_the_compilers_own_affair(words: tuple[str, ...], place: Path) -> None:
    def ran(*command: str) -> tuple[int, str, list[str], dict[str, int]]:
        status, out, said = run(*command, "-fno-diagnostics-color", LC_ALL="C")
        # the names of temporary files differ each time
        lines = [line for line in said.splitlines() if "/tmp/cc" not in line and "-plugin" not in line]
        left = {path.name: path.stat().st_size for path in place.iterdir() if path.name != "main.c"}
        for name in left:
            (place / name).unlink()
        return status, out, lines, left

    assert ran(HPOOL, "cc", *words) == ran("gcc", *words)


def test_an_error_is_the_compilers_in_its_words(place: Path) -> None:
    (place / "wrong.c").write_text("int main(void) { return nothing; }\n")
    status, out, said = cc("wrong.c", "-o", "wrong")
    assert (status, out) == (1, "")
    assert "nothing" in said
    assert "hpool" not in said
    assert not Path("wrong").exists()


def test_the_way_a_compiler_may_be_fed(place: Path) -> None:
    (place / "words").write_text("-O1 -static\nmain.c -o 'a b'\n")
    assert cc("@words") == (0, "", "")
    assert run("./a b")[1] == "hello\n"
    done = note("a b")
    assert done is not None
    assert done.covered > 50
    assert run(HPOOL, "cc", "-x", "c", "-", "-o", "piped", stdin=MAIN) == (0, "", "")
    assert run("./piped")[1] == "hello\n"
    assert cc("-c", "main.c") == (0, "", "")
    assert cc("main.o", "-xc", "/dev/null") == (0, "", "")
    assert run("./a.out")[1] == "hello\n"


def test_an_output_reached_through_another_root(place: Path) -> None:
    assert cc("main.c", "-o", f"/proc/self/root{place}/main", "-static") == (0, "", "")
    done = note("main")
    assert done is not None
    assert done.is_done


def test_an_output_that_is_a_link_stays_one(place: Path) -> None:
    for command in (["gcc"], [HPOOL, "cc"]):
        shutil.rmtree(place / "real", ignore_errors=True)
        (place / "real").mkdir()
        (place / "real" / "main").touch()
        Path("main").unlink(missing_ok=True)
        Path("main").symlink_to("real/main")
        assert run(*command, "main.c", "-o", "main") == (0, "", "")
        assert Path("main").is_symlink()
        assert run("./main")[1] == "hello\n"


@pytest.mark.parametrize("how", ["option", "variable"])
def test_the_compiler_is_chosen(how: str) -> None:
    if shutil.which("clang") is None:
        pytest.skip("needs clang")
    words, variables = (("--with", "clang"), {}) if how == "option" else ((), {"HPOOL_CC": "clang -O1"})
    assert cc(*words, "main.c", "-o", "main", **variables) == (0, "", "")
    assert b"clang" in Path("main").read_bytes()
    assert run("./main")[1] == "hello\n"
    assert note("main") is not None


def test_a_compiler_that_is_not_there() -> None:
    status, _, said = cc("--with", "no-such-compiler", "main.c")
    assert status == 127
    assert "no-such-compiler" in said
    assert said.count("\n") == 1


def test_without_words_it_says_how_it_is_used() -> None:
    assert cc()[0] == 2
    assert "--post-link" in cc()[2]
    status, out, _ = cc("--help")
    assert status == 0
    assert "$HPOOL_CC" in out


def test_a_link_line_written_by_hand(place: Path) -> None:
    assert cc("--library") == (0, f"{LIBRARY}\n", "")
    assert run("gcc", "-static", "main.c", "-o", "main", "-Wl,-u,hp_relinked", str(LIBRARY)) == (0, "", "")
    before = Path("main").read_bytes()
    assert run("./main")[1] == "hello\n"
    status, out, said = cc("--post-link", "main")
    assert (status, said) == (0, "")
    assert "system calls led past a gate" in out
    assert run("./main")[1] == "hello\n"
    after = Path("main").read_bytes()
    assert len(after) == len(before)
    status, _, said = cc("--post-link", "main", "main.c", "nothing")
    assert status == 1
    assert [line.split(" is not relinked: ")[0] for line in said.splitlines()] == [
        "hpool: main",
        "hpool: main.c",
        "hpool: nothing",
    ]
    assert Path("main").read_bytes() == after


def test_more_sites_than_the_usual_room(place: Path) -> None:
    calls = "".join(
        f'__asm__ volatile("mov ${39}, %%eax; syscall" : "=a"(n) : : "rcx", "r11", "memory"); sum += n;\n'
        for _ in range(300)
    )
    (place / "many.c").write_text(f"int main(void) {{ long n, sum = 0; {calls} return sum == 0; }}\n")
    assert cc("many.c", "-o", "many") == (0, "", "")
    done = note("many")
    assert done is not None
    assert (done.covered, done.left) == (300, 0)
    assert run("./many")[0] == 0


def test_a_linkers_words_are_read() -> None:
    assert read_link(["-o", "x", "-m", "elf_i386"]) is None
    assert read_link(["-shared", "-o", "x"]) is None
    link = read_link(["-m", "elf_x86_64", "-static", "-pie", "--no-dynamic-linker", "-o", "x y"])
    assert link is not None
    assert (str(link.output), link.is_static) == ("x y", True)
    assert read_link(["-maarch64linux", "-pie"]) is None
    assert read_link(["-m", "elf_x86_64", "-T", "boot.lds"]) is None
    link = read_link(["-m", "elf_x86_64", "-pie", "-dynamic-linker", "/lib64/ld-linux-x86-64.so.2"])
    assert link is not None
    assert (str(link.output), link.is_static) == ("a.out", False)


def test_inspect_says_what_was_done(place: Path) -> None:
    def words() -> str:
        status, out, _ = run(HPOOL, "inspect", "./main")
        assert status == 0
        return next((line.strip() for line in out.splitlines() if "linked" in line), "")

    assert run("gcc", "-static", "main.c", "-o", "main")[0] == 0
    assert words() == ""
    assert run("gcc", "-static", "main.c", "-o", "main", "-Wl,-u,hp_relinked", str(LIBRARY))[0] == 0
    assert words().startswith("linked with libhpool.a, not post-linked")
    assert cc("--post-link", "main")[0] == 0
    done = note("main")
    assert done is not None
    assert words() == (
        f"relinked (note version 1): {done.covered} of its own system calls go to the shim, "
        f"{done.left} are taken while it runs"
    )
    content = bytearray(Path("main").read_bytes())
    content[done.file_offset] = 2
    Path("main").write_bytes(content)
    assert words().startswith("relinked by another hpool (note version 2)")
