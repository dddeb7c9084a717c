"""`make demo`: real programs on real input, once natively and once under `hpool run`, side by side.

Owns: three jobs, the comparison, the words around it. Leaves to others: everything hpool does; only the
`hpool` command is used. The input is this project's own C sources.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
HPOOL: Final = Path(sys.executable).with_name("hpool")
LIMIT_S: Final = 300

MAKEFILE: Final = """\
objects := $(patsubst %.c,%.o,$(wildcard *.c))
all: $(objects)
\t@echo $(words $(objects)) objects made
%.o: %.c
\t@$(CC) -std=gnu11 -D_GNU_SOURCE -O1 -c $< -o $@
"""

# A full-text index in a database: locks, a journal, fsync, many small writes.
INDEXER: Final = """\
import glob, re, sqlite3
base = sqlite3.connect("words.db")
base.execute("create table words(word text primary key, count integer)")
for name in sorted(glob.glob("*.c")):
    with base:
        for word in re.findall(r"[a-z_]{4,}", open(name).read()):
            base.execute("insert into words values(?, 1) on conflict do update set count = count + 1", [word])
for row in base.execute("select * from words order by count desc, word limit 3"):
    print(*row)
"""


@dataclass(frozen=True, slots=True)
class Job:
    title: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    exit_code: int
    stdout: bytes
    stderr: bytes
    seconds: float
    tree: dict[str, str]  # path -> digest of content, link text or kind, with the mode


JOBS: Final = (
    Job("compile the project: make, gcc, as; some hundred processes", ("make", "-j2")),
    Job("index the sources in a database: Python and SQLite", (sys.executable, "-c", INDEXER)),
    Job(
        "a shell pipeline that fails on purpose at its end",
        ("sh", "-c", "cat *.c | sort | uniq -c | sort -rn | gzip -n > lines.gz; wc -c < lines.gz; exit 3"),
    ),
)


def lay_out(directory: Path) -> None:
    directory.mkdir(parents=True)
    for source in sorted((ROOT / "integration" / "programs").glob("*.[ch]")):
        shutil.copy2(source, directory)
    (directory / "Makefile").write_text(MAKEFILE)


def look_at(directory: Path) -> dict[str, str]:
    tree = {}
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        if path.is_symlink():
            what = os.readlink(path)
        elif path.is_file():
            what = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            what = "directory"
        tree[str(path.relative_to(directory))] = f"{status.st_mode:o} {what}"
    return tree


def run(argv: list[str], directory: Path, environment: Mapping[str, str]) -> Outcome:
    began_s = time.monotonic()
    done = subprocess.run(
        argv,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    seconds = time.monotonic() - began_s
    return Outcome(done.returncode, done.stdout, done.stderr, seconds, look_at(directory))


def differences(native: Outcome, away: Outcome) -> list[str]:
    found = []
    if native.exit_code != away.exit_code:
        found.append(f"exit code {native.exit_code} natively, {away.exit_code} under hpool")
    if native.stdout != away.stdout:
        found.append(f"stdout {native.stdout!r} natively, {away.stdout!r} under hpool")
    found += [
        f"{name}: {native.tree.get(name)} natively, {away.tree.get(name)} under hpool"
        for name in sorted(native.tree.keys() | away.tree.keys())
        if native.tree.get(name) != away.tree.get(name)
    ]
    return found


def show(job: Job, scratch: Path, environment: Mapping[str, str]) -> bool:
    """Runs one job both ways; tells what happened; True when nothing differs."""
    command = " ".join(shlex.quote(word) for word in job.argv).partition("\n")[0]
    print(f"== {job.title}\n   $ hpool run {command[:90]}{'...' if len(command) > 90 else ''}")
    lay_out(scratch / "native")
    lay_out(scratch / "hpool")
    before = look_at(scratch / "native")
    native = run(list(job.argv), scratch / "native", environment)
    away = run([str(HPOOL), "run", "--stats", "--", *job.argv], scratch / "hpool", environment)
    print(f"   native  exit {native.exit_code}  {native.seconds:6.2f} s")
    print(f"   hpool   exit {away.exit_code}  {away.seconds:6.2f} s")
    for line in away.stdout.decode(errors="replace").splitlines():
        print(f"   stdout  {line}")
    for line in away.stderr.decode(errors="replace").splitlines():
        print(f"   stderr  {line}")
    found = differences(native, away)
    made = len(away.tree.keys() - before.keys())
    if found:
        print("   DIFFERENT\n      " + "\n      ".join(found[:20]))
    else:
        print(f"   the same exit code, output and files: {made} new, {len(before)} old, byte for byte\n")
    shutil.rmtree(scratch)
    return not found


def main() -> int:
    place = ROOT / "build" / "demo"
    shutil.rmtree(place, ignore_errors=True)
    # A pool of its own: short names, since sockets live there.
    with tempfile.TemporaryDirectory(prefix="hpool-demo-") as private:
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("HPOOL_", "MAKE"))
        }
        environment.pop("MFLAGS", None)
        for kind in ("STATE", "CACHE", "RUNTIME"):
            environment[f"HPOOL_{kind}_DIR"] = f"{private}/{kind.lower()}"
        print(__doc__.partition("\n")[0].removeprefix("`make demo`: ").capitalize() + "\n")
        try:
            same = [show(job, place, environment) for job in JOBS]
        finally:
            subprocess.run([HPOOL, "pool", "stop"], env=environment, check=False, stdout=subprocess.DEVNULL)
    if all(same):
        print("Nothing differs. Next: hpool run YOUR-PROGRAM, hpool inspect YOUR-PROGRAM, hpool doctor.")
        return 0
    print("Something differs: see above.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
