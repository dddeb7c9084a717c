"""What this machine is: readings turned into its advertisement.

Owns: reading the machine. Leaves to others: how many jobs its owner allows (daemon options), sending.
"""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from typing import Final

import psutil

from hpool.interpose_c.executables import KEEPER, LOADER
from hpool.matchmaker.api.values import MachineAd
from hpool.matchmaker.model.attributes import HIDES


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LEVELS: Final = {
    "x86-64-v2": _words("cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"),
    "x86-64-v3": _words("avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"),
    "x86-64-v4": _words("avx512f avx512bw avx512cd avx512dq avx512vl"),
}
"""What each level of x86-64's ABI adds, in the kernel's words."""

_NO_INSTRUCTIONS: Final = _words(
    "hypervisor arch_capabilities md_clear flush_l1d ibrs ibpb stibp ibrs_enhanced ssbd spec_ctrl pti"
    " retpoline constant_tsc nonstop_tsc tsc_known_freq tsc_reliable rep_good nopl xtopology cpuid"
    " aperfmperf arat art vmx svm ept ept_ad vpid vnmi tpr_shadow flexpriority npt nrip_save lbrv acpi tm"
    " tm2 est dtherm ida pln pts epb hwp hwp_notify hwp_act_window hwp_epp hwp_pkg_req ds_cpl smx pdcm dca"
    " bts pebs arch_perfmon arch_lbr monitor xtpr dtes64 dts ss ht pbe cqm cqm_llc cqm_occup_llc"
    " cqm_mbm_total cqm_mbm_local cat_l2 cat_l3 cdp_l2 cdp_l3 mba rdt_a intel_pt intel_ppin pcid invpcid"
    " invpcid_single smep smap umip x2apic apic extapic tsc_deadline_timer tsc_adjust tme pconfig sgx"
    " sgx_lc extd_apicid perfctr_core perfctr_nb topoext cpb cpuid_fault split_lock_detect bus_lock_detect"
    " user_shstk ibt la57"
)
"""Of /proc/cpuinfo: what no program's code depends on. A flag that is not here counts: it may be one of
tomorrow's instructions, and libraries look for those."""


_FAULTS: Final = "cpuid_fault"
_SHOWN: Final = _words("rdtscp fsgsbase")
"""What a job may find although it is shown a level only (arch/x86_64/cpuid.c)."""


def hpool_version() -> str:
    try:
        return version("hpool")
    except PackageNotFoundError:
        return "unknown"


def read_machine(sandbox_id: str, name: str, slots: int, features: tuple[str, ...]) -> MachineAd:
    """The ad with all slots free."""
    kernel = platform.uname()
    return MachineAd(
        sandbox_id=sandbox_id,
        name=name,
        arch=kernel.machine,
        kernel=kernel.release,
        features=features,
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=psutil.virtual_memory().total,
        slots=slots,
        free_slots=slots,
        version=hpool_version(),
    )


def read_features() -> tuple[str, ...]:
    """Instructions in the kernel's words, levels of the ABI, and what an image is compared with when a job
    goes on from it: xfeature:N (register sets that the kernel saves), vdso:SUM (of its code in each process),
    loader:SUM (this version of hpool). HPOOL_LACKS: words to be left out, as on another machine."""
    try:
        with open("/proc/cpuinfo") as file:
            flags = next((line.split()[2:] for line in file if line.startswith("flags")), [])
    except OSError:
        flags = []
    asked = subprocess.run([KEEPER, "features", LOADER], capture_output=True, text=True, check=False)
    lacks = set(os.environ.get("HPOOL_LACKS", "").split())
    instructions = set(flags) - _NO_INSTRUCTIONS - lacks
    told = [word for word in asked.stdout.split() if word not in lacks]
    levels = _levels(instructions)
    hides = [HIDES + level for level in levels if _FAULTS in flags and _FAULTS not in lacks]
    return (*levels, *hides, *told, *sorted(instructions))


def _levels(flags: set[str]) -> tuple[str, ...]:
    held = takewhile(lambda level: LEVELS[level] <= flags, LEVELS)
    return ("x86-64-v1", *held)


def needs_of(features: tuple[str, ...], level: str = "") -> tuple[str, ...]:
    """What an image needs that was made on such a machine: all that the job may have found there. If it was
    shown a level only, that; and what programs are told of in other ways, or no level speaks of."""
    if not level:
        return tuple(each for each in features if not each.startswith(("x86-64-v", HIDES)))
    others = (each for each in features if (":" in each and not each.startswith(HIDES)) or each in _SHOWN)
    return (HIDES + level, *others)


def default_mirror_bytes(slots: int) -> int:
    """A quarter of the memory shared between the slots: mirrors are tmpfs."""
    return max(256 << 20, psutil.virtual_memory().total // 4 // slots)
