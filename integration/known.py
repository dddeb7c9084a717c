"""The list of what is known to differ from native, with a reason each.

Owns: reading known_differences.toml. A test that meets a listed difference
goes on; one that no longer meets it fails, so the list stays true.
"""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Any, Final

LIST: Final = Path(__file__).parent / "known_differences.toml"


@functools.cache
def _listed() -> dict[str, Any]:
    return tomllib.loads(LIST.read_text())


def known_differences(chapter: str, subject: str) -> list[str]:
    """Parts of lines that are expected to differ; each entry has to give its reason."""
    entries = _listed().get(chapter, {}).get(subject, [])
    for entry in entries:
        if len(entry.get("reason", "")) < 15:
            raise ValueError(f"{LIST.name}: {chapter}.{subject} gives no reason")
    return [entry["differs"] for entry in entries]
