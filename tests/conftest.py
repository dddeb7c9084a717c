"""What no test may leave behind for the next one.

Owns: this process's file mode mask, which a home opened in it sets to 0; that its forks have none
of gRPC's threads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest

with mock.patch.dict(os.environ, GRPC_ENABLE_FORK_SUPPORT="0"):  # read as it is imported
    import grpc  # noqa: F401 - else it begins threads in a forked child, which aborts when they miss a descriptor


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)
