"""Learned step laws of replicas: kept in a file for the next start, and shown in `/metrics`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge

from cato_backend.clock import Clock
from cato_backend.prediction.kept_law import KeptLaw
from cato_backend.profile_files.hardware import model_key
from cato_backend.profile_files.profile import StepLaw
from cato_backend.replicas.core_waits import CoreWaits, thread_times
from cato_backend.runtime.law_file import LawKey, StoredLaw, newest, read_laws, write_laws
from cato_backend.scheduling import ReplicaLoad

log = logging.getLogger(__name__)

_SAVE_S = 60.0
"""Between two looks at what is new."""
_TERMS = tuple(field.name for field in fields(StepLaw) if field.name != "form")


@dataclass(slots=True)
class _Up:
    key: LawKey
    load: ReplicaLoad
    windows: int = 0
    """Windows of its law when it was last stored."""


class LawKeeper:
    """`path` is None: nothing is kept beyond this process. `wall`: seconds since the epoch."""

    def __init__(self, path: Path | None, clock: Clock, wall: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._wall = wall
        self._laws = {} if path is None else read_laws(path)
        self._up: dict[str, _Up] = {}
        self._waits: dict[str, CoreWaits] = {}
        self._unsaved = False

    def recall(self, model: str, place: str) -> KeptLaw | None:
        """Return what was learned of such a replica before, with its age."""
        stored = self._laws.get(LawKey(model_key(model), place))
        if stored is None:
            return None
        return stored.law._replace(age_s=max(0.0, self._wall() - stored.learned_at))

    def engine_up(self, replica_id: str, pid: int) -> None:
        """Record which process computes a replica's answers, before they are learned from."""
        self._waits[replica_id] = CoreWaits(partial(thread_times, pid))

    def engine_down(self, replica_id: str) -> None:
        """Record that it has ended."""
        self._waits.pop(replica_id, None)

    def waited(self, replica_id: str) -> float | None:
        """Return the share of its time that a replica's engine waits for a core, from 0 to 1.

        None where it is not known.
        """
        waits = self._waits.get(replica_id)
        return None if waits is None else waits.share()

    def replica_up(self, load: ReplicaLoad, place: str) -> None:
        """Record that a replica takes requests: what is learned of it is kept from now on."""
        self._up[load.replica_id] = _Up(LawKey(model_key(load.model), place), load)

    def replica_down(self, replica_id: str) -> None:
        """Take no more."""
        up = self._up.pop(replica_id, None)
        if up is not None:
            self._remember(up)

    async def run(self) -> None:
        """Save now and then, until cancelled."""
        while True:
            await asyncio.sleep(_SAVE_S)
            self.save()

    def save(self) -> None:
        """Write the file where there is anything new. A disk that is full costs only the file."""
        for up in self._up.values():
            self._remember(up)
        if self._path is None or not self._unsaved:
            return
        try:
            write_laws(self._path, self._laws)
            self._unsaved = False
        except OSError as error:
            log.warning("what was learned of replicas was not saved: %s", error)

    def _remember(self, up: _Up) -> None:
        """Unless nothing is new, or more is known from another replica of the same kind."""
        learned, stored = up.load.learned, self._laws.get(up.key)
        if learned.windows == up.windows:
            return
        up.windows = learned.windows
        kept = learned.kept(self._clock())
        if stored is None or kept.windows >= stored.law.windows:
            learned_at, waited = self._wall() - kept.age_s, self.waited(up.load.replica_id)
            self._laws[up.key] = StoredLaw(kept._replace(age_s=0.0), learned_at, waited)
            self._laws = newest(self._laws)
            self._unsaved = True


class LawGauges:
    """Gauges of learned laws, set when `/metrics` is read."""

    def __init__(self, registry: CollectorRegistry) -> None:
        replica = ["replica"]
        self._term = Gauge(
            "cato_law_term_seconds",
            "Terms of a replica's learned step law, in seconds a step or a unit of its load "
            "(docs/profiles.md); overhead: of a first token from an idle replica",
            ["replica", "form", "term"],
            registry=registry,
        )
        self._spread = Gauge(
            "cato_law_spread",
            "Relative standard deviation of the predicted time of a usual step",
            replica,
            registry=registry,
        )
        self._noise = Gauge(
            "cato_law_noise",
            "Relative standard deviation of single steps around the law",
            replica,
            registry=registry,
        )
        self._windows = Gauge(
            "cato_law_windows",
            "Stretches of steps that the law was learned from, those of earlier runs included",
            replica,
            registry=registry,
        )
        self._age = Gauge(
            "cato_law_age_seconds",
            "Since the law was last learned from; absent before the first time",
            replica,
            registry=registry,
        )

    def show(self, loads: Iterable[ReplicaLoad], now: float) -> None:
        """Keep the state of these replicas, and of no others."""
        for gauge in (self._term, self._spread, self._noise, self._windows, self._age):
            gauge.clear()
        for load in loads:
            self._show(load, now)

    def _show(self, load: ReplicaLoad, now: float) -> None:
        name, learned = load.replica_id, load.learned
        belief = learned.belief
        terms = {term: getattr(belief.law, term) for term in _TERMS}
        for term, seconds in (terms | {"overhead": belief.overhead_s}).items():
            self._term.labels(name, belief.law.form, term).set(seconds)
        self._spread.labels(name).set(belief.spread)
        self._noise.labels(name).set(belief.noise)
        self._windows.labels(name).set(learned.all_windows)
        age_s = learned.age_s(now)
        if age_s is not None:
            self._age.labels(name).set(age_s)
