"""What the Python programs here use: say what was tried and how it ended.

Nothing that differs between two honest runs is printed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Callable
from typing import Any

if os.geteuid() == 0:
    sys.exit("not as root")


def attempt(what: str, action: Callable[[], Any]) -> Any:
    """Prints what came out, or the name of the error."""
    try:
        result = action()
    except OSError as error:
        print(f"{what}: {errno.errorcode.get(error.errno or 0, error)}")
        return None
    print(f"{what}: {result!r}")
    return result


def sha(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def listing(top: str) -> list[str]:
    """Every name below `top`, sorted, directories with a slash."""
    found: list[str] = []
    for parent, directories, files in os.walk(top):
        found += [os.path.join(parent, name) for name in files]
        found += [os.path.join(parent, name) + "/" for name in directories]
    return sorted(found)
