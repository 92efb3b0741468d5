"""Seeded generators of requests, the same for virtual and for real time."""

from cato_lab.workloads.arrival import Arrival, OracleWorkload, Workload
from cato_lab.workloads.developers import DeveloperWorkload
from cato_lab.workloads.mix import FLOOD, FloodWorkload, MixWorkload
from cato_lab.workloads.processes import (
    ArrivalProcess,
    DayCurve,
    Gamma,
    Mmpp,
    Poisson,
    TraceTimes,
)
from cato_lab.workloads.replay import TraceWorkload
from cato_lab.workloads.traces import TraceError, TraceRow, load_trace

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
