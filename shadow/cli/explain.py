"""`hpool explain CODE` and `hpool version`.

Owns: printing the catalogue. Leaves to others: the catalogue itself (model.errors).
"""

from __future__ import annotations

import inspect

import click

from hpool.matchmaker.model import again, image_errors, inheriting, places  # noqa: F401 - their part of the catalogue
from hpool.matchmaker.model.errors import CATALOGUE, NoSuchCode


@click.command()
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """Explain the error CODE; without one, list them all."""
    if code is None:
        for each, error in sorted(CATALOGUE.items()):
            click.echo(f"{each}  {(inspect.getdoc(error) or '').splitlines()[0]}")
        return
    found = CATALOGUE.get(code.upper())
    if found is None:
        raise NoSuchCode(code)
    click.echo(f"{found.code}: {found.says}")
    click.echo(inspect.getdoc(found) or "")
    if found.remedy:
        click.echo(f"What to do: {found.remedy}")
    click.echo(f"Exit code of hpool run: {found.exit_code}")


@click.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    click.echo(f"hpool {version_of('hpool')}")
