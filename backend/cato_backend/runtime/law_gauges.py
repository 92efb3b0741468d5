"""What is believed of each replica's step law, for `/metrics`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from prometheus_client import CollectorRegistry, Gauge

from cato_backend.profile_files.profile import StepLaw
from cato_backend.scheduling import ReplicaLoad

_TERMS = tuple(field.name for field in fields(StepLaw) if field.name != "form")


class LawGauges:
    """Set when somebody looks."""

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
        """The state of these replicas, and of no others."""
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
