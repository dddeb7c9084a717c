"""CPython's own tests of files and processes, natively and as a job: each test ends the same way.

The Python is Debian's, with its test package (libpython3.11-testsuite); a build
of one's own with its tests does as well: HPOOL_TEST_PYTHON names it.
"""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.conftest import needs_root
from integration.known import known_differences
from integration.pool import StrictPool

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.timeout(1300)]
LONGEST_S = 600
PYTHON = os.environ.get("HPOOL_TEST_PYTHON", "/usr/bin/python3")
# What CI runs: files, processes, signals and threads, a minute or two in all.
MODULES: tuple[str, ...] = (
    "test_dbm_dumb",
    "test_dbm_ndbm",
    "test_eintr",
    "test_fcntl",
    "test_file_eintr",
    "test_fileio",
    "test_fork1",
    "test_glob",
    "test_io",
    "test_mmap",
    "test_os",
    "test_pathlib",
    "test_posix",
    "test_pty",
    "test_shutil",
    "test_subprocess",
    "test_tempfile",
    "test_thread",
    "test_threading",
    "test_threadsignals",
    "test_wait3",
    "test_wait4",
    "test_zipfile",
)
# All of that kind, a good half hour: HPOOL_TEST_CPYTHON=all (README.md has the result).
REST = [
    "test__xxsubinterpreters",
    "test_asynchat",
    "test_asyncio",
    "test_asyncore",
    "test_atexit",
    "test_audit",
    "test_bufio",
    "test_bz2",
    "test_cmd_line",
    "test_cmd_line_script",
    "test_compileall",
    "test_concurrent_futures",
    "test_ctypes",
    "test_dbm",
    "test_embed",
    "test_ensurepip",
    "test_epoll",
    "test_faulthandler",
    "test_file",
    "test_filecmp",
    "test_fileinput",
    "test_fileutils",
    "test_ftplib",
    "test_gc",
    "test_genericpath",
    "test_getpass",
    "test_grp",
    "test_gzip",
    "test_httpservers",
    "test_import",
    "test_interpreters",
    "test_largefile",
    "test_linecache",
    "test_locale",
    "test_logging",
    "test_lzma",
    "test_mailbox",
    "test_multiprocessing_fork",
    "test_multiprocessing_forkserver",
    "test_multiprocessing_main_handling",
    "test_multiprocessing_spawn",
    "test_netrc",
    "test_openpty",
    "test_pdb",
    "test_pipes",
    "test_platform",
    "test_poll",
    "test_popen",
    "test_poplib",
    "test_posixpath",
    "test_profile",
    "test_pwd",
    "test_py_compile",
    "test_queue",
    "test_readline",
    "test_regrtest",
    "test_resource",
    "test_robotparser",
    "test_runpy",
    "test_script_helper",
    "test_select",
    "test_selectors",
    "test_shelve",
    "test_signal",
    "test_site",
    "test_smtplib",
    "test_socket",
    "test_ssl",
    "test_stat",
    "test_support",
    "test_sys",
    "test_syslog",
    "test_tarfile",
    "test_threadedtempfile",
    "test_threading_local",
    "test_time",
    "test_timeit",
    "test_trace",
    "test_tracemalloc",
    "test_unicode_file",
    "test_unicode_file_functions",
    "test_univnewlines",
    "test_urllib2_localnet",
    "test_uuid",
    "test_venv",
    "test_weakref",
    "test_xmlrpc",
    "test_zipimport",
]
# Under the tracer CI runs these; all of the others too: HPOOL_TEST_CPYTHON=traced, or all.
TRACED: tuple[str, ...] = (
    "test_eintr",
    "test_fcntl",
    "test_fileio",
    "test_fork1",
    "test_posix",
    "test_pty",
    "test_tempfile",
    "test_thread",
    "test_threadsignals",
    "test_wait3",
)
WISH = os.environ.get("HPOOL_TEST_CPYTHON", "")
if WISH:
    TRACED = MODULES
if WISH == "all":
    MODULES = TRACED = (*MODULES, *REST)
CASES = [("auto", module) for module in MODULES if WISH != "traced"]
CASES += [("trace", module) for module in TRACED]


def outcomes(report: Path) -> dict[str, str]:
    """Each test's end: ok, skipped, failure or error."""
    found = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        ends = [child.tag for child in case if child.tag in ("skipped", "failure", "error")]
        found[case.get("name", "?").removeprefix("test.")] = ends[0] if ends else "ok"
    return found


@pytest.fixture(scope="module")
def networked() -> Iterator[StrictPool]:
    """Natively there is a network; so the machine lets the jobs have its own."""
    needs_root()
    with StrictPool(machine_options=("--allow-network",)) as strict:
        yield strict


@pytest.mark.parametrize(("front", "module"), CASES)
def test_cpythons_own_tests_end_as_natively(front: str, module: str, networked: StrictPool) -> None:
    if subprocess.run([PYTHON, "-c", f"import test.{module}"], capture_output=True).returncode != 0:
        pytest.skip(f"{PYTHON} has no test package: apt-get install libpython3.11-testsuite")
    # The scratch directory of the tests is at home, not in the job's /tmp.
    argv = [PYTHON, "-m", "test", "--junit-xml", "report.xml", "--tempdir", ".", module]
    ends = []
    for command in (argv, networked.home.hpool(argv, "--network", "host", "--intercept", front)):
        work = networked.home.fresh_work()
        ended = networked.home.run(command, networked.home.work, timeout_s=LONGEST_S)
        assert (work / "report.xml").exists(), ended
        ends.append(outcomes(work / "report.xml"))
    expected, got = ends
    names = expected.keys() | got.keys()
    differ = {
        name: (expected.get(name), got.get(name)) for name in names if expected.get(name) != got.get(name)
    }
    known = known_differences("cpython" if front == "auto" else "cpython-traced", module)
    unexpected = {name: how for name, how in differ.items() if not any(part in name for part in known)}
    assert unexpected == {}
    gone = [part for part in known if not any(part in name for name in differ)]
    assert gone == [], "a known difference is gone: take it off the list"
    assert expected
