"""Builds what pyproject.toml cannot say: the name space, the C parts, the wheel's tag.

Owns: which folder becomes which package (hpool.shadow, ...), the cffi modules, the two executables
and the library made by interpose_c/csrc/*.mk, and build/types for the type checkers.
Leaves to others: how each C part is compiled (its own build_*.py or .mk file).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from setuptools import Distribution, Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
FOLDERS = ("shadow", "sandbox", "matchmaker", "interpose_c")
CFFI_MODULES = (
    "shadow/home/build_home.py:ffibuilder",
    "sandbox/starter/build_engine.py:ffibuilder",
)
# Needs nghttp2 (Debian: libnghttp2-dev); without it the lanes go by gRPC's own core, which is slower.
NATIVE_CALL = "sandbox/starter/build_call.py:ffibuilder"
# Fragment -> what it makes, below interpose_c.
MADE = {"loader.mk": "bin/hpool-loader", "keeper.mk": "bin/hpool-keeper", "relinked.mk": "lib/libhpool.a"}
C_SUFFIXES = {".c", ".h", ".S", ".def", ".lds", ".mk"}


def packages() -> list[str]:
    """Every folder with Python files: `hpool` itself stays a PEP 420 namespace."""
    found = {path.parent.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    tops = {Path(folder) for folder in FOLDERS}
    return [".".join(("hpool", *path.parts)) for path in sorted(found | tops)]


def c_files() -> list[str]:
    """All C there is: whatever changes, both cffi modules are compiled again."""
    return sorted(
        str(path.relative_to(ROOT))
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in C_SUFFIXES
    )


def has_nghttp2() -> bool:
    compiler = os.environ.get("CC", "cc").split()
    asked = b"#include <nghttp2/nghttp2.h>\n"
    return (
        shutil.which(compiler[0]) is not None
        and subprocess.run([*compiler, "-E", "-"], input=asked, capture_output=True, check=False).returncode
        == 0
    )


def link_for_type_checkers() -> None:
    """build/types/hpool/*: mypy and pyright do not follow the editable import hook."""
    types = ROOT / "build" / "types" / "hpool"
    types.mkdir(parents=True, exist_ok=True)
    for folder in FOLDERS:
        link = types / folder
        if not link.is_symlink():
            link.symlink_to(Path("../../..") / folder)


class HpoolDistribution(Distribution):
    """A platform wheel: it holds executables whatever cffi adds."""

    def has_ext_modules(self) -> bool:
        return True


class BuildExt(build_ext):
    """What enters a job or a program, then the cffi modules."""

    def run(self) -> None:
        os.chdir(ROOT)
        in_place = self.inplace or self.editable_mode
        for name in self.make():
            if not in_place:
                target = Path(self.build_lib, "hpool", "interpose_c", name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(Path("interpose_c", name), target)
                target.chmod(0o755 if name.startswith("bin/") else 0o644)
        if in_place:
            link_for_type_checkers()
        super().run()

    def make(self) -> list[str]:
        built = []
        for fragment, name in MADE.items():
            path = Path("interpose_c", "csrc", fragment)
            environment = dict(os.environ)
            # A jobserver of the calling make is not ours to use.
            environment.pop("MAKEFLAGS", None)
            subprocess.run(["make", "-s", "-f", str(path)], check=True, env=environment)
            built.append(name)
        return built

    def build_extension(self, ext: Extension) -> None:
        ext.depends = [*ext.depends, *c_files()]
        super().build_extension(ext)


setup(
    distclass=HpoolDistribution,
    packages=packages(),
    package_dir={f"hpool.{folder}": folder for folder in FOLDERS},
    package_data={"": ["py.typed"], "hpool.interpose_c": ["csrc/syscalls.def"]},
    include_package_data=False,
    cffi_modules=[*CFFI_MODULES, NATIVE_CALL] if has_nghttp2() else [*CFFI_MODULES],
    cmdclass={"build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
