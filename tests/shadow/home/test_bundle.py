"""Bundles: what ld.so will ask for is in them."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hpool.shadow.api import wire
from hpool.shadow.api.wire import EntryFlag, Op
from hpool.shadow.home.digests import Digests, Loading, loading_of
from hpool.shadow.home.ldcache import libraries
from hpool.shadow.home.policy import Rule, Share, SharingPolicy
from hpool.shadow.home.service import Home

if TYPE_CHECKING:
    from tests.shadow.home.conftest import Client


def bundle_of(client: Client, program: str | Path) -> tuple[int, dict[bytes, wire.Entry]]:
    reply = client.ask(Op.BUNDLE, os.fsencode(program))
    return reply.error, {entry.path: entry for entry in reply.entries}


def libraries_of(program: str | Path) -> set[bytes]:
    """As ld.so itself says."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return {os.fsencode(os.path.realpath(path)) for path in re.findall(r"(?:=> |^\s)(/\S+)", said, re.M)}


@pytest.mark.parametrize(
    "program", ["/bin/sh", "/usr/bin/python3", sys.executable, "/bin/tar", "/usr/bin/git"]
)
def test_a_program_s_closure_is_what_ldd_says(client: Client, program: str) -> None:
    if not os.path.exists(program):
        pytest.skip(f"no {program} here")
    error, entries = bundle_of(client, program)
    assert error == 0
    for path in libraries_of(program) | {os.fsencode(os.path.realpath(program)), b"/etc/ld.so.cache"}:
        content = Path(os.fsdecode(path)).read_bytes()
        assert entries[path].digest == hashlib.sha256(content).digest()
        assert entries[path].attr.size == len(content)
    assert entries[b"/etc/ld.so.preload"].flags & EntryFlag.ABSENT or os.path.exists("/etc/ld.so.preload")
    for entry in entries.values():
        assert bool(entry.digest) == (
            not entry.flags & EntryFlag.ABSENT
            and os.path.isfile(entry.path)
            and not os.path.islink(entry.path)
        )


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a compiler")
def test_run_paths_are_followed_from_where_the_file_lies(client: Client) -> None:
    root = client.root
    (root / "lib").mkdir()
    for name, needs in (("b", []), ("a", ["-Llib", "-l:libb.so", "-Wl,-rpath,$ORIGIN"])):
        (root / f"{name}.c").write_text(f"int {name}(void) {{ return 1; }}\n")
        command = ["gcc", "-shared", "-fPIC", "-Wl,--no-as-needed", f"-Wl,-soname,lib{name}.so", f"{name}.c"]
        subprocess.run([*command, *needs, "-o", f"lib/lib{name}.so"], cwd=root, check=True)
    (root / "main.c").write_text("int a(void); int main(void) { return a() - 1; }\n")
    for run_path in ("--disable-new-dtags", "--enable-new-dtags"):
        subprocess.run(
            [
                "gcc",
                "main.c",
                "lib/liba.so",
                "-Wl,-rpath,$ORIGIN/nowhere:$ORIGIN/lib",
                f"-Wl,{run_path}",
                "-o",
                "main",
            ],
            cwd=root,
            check=True,
        )
        _, entries = bundle_of(client, root / "main")
        assert entries[client.path("lib/liba.so")].digest and entries[client.path("lib/libb.so")].digest
        assert entries[client.path("nowhere")].flags & EntryFlag.ABSENT


def test_scripts_bring_their_interpreters(client: Client) -> None:
    script = client.root / "script"
    script.write_text("#! /usr/bin/env -S PYTHONX=1 sh\n")
    home = Home(SharingPolicy((Rule(b"/", Share.RO),)), search_path=[b"/nonexistent", b"/usr/bin", b"/bin"])
    try:
        replies = wire.parse_replies(home.execute(wire.Request(Op.BUNDLE, 1, os.fsencode(script)).pack()))
    finally:
        home.close()
    paths = {entry.path for entry in replies[0].entries if entry.digest}
    wanted = ["/usr/bin/env", "/bin/sh", "/lib64/ld-linux-x86-64.so.2"]
    assert {os.fsencode(script), *(os.fsencode(os.path.realpath(path)) for path in wanted)} <= paths


@pytest.mark.parametrize(
    ("name", "expected"), [("nothing", errno.ENOENT), ("f/x", errno.ENOTDIR), ("", 0), ("f", 0)]
)
def test_what_is_no_program_says_so_or_is_told_as_it_is(client: Client, name: str, expected: int) -> None:
    (client.root / "f").write_bytes(b"plain")
    error, entries = bundle_of(client, client.root / name)
    assert error == expected
    assert entries[os.fsencode(client.root)]


def test_scripts_that_interpret_each_other_come_to_an_end(client: Client) -> None:
    script = client.root / "loop"
    script.write_text(f"#!{script}\n")
    assert bundle_of(client, script)[0] == 0


def test_what_is_hidden_is_not_bundled(client: Client) -> None:
    assert bundle_of(client, "/proc/self/exe")[0] == errno.EACCES


def test_damaged_programs_harm_nobody(tmp_path: Path) -> None:
    content = Path(os.path.realpath("/bin/sh")).read_bytes()
    target = tmp_path / "damaged"
    for at in [*range(0, 64, 3), *range(64, 900, 17), len(content) - 1]:
        for damage in (content[:at], content[:at] + b"\xff" * 8 + content[at + 8 :]):
            target.write_bytes(damage)
            with open(target, "rb") as file:
                assert isinstance(loading_of(file.fileno()), Loading)


def test_facts_outlive_the_process_and_end_with_the_content(tmp_path: Path) -> None:
    program = tmp_path / "program"
    shutil.copy("/bin/sh", program)
    os.utime(program, (1, 1))

    def facts(age_s: float = 10) -> tuple[bytes, bool]:
        digests = Digests(tmp_path / "cache")
        with open(program, "rb") as file:
            found = digests.of(file.fileno())
            remembered = bool(digests._known)
        digests.close()
        return found.digest, remembered

    # ctime is now: it is not filed, as the file may still change within the clock's grain.
    assert facts() == (hashlib.sha256(program.read_bytes()).digest(), False)
    library = Path(os.path.realpath("/bin/sh"))
    for turn in range(2):
        digests = Digests(tmp_path / "cache")
        with open(library, "rb") as file:
            assert digests.of(file.fileno()).loading.machine == 62 << 8 | 2
            rows = (
                digests._database.execute("SELECT count(*) FROM facts2").fetchone()
                if digests._database
                else (1,)
            )
        assert (turn, rows) == (turn, (1,))
        digests.close()


def test_a_damaged_memory_of_facts_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "digests.sqlite").write_bytes(b"this is no database" * 1000)
    digests = Digests(tmp_path)
    with open("/bin/sh", "rb") as file:
        assert digests.of(file.fileno()).digest == hashlib.sha256(Path("/bin/sh").read_bytes()).digest()


def test_the_linker_s_cache_is_read() -> None:
    cache = Path("/etc/ld.so.cache").read_bytes()
    said = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    expected: dict[str, list[str]] = {}
    for name, path in re.findall(r"^\t(\S+) \(.*\) => (\S+)$", said, re.M):
        expected.setdefault(name, []).append(path)
    assert libraries(cache) == expected
    for damaged in (b"", cache[:47], cache[:1000], b"x" + cache, cache[:48] + b"\xff" * 5000):
        assert isinstance(libraries(damaged), dict)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a compiler")
def test_a_program_that_writes_gs_itself_or_by_a_library_is_marked(client: Client) -> None:
    root = client.root
    writes = "(void) { %s return 0; }\n"
    instruction = '__asm__ volatile("wrgsbase %0" :: "r"(0l));'
    for name, code in (("takes", instruction), ("leaves", "")):
        (root / f"{name}.c").write_text(f"int take{writes % code}")
        (root / "main.c").write_text("int take(void); int main(void) { return take(); }\n")
        for command in (
            ["-shared", "-fPIC", f"{name}.c", "-o", f"lib{name}.so"],
            ["main.c", f"{name}.c", "-o", name],
            ["main.c", str(root / f"lib{name}.so"), "-o", f"{name}-by-library"],
        ):
            subprocess.run(["gcc", *command], cwd=root, check=True)
    (root / "script").write_text(f"#!{root}/takes\n")
    marked = {}
    for name in ("takes", "takes-by-library", "leaves", "leaves-by-library", "script"):
        _, entries = bundle_of(client, root / name)
        marked[name] = [os.path.basename(p) for p, e in entries.items() if e.flags & EntryFlag.TAKES_GS]
    assert marked == {
        "takes": [b"takes"],
        "takes-by-library": [b"takes-by-library"],
        "leaves": [],
        "leaves-by-library": [],
        "script": [b"takes"],
    }
