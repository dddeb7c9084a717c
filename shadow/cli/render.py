"""Tables for people. The only importer of rich; plain columns when nobody looks at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TextIO


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], file: TextIO | None = None) -> None:
    """Prints rows under headings, on stdout if nothing else is said."""
    out = sys.stdout if file is None else file
    cells = [tuple(headings), *(tuple(row) for row in rows)]
    if not out.isatty():
        widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
        for row in cells:
            print(
                "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(),
                file=out,
            )
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        shown.add_column(heading)
    for row in cells[1:]:
        shown.add_row(*(Text(cell) for cell in row))
    Console(file=out).print(shown)


def printable(text: str) -> str:
    """Nothing in it that moves a terminal's cursor or ends a line."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def bytes_text(count: int) -> str:
    """1536 -> "1.5 KiB"."""
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def duration_text(seconds: float) -> str:
    """90 -> "90 s", 600 -> "10 min", 9000 -> "2.5 h"."""
    if seconds < 120:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
