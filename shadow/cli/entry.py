"""The console script `hpool`: `hpool cc` at once, everything else by the command line's own modules.

A build calls `hpool cc` once for each of its files, so what that needs not is not imported.
"""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    match sys.argv[1:]:
        case ["cc" | "c++" as name, *words]:
            from hpool.interpose_c.link import main as compile_and_link

            sys.exit(compile_and_link(name, words))
        case _:
            from hpool.shadow.cli.main import main as command

            command()
