"""What the documents claim and another file knows better: kept equal."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

from hpool.interpose_c import table

ROOT: Final = Path(__file__).resolve().parents[1]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_number_of_system_calls_is_told_right() -> None:
    for name in ("README.md", "interpose_c/README.md"):
        told = re.findall(r"(\d{3}) (?:x86-64 system )?calls", text(name))
        assert set(told) == {str(len(table.load()))}, name


def test_every_known_difference_is_in_the_readme_with_its_reason() -> None:
    listed = tomllib.loads(text("integration/known_differences.toml"))
    readme = " ".join(text("interpose_c/README.md").split())
    reasons = {
        entry["reason"] for chapter in listed.values() for subject in chapter.values() for entry in subject
    }
    assert {reason for reason in reasons if " ".join(reason.split()) not in readme} == set()


def test_every_make_target_that_is_told_of_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.M))
    for name in ("README.md", "CONTRIBUTING.md"):
        assert set(re.findall(r"`make (?:-\w+ )?([a-z]+)`", text(name))) <= targets, name


def test_links_between_documents_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
