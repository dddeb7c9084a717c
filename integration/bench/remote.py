"""Work far from its files: local disk, hpool, sshfs and staging, at several round-trip times, in one run.

Owns: the command line and the tables. Leaves to others: doing and comparing (contest).

`python -m integration.bench.remote` takes an hour, most of it sshfs waiting at 50 ms;
`--rtt 0,10 --only read,find --no-rivals` is a part, `--grow` how cost grows with files and sizes.
Times vary with the machine: ratios count.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Final

from integration.bench import rivals
from integration.bench.contest import Contest, Row, Run
from integration.bench.work import TOY, WORK, Size

OURS: Final = ("local", "hpool cold", "hpool first", "hpool warm")
THEIRS: Final = ("sshfs", "sshfs warm", "tuned", "tuned warm", "staging")
EXPLAINED: Final = """\
Seconds; in brackets what hpool's job waited for, in round trips. cold: the machine knows nothing of this
home. first: it knows the programs by their content (where sshfs and staging run, they are installed), files
and names not. warm: with the memory of a former run; for sshfs a second run in the same mount. aim: of
`first`, in brackets of `warm`. best rival / hpool: above 1, `first` beats sshfs, tuned and staging."""


def shown(run: Run | None) -> str:
    if run is None:
        return ""
    text = "too long" if run.seconds is None else f"{run.seconds:.3f}"
    if run.round_trips is not None:
        text += f" ({run.round_trips})"
    return text + (f" WRONG: {run.complaint}" if run.complaint else "")


def ratio(one: float | None, other: float | None) -> str:
    return f"{one / other:.2f}" if one and other else ""


def aim(row: Row, round_trip_ms: int) -> str:
    """And whether it was reached: a number that was missed says so."""
    words = []
    aims = (("hpool first", row.work.aims_s), ("hpool warm", row.work.warm_aims_s or {}))
    for way, by_round_trip in aims:
        aim_s, got_s = by_round_trip.get(round_trip_ms), row.seconds(way)
        if aim_s is not None:
            missed = "" if got_s is not None and got_s <= aim_s else " missed"
            words.append(f"{aim_s}{missed}")
    return words[0] + (f" ({words[1]})" if len(words) > 1 else "") if words else ""


def table(rows: list[Row], round_trip_ms: int, ways: tuple[str, ...]) -> Iterator[str]:
    names = ["work", *ways, "aim", "warm / local", "best rival / hpool"]
    yield "| " + " | ".join(names) + " |"
    yield "|---" * len(names) + "|"
    for row in rows:
        best = min((s for way in ("sshfs", "tuned", "staging") if (s := row.seconds(way))), default=None)
        cells = [row.work.name, *(shown(row.runs.get(way)) for way in ways), aim(row, round_trip_ms)]
        cells += [
            ratio(row.seconds("hpool warm"), row.seconds("local")),
            ratio(best, row.seconds("hpool first")),
        ]
        yield "| " + " | ".join(cells) + " |"


def contest(round_trip_ms: int, size: Size, names: list[str], options: argparse.Namespace) -> list[Row]:
    """Prints the table of one round-trip time, rows while they come on stderr."""
    rows = []
    with Contest(
        round_trip_ms,
        size,
        rounds=options.rounds,
        patience_s=options.patience,
        with_rivals=not options.no_rivals,
        bytes_per_s=options.rate * 1e6,
    ) as held:
        print(f"\n### {round_trip_ms} ms added\n\nThe wire: {held.wire()}.", flush=True)
        overhead = held.overhead()
        print(f"`hpool run true`, submitted, matched, done: {overhead.seconds:.2f} s.\n", flush=True)
        for name in names:
            row = held.measure(WORK[name])
            rows.append(row)
            if options.verbose:
                words = ", ".join(f"{way} {shown(run)}" for way, run in row.runs.items())
                print(f"{name}: {words}", flush=True)
    ways = OURS if options.no_rivals else OURS + THEIRS
    print("\n".join(table(rows, round_trip_ms, ways)), flush=True)
    return rows


def grow(round_trip_ms: int, names: list[str], options: argparse.Namespace, size: Size) -> None:
    """How cost grows: the same work, ten times the files and ten times the size."""
    print(f"\n## How cost grows, {round_trip_ms} ms added")
    sizes = {"1": size, "10 x files": size.times(10, 1), "10 x size": size.times(1, 10)}
    ran = {}
    for title, each in sizes.items():
        wanted = {
            "10 x files": ("find", "grep", "sqlite", "small", "compile"),
            "10 x size": ("read", "write", "random"),
        }
        ran[title] = contest(
            round_trip_ms, each, [n for n in names if n in wanted.get(title, names)], options
        )
    for title in list(sizes)[1:]:
        for row in ran[title]:
            base = next(each for each in ran["1"] if each.work is row.work)
            words = [f"{way} {ratio(row.seconds(way), base.seconds(way)) or '-'}" for way in row.runs]
            print(f"* {row.work.name}, {title}: cost times " + ", ".join(words))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rtt", default="0,1,10,50", help="added round-trip times, ms")
    parser.add_argument("--rate", type=float, default=0, help="MB/s that the wire carries; 0: all it can")
    parser.add_argument("--megabytes", type=int, default=Size().megabytes, help="of large files")
    parser.add_argument("--reads", type=int, default=Size().reads, help="here and there")
    parser.add_argument("--only", default=",".join(WORK), help="names of work: %(default)s")
    parser.add_argument(
        "--rounds", type=int, default=3, help="of hpool's and local runs; the middle one counts"
    )
    parser.add_argument("--patience", type=float, default=600, help="longest run of a rival, s")
    parser.add_argument("--no-rivals", action="store_true", help="local disk and hpool only")
    parser.add_argument("--toy", action="store_true", help="tiny sizes: does all of it work?")
    parser.add_argument("--grow", action="store_true", help="ten times the files, ten times the size")
    parser.add_argument("--verbose", action="store_true", help="each row when it is there")
    options = parser.parse_args(argv)
    if not options.no_rivals and rivals.missing():
        parser.error(f"not installed: {' '.join(rivals.missing())}")
    size = TOY if options.toy else Size(options.megabytes, options.reads)
    names = options.only.split(",")
    if unknown := [name for name in names if name not in WORK]:
        parser.error(f"no such work: {', '.join(unknown)}; there is {', '.join(WORK)}")
    print(EXPLAINED)
    for round_trip_ms in map(int, options.rtt.split(",")):
        if options.grow:
            grow(round_trip_ms, names, options, size)
        else:
            contest(round_trip_ms, size, names, options)


if __name__ == "__main__":
    main()
