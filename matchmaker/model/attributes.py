"""The lexicon: attributes of machines and jobs that matching knows.

Owns: name, type and meaning of each. Leaves to others: values (machine, queue) and expressions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HIDES: Final = "hides:"
"""A machine's feature, before the name of a level: it can show a job a processor of that level only."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One word of the lexicon. `field` is the field of the ad that carries it."""

    name: str
    kind: type
    field: str
    meaning: str
    unit: str = ""


MACHINE_ATTRIBUTES: Final = (
    Attribute("Name", str, "name", "the machine's name, for people"),
    Attribute("Arch", str, "arch", "processor architecture as uname(2) says it"),
    Attribute("Kernel", str, "kernel", "kernel release"),
    Attribute("Cpus", int, "cpus", "processors the sandbox may use"),
    Attribute("Memory", int, "memory_bytes", "memory of the machine", "bytes"),
    Attribute("Slots", int, "slots", "jobs that may run at once"),
    Attribute("FreeSlots", int, "free_slots", "jobs that could start now"),
    Attribute(
        "Features", list, "features", "what images of jobs may need of the machine: kernel, processor, hpool"
    ),
)
