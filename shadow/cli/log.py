"""`hpool log`: what happened to a job, also after it is over.

Owns: asking and showing. Leaves to others: the log (agent), crash reports (report).
"""

from __future__ import annotations

import json
import time
from typing import Any, Final

import click

from hpool.matchmaker.model.ids import JobId
from hpool.shadow.api import queue as api
from hpool.shadow.cli.render import printable
from hpool.shadow.cli.status import ask_agent

_WORDS: Final = {
    "refused": "could not be done",
    "denied": "not allowed",
    "crash": "crashed",
    "remark": "",
    "profile": "",
    "link": "",
}


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def log(job_id: str, as_json: bool) -> None:
    """Print the log of JOB: where it ran, what it could not do, what crashed, how it ended.

    It is kept as long as the job is in `hpool queue --history`.
    """
    for line in read(job_id):
        facts = json.loads(line.facts)
        facts.pop("content", None)  # `hpool report` has it
        if line.kind == "profile":  # and `hpool profile` these
            facts = {"sentence": facts["sentence"]}
        if as_json:
            click.echo(json.dumps({"at": line.at_s, "kind": line.kind, **facts}))
            continue
        click.echo(
            f"{time.strftime('%m-%d %H:%M:%S', time.localtime(line.at_s))}  {in_words(line.kind, facts)}"
        )


def in_words(kind: str, facts: dict[str, Any]) -> str:
    """One line, with nothing in it that could move a terminal's cursor."""
    word = _WORDS.get(kind, kind)
    sentence = facts.pop("sentence", "")
    if kind == "crash":
        sentence = f"{facts.get('program')} (process {facts.get('pid')}): {sentence}"
    elif not sentence:
        sentence = ", ".join(f"{name} {value}" for name, value in facts.items())
    return printable(f"{word}: {sentence}" if word and sentence else word or sentence)


def read(job_id: str) -> tuple[api.LogLine, ...]:
    """Raises HpoolError."""
    reply: api.LogReply = ask_agent(api.LOG, api.LogRequest(str(JobId.parse(job_id))))
    if reply.problem is not None:
        raise reply.problem.error()
    return reply.lines
