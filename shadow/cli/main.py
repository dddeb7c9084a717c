"""The command `hpool`.

Owns: the names of the commands, errors as sentences, exit codes. Leaves to others: each command.
A command's module is imported when it is used: `hpool run` must start quickly.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import Final, NoReturn

import click

from hpool.matchmaker.model.errors import EXIT_FAILED, HpoolError
from hpool.matchmaker.model.places import CannotLoad

# Name -> (module, its command, one line).
COMMANDS: Final = {
    "run": ("hpool.shadow.cli.run", "Run a program on another machine as if it ran here."),
    "queue": ("hpool.shadow.cli.status", "List your jobs."),
    "status": ("hpool.shadow.cli.status", "List the machines of the pool."),
    "rollback": ("hpool.shadow.cli.rollback", "Undo what a job changed."),
    "checkpoint": ("hpool.shadow.cli.checkpoint", "Write a running job down, to go on from."),
    "vacate": ("hpool.shadow.cli.checkpoint", "Take jobs from their machine; they go on elsewhere."),
    "dump": ("hpool.shadow.cli.dump", "Write a job that runs on this machine to an image."),
    "restore": ("hpool.shadow.cli.restore", "Go on from an image, here, without a pool."),
    "remove": ("hpool.shadow.cli.status", "End a job."),
    "trace": ("hpool.shadow.cli.trace", "Print the system calls of a running job."),
    "profile": ("hpool.shadow.cli.profile", "Print where a job's time went."),
    "log": ("hpool.shadow.cli.log", "Print what happened to a job."),
    "report": ("hpool.shadow.cli.report", "Print how a process of a job crashed."),
    "pool": ("hpool.shadow.cli.pool", "Look at or stop the background processes."),
    "agent": ("hpool.shadow.cli.daemons", "Run your agent in the foreground."),
    "matchmaker": ("hpool.shadow.cli.daemons", "Run a pool's matchmaker in the foreground."),
    "sandbox": ("hpool.shadow.cli.daemons", "Offer this machine to a pool."),
    "owner": (
        "hpool.shadow.cli.owner",
        "Say that you are at this machine, or away: jobs leave, or may come.",
    ),
    "doctor": ("hpool.shadow.cli.doctor", "Say what this machine offers and what it lacks."),
    "inspect": ("hpool.shadow.cli.inspect", "Say how a program would be run, and why."),
    "image": ("hpool.shadow.cli.image", "Look at an image of a job."),
    "cc": ("hpool.shadow.cli.compile", "Compile and link C for both places: home and hpool."),
    "c++": ("hpool.shadow.cli.compile", "The same for C++."),
    "syscalls": ("hpool.shadow.cli.syscalls", "Print the table of system calls."),
    "explain": ("hpool.shadow.cli.explain", "Explain an error by its code."),
    "version": ("hpool.shadow.cli.explain", "Print the version."),
}


class Commands(click.Group):
    """Knows all names, imports one module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command = getattr(module, cmd_name.replace("+", "x"))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _print_version(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not ctx.resilient_parsing:
        from hpool.shadow.cli.explain import version

        ctx.exit(ctx.invoke(version) or 0)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Print the version.",
)
def hpool() -> None:
    """Runs an unmodified Linux program on another machine that thinks it is at home."""


def main() -> NoReturn:
    """Ends the process; a command gives its exit code by click's own means or as its value."""
    keep_closed()
    try:
        status = hpool.main(standalone_mode=False)
    except HpoolError as error:
        status = _failed(f"{error} [{error.code}]", error.exit_code)
    except click.exceptions.Exit as exit_:
        status = exit_.exit_code
    except click.Abort:
        status = 130
    except click.ClickException as error:
        error.show()
        # 2 would be taken for the job's own.
        context = getattr(error, "ctx", None)
        status = EXIT_FAILED if context and context.info_name == "run" else error.exit_code
    except BrokenPipeError:
        status = EXIT_FAILED
    except OSError as error:  # our own places: full, read-only, somebody else's
        status = _failed(str(error))
    except (ImportError, MemoryError, SystemError) as error:  # as under a small `ulimit -v`
        lacking = CannotLoad(str(error) or "no memory was left")
        status = _failed(f"{lacking} [{lacking.code}]", lacking.exit_code)
    leave(status if isinstance(status, int) else 0)


def _failed(sentence: str, status: int = EXIT_FAILED) -> int:
    with contextlib.suppress(OSError):  # its terminal may be gone
        click.echo(f"hpool: {sentence}", err=True)
    return status


def keep_closed() -> None:
    """Takes the numbers of closed standard streams with a descriptor that refuses to be read and written
    (EBADF) as they did: a pipe or connection of ours must not pass for the user's input or output. Our own
    words go nowhere then; Python, which has None for such a stream, would print them to the other one."""
    fd = os.open(os.devnull, os.O_PATH)
    while fd <= 2:
        fd = os.dup(fd)
    os.close(fd)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115


def leave(status: int) -> NoReturn:
    """At once: gRPC's threads have nothing left to say, and taking them down takes 20 ms."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
    os._exit(status)


if __name__ == "__main__":
    main()
