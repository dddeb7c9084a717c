"""`hpool report`: how a process of a job crashed.

Owns: choosing the crash and laying it out, for people and as JSON. Leaves to others: the log it lies in
(log), what the signal says (api.crash), who called whom (unwind).
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import time
from typing import Any

import click

from hpool.interpose_c import table as calls
from hpool.interpose_c.refusals import error_name
from hpool.matchmaker.model.errors import NoCrash
from hpool.shadow.api.crash import FIRST_PROCESS, REGISTERS, Call, Crash, Mapping
from hpool.shadow.api.queue import LogLine
from hpool.shadow.cli.log import read
from hpool.shadow.cli.render import printable
from hpool.shadow.cli.unwind import Frame, backtrace


@click.command()
@click.argument("job_id", metavar="JOB")
@click.option(
    "--pid",
    type=click.IntRange(1),
    help="The process, by its number inside the job; without it the one that counts.",
)
@click.option("--list", "as_list", is_flag=True, help="Only list what crashed, one process a line.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def report(job_id: str, pid: int | None, as_list: bool, as_json: bool) -> None:
    """Print how a process of JOB crashed: signal, registers, who called whom, mapped files, last calls.

    A report is made when a process dies of SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP or SIGSYS, its
    own doing or sent to it, unless the program handles or blocks the signal. Without --pid it is the job's
    first process, or else the first that crashed. The last calls are those that hpool handles
    (`hpool syscalls`); what is passed to the kernel untouched leaves no trace.
    """
    found = [(line, _crash(line)) for line in read(job_id) if line.kind == "crash"]
    if as_list:
        for line, crash in found:
            when = time.strftime("%m-%d %H:%M:%S", time.localtime(line.at_s))
            click.echo(printable(f"{when}  process {crash.pid}  {crash.program}  {crash.sentence}"))
        return
    wanted = [each for each in found if pid is None or each[1].pid == pid]
    if not wanted:
        raise NoCrash(job_id)
    first = [each for each in wanted if each[1].pid == FIRST_PROCESS]
    line, crash = (first or wanted)[-1 if first else 0]
    frames = backtrace(crash)
    if as_json:
        click.echo(json.dumps(as_object(line.at_s, crash, frames), indent=1))
        return
    for text in in_words(line.at_s, crash, frames):
        click.echo(printable(text))


def _crash(line: LogLine) -> Crash:
    return Crash.parse(base64.b64decode(json.loads(line.facts)["content"]))


# --- for people -------------------------------------------------------------------------


def in_words(at_s: float, crash: Crash, frames: list[Frame]) -> list[str]:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_s))
    thread = "" if crash.tid == crash.pid else f", thread {crash.tid}"
    lines = [f"{crash.program} (process {crash.pid}{thread}, {crash.thread_name}) died at {when}"]
    lines += [f"  {crash.sentence}", f"  at {_place(crash, crash.registers['rip'])}", ""]
    lines += ["who called whom:", *(_frame_text(number, frame) for number, frame in enumerate(frames)), ""]
    lines += ["registers:", *_register_lines(crash), ""]
    lines += ["last calls of the thread, oldest first:"]
    lines += [f"  {_call_text(call)}" for call in crash.calls] or ["  none"]
    lines += ["", "mapped files:", *(_mapping_text(each) for each in crash.mappings if _is_shown(each))]
    command = next((addr2line(frame) for frame in frames if frame.path.startswith("/")), None)
    if command:
        lines += ["", f"source lines, if it was built with -g: {command}"]
    return lines


def addr2line(frame: Frame) -> str:
    return f"addr2line -f -e {shlex.quote(frame.path)} {frame.offset:#x}"


def _place(crash: Crash, address: int) -> str:
    mapping = crash.mapping_of(address)
    if mapping is None:
        return f"{address:#x}, where nothing is mapped"
    offset = address - mapping.start + mapping.offset
    return f"{address:#x}, in {mapping.path or 'anonymous memory'} + {offset:#x}"


def _frame_text(number: int, frame: Frame) -> str:
    where = f"{frame.path or '?'} + {frame.offset:#x}" if frame.path else "nowhere"
    return f"  #{number:<2} {frame.address:#018x} {frame.function or '?'} ({where})"


def _register_lines(crash: Crash) -> list[str]:
    texts = [f"{name:>6} {crash.registers[name]:#018x}" for name in REGISTERS]
    return ["  " + "  ".join(texts[at : at + 3]) for at in range(0, len(texts), 3)]


def _call_text(call: Call) -> str:
    row = calls.by_number().get(call.number)
    name = f"call {call.number}" if row is None else row.name
    kinds = ("int",) * 6 if row is None else row.arguments
    arguments = ", ".join(_argument(kind, value) for kind, value in zip(kinds, call.arguments, strict=False))
    return f"{name}({arguments}) = {_result(call.result)}"


def _argument(kind: str, value: int) -> str:
    if kind in {"fd", "pid", "sig", "int", "len", "off"}:
        low = value & 0xFFFFFFFF if kind in {"fd", "pid", "sig", "int"} else value
        bits = 32 if kind in {"fd", "pid", "sig", "int"} else 64
        return str(low - (1 << bits) if low >> (bits - 1) else low)
    return oct(value & 0o7777) if kind == "mode" else hex(value)


def _result(result: int | None) -> str:
    if result is None:
        return "?"
    if -4096 < result < 0:
        return f"-1 {error_name(-result)} ({os.strerror(-result)})"
    return str(result) if result < 1 << 20 else hex(result)


def _is_shown(mapping: Mapping) -> bool:
    return mapping.path.startswith("/") and not mapping.path.startswith("/.hpool/")


def _mapping_text(each: Mapping) -> str:
    return f"  {each.start:#014x}-{each.end:#014x} {each.permissions} {each.offset:#9x} {each.path}"


# --- for programs -----------------------------------------------------------------------


def as_object(at_s: float, crash: Crash, frames: list[Frame]) -> dict[str, Any]:
    rip = crash.registers["rip"]
    mapping = crash.mapping_of(rip)
    return {
        "at": at_s,
        "program": crash.program,
        "pid": crash.pid,
        "tid": crash.tid,
        "thread": crash.thread_name,
        "signal": crash.signal_name,
        "code": crash.code,
        "address": crash.address,
        "sentence": crash.sentence,
        "registers": crash.registers,
        "file": mapping.path if mapping else None,
        "file_offset": rip - mapping.start + mapping.offset if mapping else None,
        "frames": [frame._asdict() for frame in frames],
        "calls": [
            {
                "number": call.number,
                "call": _call_text(call),
                "arguments": call.arguments,
                "result": call.result,
            }
            for call in crash.calls
        ],
        "mappings": [each._asdict() for each in crash.mappings],
    }
