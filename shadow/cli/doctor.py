"""`hpool doctor`: what this machine offers to jobs, what it lacks, what would mend it.

Owns: showing it. Leaves to others: looking (interpose_c.doctor).
"""

from __future__ import annotations

import dataclasses
import json

import click

from hpool.interpose_c import doctor as examination


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def doctor(as_json: bool) -> int:
    """Say what this machine offers and what it lacks. Exit code 1: no job can run here."""
    findings = examination.examine()
    hopeless = any(not each.good and each.need is examination.Need.TO_RUN for each in findings)
    if as_json:
        shown = [dataclasses.asdict(each) | {"need": each.need.name.lower()} for each in findings]
        click.echo(json.dumps(shown, indent=1))
        return int(hopeless)
    width = max(len(each.name) for each in findings)
    for each in findings:
        mark = "ok     " if each.good else "MISSING" if each.need is examination.Need.TO_RUN else "lacks  "
        click.echo(f"{mark}  {each.name.ljust(width)}  {each.found}")
        if not each.good:
            click.echo(f"         {' ' * width}  without it {each.need.value}")
            if each.fix:
                click.echo(f"         {' ' * width}  to mend it: {each.fix}")
    lacking = sum(not each.good for each in findings)
    click.echo(
        "No job can run here."
        if hopeless
        else "Jobs can run here." + (f" {lacking} things lack." if lacking else "")
    )
    return int(hopeless)
