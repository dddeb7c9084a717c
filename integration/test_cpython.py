"""CPython's own tests of files and processes, natively and as a job: each test ends the same way.

The Python is Debian's, with its test package (libpython3.11-testsuite); a build
of one's own with its tests does as well: HPOOL_TEST_PYTHON names it.
"""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree
from pathlib import Path

import pytest

from integration.known import known_differences
from integration.pool import StrictPool

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.timeout(600)]
PYTHON = os.environ.get("HPOOL_TEST_PYTHON", "/usr/bin/python3")
MODULES = (
    "test_glob",
    "test_io",
    "test_mmap",
    "test_os",
    "test_posix",
    "test_shutil",
    "test_subprocess",
    "test_tempfile",
)


def outcomes(report: Path) -> dict[str, str]:
    """Each test's end: ok, skipped, failure or error."""
    found = {}
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        ends = [child.tag for child in case if child.tag in ("skipped", "failure", "error")]
        found[case.get("name", "?").removeprefix("test.")] = ends[0] if ends else "ok"
    return found


@pytest.mark.parametrize("module", MODULES)
def test_cpythons_own_tests_end_as_natively(module: str, pool: StrictPool) -> None:
    if subprocess.run([PYTHON, "-c", f"import test.{module}"], capture_output=True).returncode != 0:
        pytest.skip(f"{PYTHON} has no test package: apt-get install libpython3.11-testsuite")
    # The scratch directory of the tests is at home, not in the job's /tmp.
    argv = [PYTHON, "-m", "test", "--junit-xml", "report.xml", "--tempdir", ".", module]
    ends = []
    for command in (argv, pool.home.hpool(argv)):
        work = pool.home.fresh_work()
        ended = pool.home.run(command, pool.home.work, timeout_s=280)
        assert (work / "report.xml").exists(), ended
        ends.append(outcomes(work / "report.xml"))
    expected, got = ends
    names = expected.keys() | got.keys()
    differ = {
        name: (expected.get(name), got.get(name)) for name in names if expected.get(name) != got.get(name)
    }
    known = known_differences("cpython", module)
    unexpected = {name: how for name, how in differ.items() if not any(part in name for part in known)}
    assert unexpected == {}
    gone = [part for part in known if not any(part in name for name in differ)]
    assert gone == [], "a known difference is gone: take it off the list"
    assert len(expected) > 10
