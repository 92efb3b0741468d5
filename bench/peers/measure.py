"""One router in front of fresh replicas, under one workload."""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench.machine import commit, now
from bench.peers.bursts import BurstScore, score_bursts
from bench.peers.emulators import emulators, punctual_share, steps_by_lateness
from bench.peers.routers import Router, started
from bench.peers.stretched import Stretched, compressed
from bench.processes import set_real_time
from cato_lab.load_test import HeaderStyle, Lengths, LoadOptions, LoadRun, Server, run_load
from cato_lab.scoring.records import score_record
from cato_lab.scoring.scores import Capacity, Score, score
from cato_lab.simulation.fleet import REFERENCE
from cato_lab.workloads.arrival import Workload

PUNCTUAL = 0.99
LATEST_CLIENT_P99_S = 0.005
_DRAIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Run:
    """One router under one load and seed."""

    router: str
    load: float
    seed: int
    score: Score
    bursts: BurstScore
    punctual: float
    client_late_s: float
    """P99, in the workload's time."""

    @property
    def void(self) -> bool:
        """Whether the machine was too slow to say anything of the router."""
        return self.punctual < PUNCTUAL or self.client_late_s > LATEST_CLIENT_P99_S

    def record(self) -> dict[str, Any]:
        """For the JSON file."""
        return {
            "router": self.router,
            "load": self.load,
            "seed": self.seed,
            "at": now(),
            "commit": commit(),
            "void": self.void,
            "punctual_steps": round(self.punctual, 4),
            "client_late_p99_ms": round(self.client_late_s * 1e3, 2),
            "bursts": asdict(self.bursts),
            "score": _without_curves(score_record(self.score)),
        }


def _without_curves(record: Any) -> Any:
    """Percentiles are enough of each of many runs."""
    if not isinstance(record, dict):
        return record
    return {key: _without_curves(value) for key, value in record.items() if key != "curve"}


@dataclass(frozen=True, slots=True)
class Setting:
    """What all runs of a table share. `stretch`: all times and targets so many times as long."""

    replicas: int = 4
    stretch: float = 1.0
    real_time: bool = False
    """Replicas and people never wait for a router's CPU: elsewhere they have machines of their own.
    The router is not real-time: it would be stopped for 50 ms where it takes a whole core."""


def measure(router: Router, workload: Workload, load: float, seed: int, setting: Setting) -> Run:
    """Fresh replicas and a fresh router: nobody inherits another's caches."""
    stretch = setting.stretch
    with tempfile.TemporaryDirectory(prefix="cato-peers-") as name:
        folder = Path(name)
        with (
            emulators(setting.replicas, 1 / stretch, folder, 2 * setting.real_time) as replicas,
            started(router, replicas, folder, stretch) as (url, _),
        ):
            before = steps_by_lateness(replicas)
            result = _put(workload, seed, router, url, setting)
            punctual = punctual_share(before, steps_by_lateness(replicas), stretch)
    outcomes = [compressed(outcome, stretch) for outcome in result.outcomes]
    capacity = Capacity(setting.replicas * workload.duration_s, REFERENCE)
    return Run(
        router=router.name,
        load=load,
        seed=seed,
        score=score(outcomes, workload.duration_s, capacity),
        bursts=score_bursts(outcomes, workload.duration_s),
        punctual=punctual,
        client_late_s=result.lateness.at(99) / stretch,
    )


def _put(workload: Workload, seed: int, router: Router, url: str, setting: Setting) -> LoadRun:
    # max_tokens is what an editor would send: nobody is told how long the answer will be.
    style = HeaderStyle(router.headers)
    server = Server(url, router.model, "", style, lengths=Lengths.ANNOUNCED)
    options = LoadOptions(drain_s=_DRAIN_S * setting.stretch)
    with _people(setting), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_load(Stretched(workload, setting.stretch), seed, server, options))


@contextmanager
def _people(setting: Setting) -> Iterator[None]:
    """This process as the world outside: it does not wait for its own garbage."""
    set_real_time(0, int(setting.real_time))
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        set_real_time(0, 0)
