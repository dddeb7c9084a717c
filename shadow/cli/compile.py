"""`hpool cc` and `hpool c++`: everything behind the word is the compiler's.

Owns: the two commands' names. Leaves to others: what they do (hpool.interpose_c.link).
"""

from __future__ import annotations

import click

_ALL_OF_IT = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command(context_settings=_ALL_OF_IT, add_help_option=False)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def cc(words: tuple[str, ...]) -> int:
    """Compile and link C; what it links runs under hpool without being rewritten there."""
    from hpool.interpose_c.link import main

    return main("cc", words)


@click.command("c++", context_settings=_ALL_OF_IT, add_help_option=False)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def cxx(words: tuple[str, ...]) -> int:
    """Compile and link C++."""
    from hpool.interpose_c.link import main

    return main("c++", words)
