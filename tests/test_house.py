"""The house checks itself: what no linter of the shelf says about folders, imports, includes and lengths.

import-linter (pyproject.toml) holds rules 1 to 3 of CONTRIBUTING.md's list; the rest is here.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("shadow", "sandbox", "matchmaker", "interpose_c")
GENERATED = ("_pb2.py", "_pb2.pyi")
LONGEST_FILE = 400
PURE = (
    "matchmaker/classad",
    "matchmaker/negotiate.py",
    "matchmaker/accountant.py",
    "matchmaker/analyze.py",
    "shadow/lifecycle.py",
    "sandbox/lifecycle.py",
    "sandbox/owner.py",
)
IMPURE = {"grpc", "asyncio", "socket", "subprocess", "time", "random"}
# The compiler's own headers, and the kernel's.
FREESTANDING = re.compile(r"std(int|def|bool)\.h|(linux|asm|asm-generic)/.+\.h")
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:<(?P<system>[^>]+)>|"(?P<own>[^"]+)")', re.M)


def python_files(*tops: str) -> Iterator[Path]:
    for top in tops:
        start = ROOT / top
        yield from [start] if start.is_file() else sorted(start.rglob("*.py"))


def c_files(*tops: str) -> list[Path]:
    return sorted(p for top in tops for p in (ROOT / top).rglob("*") if p.suffix in {".c", ".h", ".S"})


def imports(path: Path) -> set[str]:
    """Every module a file names in an import; `from a.b import c` counts as a.b and a.b.c."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def importers_of(package: str, files: Iterator[Path]) -> set[str]:
    return {
        short(path)
        for path in files
        if any(name == package or name.startswith(package + ".") for name in imports(path))
    }


def test_nobody_imports_the_folders_by_their_bare_names() -> None:
    for folder in FOLDERS:
        assert importers_of(folder, python_files(*FOLDERS, "tests", "integration")) == set()


def test_hpool_itself_is_a_namespace_and_every_folder_of_modules_a_package() -> None:
    assert not (ROOT / "build" / "types" / "hpool" / "__init__.py").exists()
    for path in python_files(*FOLDERS):
        assert (path.parent / "__init__.py").exists(), f"{short(path.parent)} has no __init__.py"


def test_rule_4_pure_cores_have_no_effects() -> None:
    present = [pure for pure in PURE if (ROOT / pure).exists()]
    for path in python_files(*present):
        assert {name.partition(".")[0] for name in imports(path)} & IMPURE == set(), short(path)


def test_rule_5_protobuf_stays_in_api_and_service() -> None:
    for path in python_files(*FOLDERS, "tests", "integration"):
        if path.parent.name != "api" and path.name != "service.py":
            assert [name for name in imports(path) if name.endswith("_pb2")] == [], short(path)


def test_rule_6_rich_renders_and_click_commands() -> None:
    assert importers_of("rich", python_files(*FOLDERS)) <= {"shadow/cli/render.py", "shadow/cli/top.py"}
    for name in importers_of("click", python_files(*FOLDERS)):
        assert name.startswith("shadow/cli/") or name.endswith(("/daemon.py", "/__main__.py")), name


def test_rule_7_what_enters_a_job_includes_no_libc() -> None:
    inside = c_files(*(f"interpose_c/csrc/{part}" for part in ("alone", "arch", "core", "front", "include")))
    for path in inside:
        for match in INCLUDE.finditer(path.read_text(encoding="utf-8")):
            if match["system"]:
                assert FREESTANDING.fullmatch(match["system"]), f"{short(path)} includes {match['system']}"


def test_rule_8_integration_uses_commands_and_public_clients() -> None:
    for path in python_files("integration"):
        for name in imports(path):
            if name.startswith("hpool"):
                assert re.match(
                    r"hpool\.(\w+\.api|matchmaker\.model|interpose_c\.table)(\.|$)", name + "."
                ), f"{short(path)} imports {name}"


def test_files_stay_short() -> None:
    files = [*python_files(*FOLDERS, "tests", "integration", "setup.py"), *c_files(*FOLDERS, "integration")]
    lengths = {
        short(path): path.read_text(encoding="utf-8").count("\n")
        for path in files
        if not path.name.endswith(GENERATED)
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_c_files_open_with_what_they_own() -> None:
    for path in c_files(*FOLDERS):
        assert path.read_text(encoding="utf-8").startswith(("/*", "//")), short(path)


def pinned(tool: str) -> str:
    found = re.search(rf'"{tool}==([^"]+)"', (ROOT / "pyproject.toml").read_text())
    assert found
    return found[1]


def installed(tool: str) -> str | None:
    try:
        return importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        return None


@pytest.mark.skipif(installed("grpcio-tools") != pinned("grpcio-tools"), reason="another grpcio-tools")
def test_the_stubs_are_what_the_protos_generate(tmp_path: Path) -> None:
    from hpool.matchmaker.api.generate import generate

    made = {path.relative_to(tmp_path): path.read_text() for path in generate(ROOT, tmp_path)}
    assert made, "no .proto at all?"
    kept = {
        path.relative_to(ROOT): path.read_text()
        for folder in FOLDERS
        for ending in GENERATED
        for path in (ROOT / folder).rglob(f"*{ending}")
    }
    assert made == kept
