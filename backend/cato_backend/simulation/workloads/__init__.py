"""Who asks what, when: seeded generators, the same for virtual and for real time."""

from cato_backend.simulation.workloads.arrival import Arrival, Workload
from cato_backend.simulation.workloads.developers import DeveloperWorkload
from cato_backend.simulation.workloads.flood import FLOOD, FloodWorkload
from cato_backend.simulation.workloads.mix import MixWorkload
from cato_backend.simulation.workloads.oracle import OracleWorkload
from cato_backend.simulation.workloads.processes import (
    ArrivalProcess,
    DayCurve,
    Gamma,
    Mmpp,
    Poisson,
    TraceTimes,
)
from cato_backend.simulation.workloads.replay import TraceWorkload
from cato_backend.simulation.workloads.traces import TraceError, TraceRow, load_trace

__all__ = [
    "FLOOD",
    "Arrival",
    "ArrivalProcess",
    "DayCurve",
    "DeveloperWorkload",
    "FloodWorkload",
    "Gamma",
    "MixWorkload",
    "Mmpp",
    "OracleWorkload",
    "Poisson",
    "TraceError",
    "TraceRow",
    "TraceTimes",
    "TraceWorkload",
    "Workload",
    "load_trace",
]
