"""The matchmaker's methods, for both ends.

Owns: their names and the types that travel. Leaves to others: dialling and staying connected.
"""

from __future__ import annotations

from typing import Final

from hpool.matchmaker.api import values
from hpool.matchmaker.hosting.rpc import StreamMethod, UnaryMethod

ADVERTISE_MACHINE: Final = StreamMethod(
    "hpool.matchmaker.Matchmaker/AdvertiseMachine", values.MACHINE_REPORT, values.MACHINE_NOTICE
)
ADVERTISE_JOBS: Final = StreamMethod(
    "hpool.matchmaker.Matchmaker/AdvertiseJobs", values.JOBS_REPORT, values.JOBS_NOTICE
)
STATUS: Final = UnaryMethod("hpool.matchmaker.Matchmaker/Status", values.STATUS_REQUEST, values.STATUS_REPLY)
