"""What no test may leave behind for the next one.

Owns: this process's file mode mask, which a home opened in it sets to 0.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)
