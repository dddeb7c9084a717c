"""The catalogue of errors: each has a code, its facts, one sentence and a way out.

Owns: what can go wrong by name, and the exit codes of `hpool run`. Leaves to others: printing.
`hpool explain CODE` prints what stands here.
"""

from __future__ import annotations

from typing import ClassVar, Final, dataclass_transform

EXIT_FAILED: Final = 125  # hpool itself failed
EXIT_CANNOT_EXECUTE: Final = 126
EXIT_NOT_FOUND: Final = 127

CATALOGUE: Final[dict[str, type[HpoolError]]] = {}


@dataclass_transform(eq_default=False)
class HpoolError(Exception):
    """Anything hpool reports to its user.

    A subclass annotates its facts and is made from them, as a dataclass would be; `says` and
    `remedy` are templates over them, and its docstring explains the error at length. (Not real
    dataclasses: making thirty of those costs every command 10 ms of its start.)
    """

    code: ClassVar[str] = "HPOOL-000"
    says: ClassVar[str] = "something went wrong"
    remedy: ClassVar[str] = ""
    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, *facts: object, **named: object) -> None:
        super().__init__(*facts)
        names = list(vars(type(self)).get("__annotations__", ()))
        given = dict(zip(names, facts, strict=False)) | named
        if set(given) != set(names) or len(facts) > len(names):
            raise TypeError(f"{type(self).__name__} is made from {', '.join(names) or 'nothing'}")
        self._facts: dict[str, object] = given
        self.__dict__.update(given)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        twin = CATALOGUE.setdefault(cls.code, cls)
        if twin.__qualname__ != cls.__qualname__:
            raise TypeError(f"{cls.__name__} and {twin.__name__} share the code {cls.code}")

    @property
    def sentence(self) -> str:
        """What happened, in one sentence."""
        return self.says.format(**self._facts)

    @property
    def way_out(self) -> str:
        """What to do about it; may be empty."""
        return self.remedy.format(**self._facts)

    def __str__(self) -> str:
        return f"{self.sentence}. {self.way_out}" if self.way_out else f"{self.sentence}."


class Reported(HpoolError):
    """An error that another process of hpool found and sent here, sentence and all."""

    code = "HPOOL-001"

    says = "{reported_sentence}"
    remedy = "{reported_way_out}"
    reported_code: str
    reported_sentence: str
    reported_way_out: str
    reported_exit_code: int

    def __init__(self, code: str, sentence: str, way_out: str, exit_code: int) -> None:
        super().__init__(code, sentence, way_out, exit_code)
        self.__dict__.update(code=code, exit_code=exit_code)


# --- what the user typed ------------------------------------------------------


class BadJobId(HpoolError):
    """A job is named by two numbers with a point between, as `hpool queue` shows them."""

    code = "USE-001"
    says = "{text!r} is not a job's name"
    remedy = 'Write it as `hpool queue` shows it, for instance "12.0".'
    text: str


class BadShare(HpoolError):
    """`--share` takes a path, optionally followed by :ro or :rw; `--hide` takes a path."""

    code = "USE-002"
    says = "{option} cannot be understood: {why}"
    remedy = "Write --share PATH, --share PATH:ro, --share PATH:rw or --hide PATH."
    option: str  # and its value
    why: str


class BadSize(HpoolError):
    """Sizes are a number with an optional K, M, G or T (powers of 1024)."""

    code = "USE-003"
    says = "{text!r} is not a size"
    remedy = "Write for instance 500M or 2G."
    text: str


class BadSettings(HpoolError):
    """The configuration file, or a variable of the environment that overrides it, cannot be used."""

    code = "USE-004"
    says = "{where} cannot be used: {why}"
    remedy = "Correct it, or remove it to get the defaults."
    where: str
    why: str


class NoSuchJob(HpoolError):
    """The queue and the history of this agent know no such job."""

    code = "USE-005"
    says = "there is no job {job_id}"
    remedy = "`hpool queue` and `hpool queue --history` list the jobs there are."
    job_id: str


class NotRunning(HpoolError):
    """Only a job that runs, and whose agent has not been started again since, can be watched or moved."""

    code = "USE-007"
    says = "job {job_id} does not run: {why}"
    remedy = "`hpool queue` lists what runs; `hpool log` tells of a job that is over."
    job_id: str
    why: str


class NoCrash(HpoolError):
    """A report is made when a process of a job dies of a fault; `hpool report --help` says which."""

    code = "USE-008"
    says = "job {job_id} has no crash report"
    job_id: str


class CannotWatch(HpoolError):
    """The shadow, or the machine, cannot show what the job does."""

    code = "USE-009"
    says = "the job cannot be watched: {why}"
    why: str


class NoSuchCode(HpoolError):
    """`hpool explain` knows only codes of its own catalogue."""

    code = "USE-006"
    says = "no error has the code {text!r}"
    remedy = "`hpool explain` without a code lists them all."
    text: str


# --- the program that should run ------------------------------------------------


class ProgramNotFound(HpoolError):
    """The program was searched as the shell would have: a name without a slash along PATH."""

    code, exit_code = "RUN-001", EXIT_NOT_FOUND
    says = "there is no program {program!r}{where}"
    remedy = "Check the name; `command -v` in your shell shows what it would find."
    program: str
    where: str


class ProgramNotExecutable(HpoolError):
    """The file exists, but you may not execute it."""

    code, exit_code = "RUN-002", EXIT_CANNOT_EXECUTE
    says = "{path!r} cannot be executed: {why}"
    remedy = "If it is meant to be a program: chmod +x {path!r}"
    path: str
    why: str


class ProgramIsDirectory(HpoolError):
    """A directory was given where a program was expected."""

    code, exit_code = "RUN-003", EXIT_CANNOT_EXECUTE
    says = "{path!r} is a directory, not a program"
    remedy = "Name the program inside it."
    path: str


class ProgramWrongKind(HpoolError):
    """The file is executable but is not for this kind of machine, or is no program at all."""

    code, exit_code = "RUN-004", EXIT_CANNOT_EXECUTE
    says = "{path!r} cannot be executed: {why}"
    remedy = "hpool runs x86-64 Linux programs and scripts that begin with #!."
    path: str
    why: str


class InterpreterMissing(HpoolError):
    """The program is there, but not what it needs to start: its #! or ELF interpreter."""

    code, exit_code = "RUN-005", EXIT_NOT_FOUND
    says = "{path!r} cannot be started: its interpreter {interpreter!r} is not there"
    remedy = "Install the interpreter, or correct the first line if the program is a script."
    path: str
    interpreter: str


class WorkingDirectoryGone(HpoolError):
    """The directory you are in was removed or may not be entered any more."""

    code = "RUN-006"
    says = "the working directory cannot be used: {why}"
    remedy = "Change to a directory that exists."
    why: str


class ProgramRefused(HpoolError):
    """The program, or something it needs to start, could not be had on the other machine."""

    code, exit_code = "RUN-007", EXIT_CANNOT_EXECUTE
    says = "{path!r} could not be started: {why}"
    remedy = "`hpool inspect` says how it would be run; --share lets the job see more of your files."
    path: str
    why: str


class ProgramVanished(HpoolError):
    """The program was there when it was submitted and was gone when the job started."""

    code, exit_code = "RUN-008", EXIT_NOT_FOUND
    says = "{path!r} could not be started: it, or what it needs to start, is not there"
    remedy = "`hpool inspect` lists what the program needs."
    path: str


# --- the job's way ------------------------------------------------------------------


class NoAgent(HpoolError):
    """Nobody keeps the queue: the agent is not running or does not answer."""

    code = "POOL-001"
    says = "the agent at {address} does not answer: {why}"
    remedy = "`hpool pool status` shows what runs; the next `hpool run` starts what is missing."
    address: str
    why: str


class CouldNotStart(HpoolError):
    """A process of the pool was started in the background and did not get ready."""

    code = "POOL-002"
    says = "the {role} could not be started: {why}"
    remedy = "Its log may say more: {log}"
    role: str
    why: str
    log: str


class NoMachine(HpoolError):
    """No machine of the pool could take the job before the patience given ran out."""

    code = "POOL-003"
    says = "no machine took the job within {waited_s:.0f} s"
    remedy = "`hpool status` shows the machines there are."
    waited_s: float


class BadToken(HpoolError):
    """A process presented no token of this pool, or a wrong one."""

    code = "POOL-004"
    says = "{who} refused the token"
    remedy = "Use the token file of the pool (--token-file, or token_file in pool.toml)."
    who: str


class ClaimRefused(HpoolError):
    """When a machine claims a job the agent checks again, and may refuse: the job may be gone or taken."""

    code = "POOL-005"
    says = "the claim was refused: {why}"
    remedy = "Nothing has to be done; the machine is free for the next job."
    why: str


class BadMessage(HpoolError):
    """A peer sent what the protocol does not allow. The session with it ends, nothing else is harmed."""

    code = "LINK-001"
    says = "{peer} sent a malformed message: {why}"
    remedy = "Use the same version of hpool on both machines."
    peer: str
    why: str


class MachineLost(HpoolError):
    """The machine that ran the job, or the way to it, is gone. Its processes there end by themselves.

    The job begins again by itself unless its changes could not be undone, or it was told not to (--restarts).
    """

    code = "LINK-002"
    says = "the machine {machine} was lost while the job ran there: {why}"
    remedy = "Run the job again; what it wrote so far may be incomplete. `hpool rollback` may undo it."
    machine: str
    why: str


class ShadowLost(HpoolError):
    """The process that serves the job's files at home ended or does not answer."""

    code = "LINK-003"
    says = "the job's shadow on this machine is gone: {why}"
    remedy = "Run the job again; what it wrote so far may be incomplete."
    why: str


class WritesLost(HpoolError):
    """Home could not take everything the job wrote. A job whose writes were lost has not succeeded."""

    code = "HOME-001"
    says = "not everything the job wrote could be stored at home: {why}"
    remedy = "Make room or mend the file system, then run the job again."
    why: str


class HomeUnusable(HpoolError):
    """The job's files cannot be served from here."""

    code = "HOME-002"
    says = "the job's files cannot be served: {why}"
    remedy = "Check the permissions of the working directory and of the paths given to --share."
    why: str


class SandboxFailed(HpoolError):
    """The machine took the job and could not prepare its jail or its file system view."""

    code = "BOX-001"
    says = "the machine {machine} could not start the job: {why}"
    remedy = "`hpool doctor` on that machine says what it lacks, its sandbox.log what went wrong."
    machine: str
    why: str


class JobRemoved(HpoolError):
    """The job was ended because its user, or the loss of his terminal, wanted so."""

    code = "RUN-009"
    says = "the job was ended: {why}"
    remedy = ""
    why: str


class InternalFault(HpoolError):
    """A mistake of hpool itself. The log of the process named has the details."""

    code = "HPOOL-002"
    says = "{process} failed: {why}"
    remedy = "Please report it with the log in {log}."
    process: str
    why: str
    log: str


# --- relinking ----------------------------------------------------------------


class NotRelinkable(HpoolError):
    """The post-linker refused a program, which is as the linker left it.

    It runs at home and under hpool all the same; there its system calls are
    taken while it runs, as those of any program.
    """

    code = "CC-001"
    says = "{path} is not relinked: {reason}"
    remedy = "It stays as it was and runs as any program does, at home and under hpool."
    path: str
    reason: str


class NoCompiler(HpoolError):
    """`hpool cc` leads a compiler of yours; it has none of its own."""

    code, exit_code = "CC-002", EXIT_NOT_FOUND
    says = "there is no compiler {name!r} to be found in $PATH"
    remedy = "Name one: `hpool cc --with NAME ...`, or HPOOL_CC and HPOOL_CXX."
    name: str
