"""The shim and its loader alone: every call is native, so nothing may differ from a native run.

Owns: programs of all kinds run through hpool-loader, and the small programs of
loader/, one subject each. Leaves to others: what a mirror adds (tests/sandbox,
integration).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from hpool.interpose_c.executables import LOADER as INSTALLED

CSRC: Final = INSTALLED.parents[1] / "csrc"
LOADER: Final = INSTALLED.parents[2] / "build" / "bare" / "hpool-loader-bare"  # without the core's handlers
HERE: Final = Path(__file__).parent / "loader"
SOURCES: Final = sorted(path for path in HERE.iterdir() if path.suffix in {".c", ".cc"})
ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TELL": "me"}
TIMEOUT_S: Final = 90.0
PYTHON: Final = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else os.path.realpath(sys.executable)


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Both:
    """Runs a command natively and through the loader, in empty directories of the same name."""

    directory: Path

    def _run(self, argv: list[str], executable: str, env: Mapping[str, str], stdin: str) -> Ended:
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        ended = subprocess.run(
            argv,
            executable=executable,
            cwd=self.directory,
            env=env,
            input=stdin,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=TIMEOUT_S,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def __call__(self, argv: list[str], env: Mapping[str, str] = ENVIRONMENT, stdin: str = "") -> Ended:
        program = argv[0] if "/" in argv[0] else shutil.which(argv[0], path=ENVIRONMENT["PATH"])
        assert program is not None
        native = self._run(argv, program, env, stdin)
        real = os.path.realpath(program)
        inside = self._run([f"hpool,n{len(real)}:{real}{program}", *argv], str(LOADER), env, stdin)
        assert inside == native
        return native


@pytest.fixture(scope="module", autouse=True)
def loader() -> None:
    subprocess.run(["make", "-s", "-f", CSRC / "loader.mk", "PASSTHROUGH=1"], check=True)


@pytest.fixture
def both(tmp_path: Path) -> Both:
    return Both(tmp_path / "work")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Compiles a source once for each set of flags."""
    place = tmp_path_factory.mktemp("compiled")

    def compile_(source: Path, *flags: str, compiler: str = "gcc") -> str:
        if shutil.which(compiler) is None:
            pytest.skip(f"needs {compiler}")
        target = place / "-".join([source.stem, compiler, *(flag.strip("-") for flag in flags)])
        if not target.exists():
            warnings = ["-Wall", "-Wextra", "-D_GNU_SOURCE", "-O1", "-pthread"]
            subprocess.run([compiler, *warnings, *flags, "-o", target, source], check=True)
        return str(target)

    return compile_


@pytest.mark.parametrize("flags", [[], ["-static"]], ids=["dynamic", "static"])
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_program_cannot_tell(
    both: Both, compiled: Callable[..., str], source: Path, flags: list[str]
) -> None:
    compiler = "g++" if source.suffix == ".cc" else "gcc"
    ended = both([compiled(source, *flags, compiler=compiler), "one", "two words"])
    assert ended.code == 0
    assert ended.out


@pytest.mark.parametrize(
    "flag", ["-static-pie", "-no-pie", "-Wl,-z,execstack", "-Wl,-z,max-page-size=0x200000"]
)
def test_every_kind_of_image_starts(both: Both, compiled: Callable[..., str], flag: str) -> None:
    assert both([compiled(HERE / "identity.c", flag), "", "x" * 100_000]).code == 0


@pytest.mark.parametrize("flags", [[], ["-static"]], ids=["dynamic", "static"])
def test_musl(both: Both, compiled: Callable[..., str], flags: list[str]) -> None:
    program = compiled(HERE / "musl.c", *flags, compiler="musl-gcc")
    assert both([program, "word"]) == Ended(0, "2 word 1 5\n", "")


def test_true_is_true(both: Both) -> None:
    assert both(["true"]) == Ended(0, "", "")
    assert both(["false"]) == Ended(1, "", "")


def test_an_emptied_environment(both: Both) -> None:
    assert both(["env", "-i", "/usr/bin/env"], env={}) == Ended(0, "", "")
    assert both(["env", "-i", "A=b", "/bin/sh", "-c", "echo $A; exec /bin/sh -c 'exit 4'"]).code == 4


@pytest.mark.parametrize(
    ("interpreter", "name", "code"),
    [("bash", "tour.sh", -9), (PYTHON, "tour.py", 0), ("perl", "tour.pl", 0), ("node", "tour.js", 0)],
)
def test_an_interpreter_on_tour(both: Both, interpreter: str, name: str, code: int) -> None:
    if shutil.which(interpreter) is None:
        pytest.skip(f"needs {interpreter}")
    assert both([interpreter, str(HERE / name)]).code == code


def test_busybox_and_its_applets(both: Both) -> None:
    if shutil.which("busybox") is None:
        pytest.skip("needs busybox-static")
    script = "ls / | busybox wc -l; find /etc -name 'pass*' | sort; tar cf - /etc/passwd | tar tf -; exit 9"
    assert both(["busybox", "sh", "-c", script]).code == 9


def test_a_compiler_and_make(both: Both) -> None:
    assert both(["sh", str(HERE / "build.sh")]).code == 0


def test_go(both: Both, tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("needs go")
    built = tmp_path / "tour"
    cache = {**os.environ, "GOCACHE": str(tmp_path / "cache"), "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
    subprocess.run(["go", "build", "-o", built, HERE / "tour.go"], check=True, env=cache)
    for _ in range(5):
        assert both([str(built)]).code == 0


def test_java(both: Both, tmp_path: Path) -> None:
    if shutil.which("javac") is None:
        pytest.skip("needs a JDK")
    subprocess.run(["javac", "-d", tmp_path, HERE / "Tour.java"], check=True)
    assert both(["java", "-Xmx64m", "-cp", str(tmp_path), "Tour"]).code == 0


def test_a_command_name_is_how_it_was_called(both: Both, tmp_path: Path) -> None:
    link = tmp_path / "another-name"
    link.symlink_to("/bin/cat")
    both(["sh", "-c", f"{link} /proc/self/comm; exec {link} /proc/self/cmdline"])


def run_loader(*argv: str) -> Ended:
    ended = subprocess.run(argv, executable=LOADER, capture_output=True, text=True, timeout=10, check=False)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ("hpool:/no/such/program", 127),
        ("hpool:/etc/passwd", 126),
        ("hpool:/etc", 126),
        ("nonsense", 126),
        ("hpool", 126),
        ("hpool:", 126),
        ("hpool,n99:/bin/true", 126),
    ],
)
def test_what_cannot_start_ends_with_one_line(info: str, code: int) -> None:
    ended = run_loader(info, "word")
    assert (ended.code, ended.out, ended.err.count("\n")) == (code, "", 1)
    assert ended.err.startswith("hpool: ")
