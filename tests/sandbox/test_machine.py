"""What a machine says of itself, and what an image needs of the next one."""

from __future__ import annotations

from hpool.sandbox.machine import LEVELS, needs_of, read_features


def test_a_machine_tells_what_images_are_compared_with() -> None:
    features = read_features()
    words = {each.partition(":")[0] for each in features}
    assert {"xfeature", "vdso", "loader", "sse2", "x86-64-v1"} <= words
    assert "hypervisor" not in words
    assert features == read_features()
    with open("/proc/cpuinfo") as file:
        flags = next(set(line.split()) for line in file if line.startswith("flags"))
    assert ("x86-64-v3" in words) == (LEVELS["x86-64-v2"] | LEVELS["x86-64-v3"] <= flags)


def test_an_image_needs_all_that_its_job_may_have_found() -> None:
    features = ("x86-64-v1", "x86-64-v2", "xfeature:2", "vdso:77", "loader:5", "avx2", "tomorrows")
    assert needs_of(features) == ("xfeature:2", "vdso:77", "loader:5", "avx2", "tomorrows")
