"""What this machine is: readings turned into its advertisement.

Owns: reading the machine. Leaves to others: how many jobs its owner allows (daemon options), sending.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import psutil

from hpool.matchmaker.api.values import MachineAd

_CPU_FLAGS: Final = ("avx", "avx2", "avx512f", "sse4_2", "bmi2", "fma")


def hpool_version() -> str:
    try:
        return version("hpool")
    except PackageNotFoundError:
        return "unknown"


def read_machine(sandbox_id: str, name: str, slots: int) -> MachineAd:
    """The ad with all slots free."""
    kernel = platform.uname()
    return MachineAd(
        sandbox_id=sandbox_id,
        name=name,
        arch=kernel.machine,
        kernel=kernel.release,
        features=_features(),
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=psutil.virtual_memory().total,
        slots=slots,
        free_slots=slots,
        version=hpool_version(),
    )


def _features() -> tuple[str, ...]:
    try:
        with open("/proc/cpuinfo") as file:
            flags = next((line.split() for line in file if line.startswith("flags")), [])
    except OSError:
        flags = []
    return tuple(flag for flag in _CPU_FLAGS if flag in flags)


def default_mirror_bytes(slots: int) -> int:
    """A quarter of the memory shared between the slots: mirrors are tmpfs."""
    return max(256 << 20, psutil.virtual_memory().total // 4 // slots)
