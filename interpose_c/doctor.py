"""What this machine offers a job and its jail, and the command that gives what is missing.

Owns: the probes. Each changes nothing: what has to be tried is tried in a child that
ends at once. Leaves to others: rendering, and what a pool makes of it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from hpool.interpose_c import cgroups

# Of x86-64; glibc has no names for the newest.
_SYS_SECCOMP: Final = 317
_SYS_USERFAULTFD: Final = 323
_SYS_LANDLOCK_CREATE_RULESET: Final = 444
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SYSCALL_USER_DISPATCH: Final = 59
_AT_HWCAP2: Final = 26
_HWCAP2_FSGSBASE: Final = 2
_PAGEMAP_SCAN: Final = 0xC0606610  # _IOWR('f', 16, struct pm_scan_arg)
_PTRACE_SEIZE: Final = 0x4206
_PTRACE_FIX: Final = "sudo sysctl -w kernel.yama.ptrace_scope=1"
_TRACING_FIX: Final = "in a container: start it with --cap-add=SYS_PTRACE"
_SCOPING_ABI: Final = 6
_OLDEST_KERNEL: Final = (5, 12)  # mount_setattr; Syscall User Dispatch came with 5.11
_NOBODY: Final = 65534
_FILES_WANTED: Final = 4096
_GIB: Final = 1 << 30

_CLONE_NEWNS, _CLONE_NEWCGROUP, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


class Need(Enum):
    """What it means when it is missing."""

    TO_RUN = "no job can run here"
    TO_BE_FAST = "jobs run, each of their system calls at a tracer's cost"
    TO_TRACE = "jobs run, but not programs that only a tracer can serve"
    TO_PROTECT = "jobs run, less confined or less bounded"
    TO_CHECKPOINT = "jobs run, but cannot be moved or resumed"
    TO_GO_ON_AT_ONCE = "a job that goes on from an image waits for all its memory first"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `fix` is a command, or a sentence where no command helps."""

    name: str
    good: bool
    found: str
    need: Need
    fix: str = ""


def examine() -> list[Finding]:
    """Everything, in the order in which it should be mended. Takes some ten milliseconds."""
    return [
        architecture(),
        kernel(),
        syscall_user_dispatch(),
        tracing(),
        user_namespaces(),
        job_namespaces(),
        own_proc(),
        seccomp(),
        landlock(),
        memory_group(),
        process_group(),
        open_files(),
        processes(),
        mirror_memory(),
        userfaultfd(),
        pagemap_scan(),
        yama(),
        kernel_faults(),
    ]


def architecture() -> Finding:
    found = platform.machine()
    return Finding("architecture", found == "x86_64", found, Need.TO_RUN, "use an x86-64 machine")


def kernel() -> Finding:
    release = platform.release()
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    fix = "sudo apt install --upgrade linux-image-amd64 && sudo reboot"
    return Finding("kernel", numbers >= _OLDEST_KERNEL, release, Need.TO_RUN, fix)


def syscall_user_dispatch() -> Finding:
    def try_it() -> int:
        # The whole address space is exempt, so nothing is dispatched while it is on.
        if _libc.prctl(_PR_SET_SYSCALL_USER_DISPATCH, 1, 0, ctypes.c_ulong(-1), 0):
            return ctypes.get_errno()
        return 0

    return _tried("Syscall User Dispatch", try_it, Need.TO_BE_FAST, kernel().fix)


def tracing() -> Finding:
    """`--intercept trace`, and what `auto` turns to."""
    scope = int((_read("/proc/sys/kernel/yama/ptrace_scope") or "0").strip())
    name, fsgsbase = "tracing of jobs", _libc.getauxval(_AT_HWCAP2) & _HWCAP2_FSGSBASE
    if not fsgsbase:
        return Finding(name, False, "the processor, or the kernel, keeps %gs", Need.TO_TRACE, kernel().fix)
    if scope > 1:
        return Finding(name, False, f"ptrace_scope {scope}", Need.TO_TRACE, _PTRACE_FIX)
    return _tried(name, _seize_a_child, Need.TO_TRACE, _TRACING_FIX)


def user_namespaces() -> Finding:
    return _tried("user namespaces", _enter_user_namespace, Need.TO_RUN, _user_namespace_fix())


def job_namespaces() -> Finding:
    def try_it() -> int:
        kinds = _CLONE_NEWPID | _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS
        return _enter_user_namespace() or (ctypes.get_errno() if _libc.unshare(kinds) else 0)

    name = "PID, network, IPC, host name namespaces"
    return _tried(name, try_it, Need.TO_RUN, _user_namespace_fix())


def own_proc() -> Finding:
    def try_it() -> int:
        failed = _enter_user_namespace()
        if failed or _libc.unshare(_CLONE_NEWPID):
            return failed or ctypes.get_errno()
        return _in_child(
            lambda: (
                ctypes.get_errno() if _libc.mount(b"proc", b"/proc", b"proc", 0, b"hidepid=invisible") else 0
            )
        )

    fix = "inside a container: start it with --security-opt systempaths=unconfined"
    return _tried("a /proc of the job's own", try_it, Need.TO_RUN, fix)


def seccomp() -> Finding:
    def try_it() -> int:
        action = ctypes.c_uint32(0x00050000)  # SECCOMP_RET_ERRNO
        available = _libc.syscall(_SYS_SECCOMP, 2, 0, ctypes.byref(action))
        return ctypes.get_errno() if available else 0

    return _tried("seccomp filters", try_it, Need.TO_RUN, "boot a kernel with CONFIG_SECCOMP_FILTER=y")


def landlock() -> Finding:
    abi = _libc.syscall(_SYS_LANDLOCK_CREATE_RULESET, None, 0, 1)
    why = ctypes.get_errno()
    found = f"ABI {abi}" if abi > 0 else _reason(why)
    # EOPNOTSUPP: built in, not enabled at boot.
    fix = "add lsm=landlock,... to the kernel's command line" if why == errno.EOPNOTSUPP else kernel().fix
    return Finding(f"Landlock (ABI {_SCOPING_ABI})", abi >= _SCOPING_ABI, found, Need.TO_PROTECT, fix)


def memory_group() -> Finding:
    return _group("memory", "a job's memory is watched, not bounded by the kernel")


def process_group() -> Finding:
    return _group("pids", "a job's processes are bounded by RLIMIT_NPROC")


def open_files() -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    good = hard == resource.RLIM_INFINITY or hard >= _FILES_WANTED
    user = _user_name()
    fix = f"echo '{user} hard nofile 65536' | sudo tee -a /etc/security/limits.conf   # then log in again"
    return Finding("open files", good, _bound(hard), Need.TO_PROTECT, fix)


def processes() -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    good = hard == resource.RLIM_INFINITY or hard >= 1024
    user = _user_name()
    fix = f"echo '{user} hard nproc 32768' | sudo tee -a /etc/security/limits.conf   # then log in again"
    return Finding("processes", good, _bound(hard), Need.TO_PROTECT, fix)


def mirror_memory() -> Finding:
    """The mirror is in memory: what is available now bounds what jobs can hold."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    available_bytes = int(lines["MemAvailable"].split()[0]) * 1024
    found = f"{available_bytes / _GIB:.1f} GiB available"
    return Finding(
        "memory for mirrors", available_bytes >= _GIB, found, Need.TO_RUN, "end other programs, or add memory"
    )


def userfaultfd() -> Finding:
    def try_it() -> int:
        return ctypes.get_errno() if _libc.syscall(_SYS_USERFAULTFD, 1) < 0 else 0  # UFFD_USER_MODE_ONLY

    fix = "boot a kernel with CONFIG_USERFAULTFD=y, 5.11 or newer"
    return _tried("userfaultfd", try_it, Need.TO_CHECKPOINT, fix)


def kernel_faults() -> Finding:
    """Faults of the kernel too, as when a system call's buffer is missing. Who may open this device may have
    those of processes of his own answered, and so make the kernel wait in the midst of a call."""
    device = "/dev/userfaultfd"
    found = "works" if os.access(device, os.R_OK | os.W_OK) else "not for this user"
    rule = f'KERNEL=="userfaultfd", OWNER="{_user_name()}", MODE="0600"'
    fix = f"echo '{rule}' | sudo tee /etc/udev/rules.d/60-hpool.rules && sudo udevadm control --reload"
    fix += " && sudo udevadm trigger --name-match=userfaultfd"
    if not os.path.exists(device):
        found, fix = "no such device", "boot a kernel with CONFIG_USERFAULTFD=y, 6.1 or newer"
    return Finding(device, found == "works", found, Need.TO_GO_ON_AT_ONCE, fix)


def pagemap_scan() -> Finding:
    def try_it() -> int:
        pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)
        arguments = ctypes.create_string_buffer(96)
        failed = _libc.ioctl(pagemap, ctypes.c_ulong(_PAGEMAP_SCAN), arguments)
        # An empty request may be called invalid; only ENOTTY says the call is not there.
        return errno.ENOTTY if failed and ctypes.get_errno() == errno.ENOTTY else 0

    return _tried("PAGEMAP_SCAN", try_it, Need.TO_CHECKPOINT, "boot a kernel of 6.7 or newer")


def yama() -> Finding:
    name, scope = "ptrace of a job by its keeper", int(_read("/proc/sys/kernel/yama/ptrace_scope") or "0")
    if scope > 1:  # the keeper has the privilege that 2 asks for, in the job's user namespace
        return Finding(name, scope < 3, f"ptrace_scope {scope}", Need.TO_CHECKPOINT, _PTRACE_FIX)
    return _tried(name, _seize_a_child, Need.TO_CHECKPOINT, _TRACING_FIX)


def _seize_a_child() -> int:
    read_fd, write_fd = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write_fd)
        os.read(read_fd, 1)  # until its parent has ended
        os._exit(0)
    return ctypes.get_errno() if _libc.ptrace(_PTRACE_SEIZE, child, None, None) else 0


def _group(controller: str, otherwise: str) -> Finding:
    """Root hands its own over to the starter; others need one that was handed to them."""
    group = cgroups.groups_of_this_process().get(controller)
    name = f"control group: {controller}"
    if Path("/run/systemd/system").exists() or group is None:
        fix = "systemd-run --user --scope -p Delegate=yes $SHELL   # and start the sandbox from there"
    else:
        ours = group / "hpool"
        make = f"sudo mkdir -p {ours} && sudo chown -R {_user_name()} {ours}"
        fix = f"{make} && echo $$ | sudo tee {ours}/cgroup.procs"
    if group is None:
        return Finding(name, False, f"no such controller: {otherwise}", Need.TO_PROTECT, fix)
    good = os.access(group, os.W_OK)
    found = str(group) if good else f"{group} is not ours: {otherwise}"
    return Finding(name, good, found, Need.TO_PROTECT, fix)


def _enter_user_namespace() -> int:
    """As a job's starter does; errno. Only in a child."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS):
        return ctypes.get_errno()
    for path, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        Path("/proc/self", path).write_text(text)
    # Where a security module leaves a namespace without its capabilities, this shows it.
    return ctypes.get_errno() if _libc.mount(b"none", b"/", None, 0x44000, None) else 0


def _user_namespace_fix() -> str:
    for name, bad, good in (
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("user.max_user_namespaces", "0", "15000"),
    ):
        if _read("/proc/sys/" + name.replace(".", "/")) == bad:
            return f"echo '{name} = {good}' | sudo tee /etc/sysctl.d/60-hpool.conf && sudo sysctl --system"
    return (
        "in a container: start it with --security-opt seccomp=unconfined; else a kernel with CONFIG_USER_NS=y"
    )


def _tried(name: str, try_it: Callable[[], int], need: Need, fix: str) -> Finding:
    failed = _in_child(try_it)
    return Finding(name, failed == 0, _reason(failed), need, fix)


def _in_child(try_it: Callable[[], int]) -> int:
    child = os.fork()
    if child == 0:
        failed = errno.EIO
        # Who has changed its uid may not look into its own /proc entries otherwise.
        _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
        try:
            failed = try_it()
        except OSError as error:
            failed = error.errno or errno.EIO
        finally:
            os._exit(failed)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _reason(failed: int) -> str:
    if failed == 0:
        return "works"
    return os.strerror(failed) if failed > 0 else f"killed by signal {-failed}"


def _bound(value: int) -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else f"at most {value}"


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _user_name() -> str:
    return os.environ.get("USER", str(os.geteuid()))
