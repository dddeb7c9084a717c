"""The system call table: complete, well formed, and what the loader was built from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from hpool.interpose_c import table
from hpool.interpose_c.table import BadTable, Route

# The loader itself is stripped; loader.mk keeps its symbols here.
SYMBOLS = Path(__file__).resolve().parents[2] / "build" / "hpool-loader" / "hpool-loader.debug"
UNISTD = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
# Numbers the kernel never gave out (337-386) or keeps free (387-423).
GAP = range(337, 424)
GOOD = '/* */\nHP_CALL(  0, read,                    FAULT,   hp_call_read,              "fd buf len", "")\n'

# Rows whose handler is not in the loader yet: their calls pass through. Only ever take names away.
NOT_LINKED_YET: frozenset[str] = frozenset()


def test_every_number_up_to_the_newest_has_one_row() -> None:
    numbers = [call.number for call in table.load()]
    assert numbers == [number for number in range(table.NEWEST_NUMBER + 1) if number not in GAP]


@pytest.mark.skipif(not UNISTD.exists(), reason="no kernel headers here")
def test_names_and_numbers_are_the_kernel_headers() -> None:
    known = {int(n): name for name, n in re.findall(r"__NR_(\w+) (\d+)", UNISTD.read_text())}
    ours = {call.number: call.name for call in table.load()}
    assert {n: ours[n] for n in known if n in ours} == {n: name for n, name in known.items() if n in ours}
    assert [n for n in known if n <= table.NEWEST_NUMBER and n not in ours] == []


def test_a_handler_is_named_after_its_call() -> None:
    for call in table.load():
        assert call.handler in {None, f"hp_call_{call.name}"}


def test_a_refusal_says_why() -> None:
    assert [call.name for call in table.load() if call.route is Route.REFUSE and not call.note] == []


def test_what_goes_round_any_shim_is_refused() -> None:
    route = {call.name: call.route for call in table.load()}
    for name in ("io_uring_setup", "io_submit", "open_by_handle_at", "remap_file_pages", "fanotify_mark"):
        assert route[name] is Route.REFUSE


@pytest.mark.parametrize(
    "spoilt",
    [
        GOOD.replace("FAULT", "FAULTY"),
        GOOD.replace("hp_call_read", "call_read"),
        GOOD.replace("hp_call_read", "HP_NATIVE"),
        GOOD.replace("FAULT,  ", "REFUSE, "),
        GOOD.replace("FAULT,  ", "NATIVE, "),
        GOOD.replace("fd buf len", "fd buffer"),
        GOOD.replace("fd buf len", "int int int int int int int"),
        GOOD.replace('"")', '"'),
        GOOD + "stray\n",
        "",
    ],
)
def test_a_line_that_is_no_row_is_named(spoilt: str) -> None:
    assert len(table.parse(GOOD)) == 1
    with pytest.raises(BadTable):
        table.parse(spoilt)


@pytest.mark.skipif(not SYMBOLS.exists(), reason="the loader is not built")
def test_every_handler_is_linked_into_the_loader() -> None:
    with SYMBOLS.open("rb") as stream:
        symbols = ELFFile(stream).get_section_by_name(".symtab")
        assert isinstance(symbols, SymbolTableSection)
        linked = {symbol.name for symbol in symbols.iter_symbols() if symbol["st_shndx"] != "SHN_UNDEF"}
    missing = {call.handler for call in table.load() if call.handler} - linked
    assert missing - NOT_LINKED_YET == set(), "these calls would pass through"
    assert NOT_LINKED_YET - missing == set(), "linked by now: take them off the list"


def test_the_list_of_rules_names_tests_that_are_there() -> None:
    house = Path(__file__).resolve().parents[2]
    text = (house / "interpose_c/csrc/arch/x86_64/README.md").read_text()
    rows = text.partition("## What each rule is tested by")[2].partition("\n## ")[0].splitlines()
    columns = [row.strip("|").split("|")[1] for row in rows if row.startswith("|")][2:]
    names = [name for column in columns for name in re.findall(r"`([\w./]+)`", column)]
    places = [house, house / "integration/programs", house / "tests/interpose_c/loader"]
    endings = ["", ".c", ".cc"]
    assert len(columns) > 10
    assert [n for n in names if not any((p / f"{n}{e}").is_file() for p in places for e in endings)] == []
