"""Programs of many languages and executables of many shapes: which there are, how each is made and run.

Owns: the table. What is built here is laid in one directory ($R in commands). Leaves to others: running
and judging (test_runtimes.py).
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).parent / "runtimes"
LOADER: Final = "/lib64/ld-linux-x86-64.so.2"
# What differs between two honest runs: addresses, process numbers, times.
NUMBERS: Final = (
    (rb"==\d+==", b"=="),
    (rb"0x[0-9a-f]+", b"0x"),
    (rb"(pid|tid|process|LWP|finished|started)[= ]\d+", rb"\1"),
)


@dataclass(frozen=True)
class Case:
    """Shell commands, run in a fresh fixture. `built`: shell commands, once, in $R. `sift`: see NUMBERS."""

    name: str
    command: str
    built: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    sift: tuple[tuple[bytes, bytes], ...] = field(default=())
    timeout_s: float = 120.0

    def missing(self) -> list[str]:
        return [name for name in self.needs if not is_there(name)]


@functools.cache
def is_there(tool: str) -> bool:
    """Also rustup's rustc, which is a name only until a toolchain was chosen for this user."""
    if shutil.which(tool) is None:
        return False
    return tool != "rustc" or subprocess.run([tool, "--version"], capture_output=True).returncode == 0


def build(cases: list[Case], place: Path) -> None:
    """Everything whose tools are here; RuntimeError for what does not compile."""
    with tempfile.TemporaryDirectory(prefix="hpool-runtimes-") as top:
        made = Path(top) / "made"
        shutil.copytree(SOURCES, made)
        env = os.environ | {"GO111MODULE": "off", "GOCACHE": f"{top}/go", "GOFLAGS": ""}
        for case in cases:
            for command in () if case.missing() else case.built:
                done = subprocess.run(["/bin/sh", "-c", command], cwd=made, env=env, capture_output=True)
                if done.returncode != 0:
                    raise RuntimeError(f"{case.name}: {command}: {done.stderr.decode()}")
        shutil.copytree(made, place, dirs_exist_ok=True)


# Writing through a map leaves the time of a file alone where home is a tmpfs.
SETTLE: Final = "; code=$?; touch big.bin; exit $code"
C: Final = "gcc -D_GNU_SOURCE -O1 -w"
BARE: Final = f"{C} -fno-stack-protector -fno-builtin -nostdlib -static bare.c"
MUSL: Final = "musl-gcc -D_GNU_SOURCE -O1 -w shape.c"
EACH: Final = 'for it in $R/{0}*; do echo "${{it##*/}}:"; $it a b 2>&1; echo "-> $?"; done'

LANGUAGES: Final = [
    Case(
        "go",
        f"$R/go-static a b{SETTLE}",
        ("CGO_ENABLED=0 go build -o go-static work.go withoutc.go",),
        ("go",),
    ),
    Case(
        "go-with-c", f"$R/go-cgo a b{SETTLE}", ("CGO_ENABLED=1 go build -o go-cgo work.go withc.go",), ("go",)
    ),
    Case("java", f"java -cp $R Work a b{SETTLE}", ("javac -d . Work.java",), ("java", "javac")),
    Case("javac", "cp $R/Work.java . && javac -d classes Work.java && ls classes", (), ("javac",)),
    Case("node", "node $R/work.js", (), ("node",)),
    Case("rust", "$R/work-rs a b", ("rustc -O -o work-rs work.rs",), ("rustc",)),
    Case("perl", "perl $R/work.pl", (), ("perl",)),
    Case("ruby", "ruby $R/work.rb", (), ("ruby",)),
    Case("tcl", "tclsh $R/work.tcl", (), ("tclsh",)),
    Case("lua", "lua5.4 $R/work.lua", (), ("lua5.4",)),
    Case("luajit", "luajit $R/work.lua", (), ("luajit",)),
    Case("ocaml", "$R/work-ml", ("ocamlopt -I +unix unix.cmxa work.ml -o work-ml",), ("ocamlopt",)),
    Case("R", "Rscript --vanilla $R/work.R", (), ("Rscript",)),
]

SHELLS: Final = [
    Case("busybox", "busybox sh $R/boxes.sh", (), ("busybox",)),
    Case("wrappers", "exec bash $R/wrappers.sh", (), ("script", "flock", "perl")),
]

SHAPES: Final = [
    Case(
        "shapes",
        EACH.format("shape-"),
        (
            f"{C} shape.c -o shape-pie",
            f"{C} -no-pie shape.c -o shape-no-pie",
            f"{C} -static shape.c -o shape-static",
            f"{C} -static-pie shape.c -o shape-static-pie",
            f"{C} -s shape.c -o shape-stripped",
            f"{C} -Wl,-z,max-page-size=0x200000 shape.c -o shape-2m",
            f"{C} -static -Wl,-z,max-page-size=0x200000 shape.c -o shape-static-2m",
            f"{C} -static-pie -Wl,-z,max-page-size=0x200000 shape.c -o shape-static-pie-2m",
            f"{C} -Wl,-z,execstack shape.c -o shape-executable-stack",
            f"{C} -static -Wl,-z,execstack shape.c -o shape-static-executable-stack",
            f"{C} -Wl,-z,noseparate-code shape.c -o shape-no-separate-code",
            f"{C} -no-pie -Wl,-Ttext-segment=0x10000 shape.c -o shape-low",
            f"{C} -static -Wl,-Tdata=0x80000000 shape.c -o shape-gap",
            f"{C} -no-pie -Wl,-Tdata=0x20000000 -Wl,-Tbss=0x30000000 shape.c -o shape-two-gaps",
            f"{C} -Wl,--no-dynamic-linker -pie shape.c -o shape-no-interpreter",
            f"cp {LOADER} ld.so && {C} -Wl,--dynamic-linker=dir/ld.so shape.c -o shape-relative-interpreter",
        ),
    ),
    Case(
        "shapes-relative-interpreter",
        f"cp {LOADER} dir/ld.so; it=$R/shape-relative-interpreter; $it; echo $?; cd dir; $it; echo $?",
    ),
    Case(
        "shapes-musl",
        EACH.format("musl-"),
        (
            f"{MUSL} -o musl-dynamic",
            f"{MUSL} -static -o musl-static",
            f"{MUSL} -static-pie -fPIE -o musl-pie",
        ),
        ("musl-gcc",),
    ),
    Case(
        "shapes-bare",
        EACH.format("bare-"),
        (
            f"{BARE} -o bare-plain",
            f"{BARE} -Wl,-N -o bare-omagic",
            f"{BARE} -Wl,-n -o bare-nmagic",
            f"{BARE} -mcmodel=large -Wl,-Ttext-segment=0x7ff000000000 -o bare-high",
            f"{BARE} -mcmodel=large -Wl,-Ttext-segment=0x555555554000 -o bare-where-pie-goes",
            f"{BARE} -mcmodel=large -DZEROS=0x60000000 -o bare-large",
        ),
    ),
    Case(  # where an address space that is not random has the loader, its stack and the channel
        "shapes-in-the-way",
        "for n in 1 2; do setarch -R $R/in-the-way-$n a; echo $?; done; "
        "setarch -R sh -c '$R/in-the-way-1; setarch --show'",
        (
            f"{BARE} -mcmodel=large -Wl,-Ttext-segment=0x7ffff7f00000 -o in-the-way-1",
            f"{BARE} -mcmodel=large -DZEROS=0xfa00000 -Wl,-Ttext-segment=0x7fffe8000000 -o in-the-way-2",
        ),
    ),
    Case(
        "libraries",
        "sh $R/libraries.sh",
        (
            "mkdir -p lib && gcc -shared -fPIC -w -o lib/libplus.so plus.c",
            "gcc -shared -fPIC -o audit.so audit.c",
            f"{C} uses_plus.c -o use -Llib -lplus -Wl,-rpath,'$ORIGIN/lib'",
            f"{C} uses_plus.c -o use-unset -Llib -lplus",
            f"{C} uses_plus.c -o use-relative -Llib -lplus -Wl,-rpath,lib",
        ),
        sift=NUMBERS,
    ),
    Case("foreign", "sh $R/foreign.sh"),
]

SANITIZERS: Final = ("address", "thread", "undefined", "leak")
WATCHED: Final = [
    Case(
        "sanitizers",
        "sh $R/sanitizers.sh",
        (
            *(f"gcc -g -w -O1 -fsanitize={it} mistakes.c -o san-{it}" for it in SANITIZERS),
            "gcc -g -w -pg mistakes.c -o san-profile",
            "gcc -g -w mistakes.c -o san-plain",
        ),
        sift=NUMBERS,
    ),
    Case("tracers", "sh $R/tracers.sh", (), ("valgrind", "strace"), sift=NUMBERS),
]

USES: Final = [
    Case("git", "sh $R/git.sh", (), ("git",), timeout_s=200),
    Case("trees", "bash $R/trees.sh", timeout_s=300),
    Case("databases", "sh $R/databases.sh", (), ("sqlite3",), timeout_s=200),
    Case("builds", "sh $R/builds.sh", (), ("make",), timeout_s=300),
]

ALL: Final = [*LANGUAGES, *SHELLS, *SHAPES, *WATCHED, *USES]
