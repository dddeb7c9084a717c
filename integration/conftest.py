"""Pools that tests share. One strict pool serves a whole module of tests."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from integration.pool import PersonalPool, StrictPool

# Under nohup(1) it is ignored, and what is started here would inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: two users in namespaces of their own")


@pytest.fixture(scope="session")
def pool() -> Iterator[StrictPool]:
    """The strict pool of all tests that do not break it."""
    needs_root()
    with StrictPool() as strict:
        yield strict


@pytest.fixture
def own_pool() -> Iterator[StrictPool]:
    """A strict pool for one test that breaks it: who is gone for good is not waited for long."""
    needs_root()
    with StrictPool(lease_s=4) as strict:
        yield strict


@pytest.fixture(scope="module")
def personal() -> Iterator[PersonalPool]:
    needs_root()
    with PersonalPool() as pool:
        yield pool


@pytest.fixture
def fresh() -> Iterator[PersonalPool]:
    """A personal pool that nobody has used."""
    needs_root()
    with PersonalPool() as pool:
        yield pool
