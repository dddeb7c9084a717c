"""Control groups handed over to an unprivileged starter.

Owns: making a group that belongs to the user the starter is about to become. Only
root can, and only before it becomes that user; the keeper then makes the job's own
group below it (csrc/keeper/cgroup.c). Leaves to others: limits, and life without.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CONTROLLERS: Final = ("memory", "pids")
_PREFIX: Final = "hpool-starter-"
_OWN_FILES: Final = ("", "cgroup.procs", "tasks", "cgroup.threads", "cgroup.subtree_control")


@dataclass(frozen=True, slots=True)
class Mount:
    """One hierarchy: version 1 with its controllers, version 2 with none named."""

    point: Path
    root: str
    controllers: frozenset[str]
    version: int


def mounts(mountinfo: str) -> list[Mount]:
    """The hierarchies in the text of /proc/PID/mountinfo (proc(5))."""
    found = []
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.partition(" ")
        root, point = fields.split()[3:5]
        if kind == "cgroup":
            names = frozenset(options.split(" ")[-1].split(","))
            found.append(Mount(Path(_unescape(point)), _unescape(root), names, 1))
        elif kind == "cgroup2":
            found.append(Mount(Path(_unescape(point)), _unescape(root), frozenset(), 2))
    return found


def own_group(controller: str, membership: str, hierarchies: list[Mount]) -> Path | None:
    """Where a process with this /proc/PID/cgroup is; "" asks for version 2."""
    for line in membership.splitlines():
        _, names, place = line.split(":", 2)
        if controller not in names.split(","):
            continue
        for mount in hierarchies:
            fits = controller in mount.controllers if controller else mount.version == 2
            if fits and Path(place).is_relative_to(mount.root):
                return mount.point / Path(place).relative_to(mount.root)
    return None


def groups_of_this_process() -> dict[str, Path]:
    """The group of each controller of ours that has one, in version 1 or 2."""
    membership = Path("/proc/self/cgroup").read_text()
    hierarchies = mounts(Path("/proc/self/mountinfo").read_text())
    found = {}
    unified = own_group("", membership, hierarchies)
    for controller in CONTROLLERS:
        group = own_group(controller, membership, hierarchies)
        if group is None and unified is not None and controller in _words(unified / "cgroup.controllers"):
            group = unified
        if group is not None:
            found[controller] = group
    return found


def hand_over(uid: int, gid: int) -> list[Path]:
    """Moves this process into groups that belong to (uid, gid); what was made, for remove().

    For root, before it becomes that user. Where the machine offers no such controller,
    or forbids it, the list is shorter and the job less bounded; nothing fails.
    """
    made: list[Path] = []
    for group in dict.fromkeys(groups_of_this_process().values()):
        _remove_leftovers(group)
        starter = group / f"{_PREFIX}{os.getpid()}"
        unified = (group / "cgroup.controllers").exists()
        home = starter / "starter" if unified else starter
        try:
            home.mkdir(parents=True)
            made.append(starter)
            if unified:  # a group with processes gives its children no controllers: hence "starter"
                wanted = " ".join(f"+{name}" for name in CONTROLLERS)
                (group / "cgroup.subtree_control").write_text(wanted)
                (starter / "cgroup.subtree_control").write_text(wanted)
            for name in _OWN_FILES:
                for place in (starter, home):
                    with contextlib.suppress(FileNotFoundError):
                        os.chown(place / name, uid, gid)
            (home / "cgroup.procs").write_text("0")
        except OSError:
            remove([starter])
            made = [each for each in made if each != starter]
    return made


def remove(groups: list[Path]) -> None:
    """Removes handed-over groups that nobody is in any more; others stay."""
    for group in groups:
        for directory in sorted(_below(group), reverse=True):
            with contextlib.suppress(OSError):
                directory.rmdir()


def _remove_leftovers(group: Path) -> None:
    """Those of starters that were killed; one in use cannot be removed."""
    for left in group.glob(f"{_PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(_PREFIX)).exists():
            remove([left])


def _below(group: Path) -> Iterator[Path]:
    yield group
    for path, directories, _ in os.walk(group):
        yield from (Path(path, name) for name in directories)


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _unescape(field: str) -> str:
    return field.encode().decode("unicode_escape") if "\\" in field else field
