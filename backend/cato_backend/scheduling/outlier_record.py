"""Outliers: the record of one replica, limits of ejections, and synthetic trials."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from cato_backend.scheduling.decisions import Reason
from cato_backend.scheduling.ledger import Ledger
from cato_backend.scheduling.limits import OutlierDetection
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaLoad

_SPARED_S = 0.5

_NONE_COMES_S = 1.0

_SHORTEST_REST_S = 0.1
"""Of a replica that refuses requests and names no time, or none worth the name."""

TRIAL_TOKENS = 4
"""Length of a trial's prompt, approximately."""

_NAME = " trial"
"""Its name among the requests of a replica; no other name begins with a space."""


class State(StrEnum):
    """States of a replica in outlier detection."""

    IN_SERVICE = "in_service"
    EJECTED = "ejected"
    ON_TRIAL = "on_trial"
    """One trial request at a time."""


@dataclass(slots=True)
class OutlierRecord:
    """One replica. Times on the scheduler's clock."""

    replica: ReplicaLoad
    reason: Reason | None = None
    """Why it is ejected; None while it is in service."""
    until: float = 0.0
    """It gets no trial request before."""
    ejections: int = 0
    trial: str | None = None
    """The request that it is tried with."""
    synthetic: bool = False
    """Whether it is tried with a synthetic request."""
    synthetic_due: bool = False
    """Whether a trial is to be sent once the requests taken from the replica have left it."""
    failures: int = 0
    """In a row."""
    failing_since: float = 0.0
    reinstated_at: float = 0.0

    def suits(self, waiting: Waiting, now: float) -> bool:
        """Return whether the request may be the trial.

        If the replica may hang, one that can spare the time, unless none such comes.
        """
        if self.reason is Reason.BUSY:
            return True
        request = waiting.request
        spares = request.warm or request.deadline - now >= _SPARED_S
        return not waiting.attempts and (spares or now >= self.until + _NONE_COMES_S)

    def state(self, now: float) -> State:
        """Return its state at `now`."""
        if self.reason is None:
            return State.IN_SERVICE
        tried = self.until <= now and not self.synthetic
        return State.ON_TRIAL if tried else State.EJECTED


class EjectionLimits:
    """Bounds the ejections of the settings. A model's last replica is never ejected."""

    def __init__(self, settings: OutlierDetection, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger

    def most_ejected(self, model: str) -> int:
        """Return how many of the model's replicas may be ejected at once."""
        accepting = self._ledger.accepting(model)
        share = math.ceil(accepting * self._settings.max_ejection_percent / 100)
        return max(0, min(accepting - 1, share))

    def allow(self, replica: ReplicaLoad, ejected: int) -> bool:
        """Return whether the replica may be ejected beside `ejected` others of its model."""
        if replica.draining or ejected >= self.most_ejected(replica.model):
            return False
        others = self._ledger.of_model(replica.model).values()
        return any(_stands_in(other, replica) for other in others if other is not replica)

    def rest_s(self, record: OutlierRecord, named_s: float | None) -> float:
        """Return how long the ejection lasts; `named_s`: as the replica itself asked."""
        own_s = self._settings.base_ejection_s * record.ejections
        rest_s = own_s if named_s is None else named_s
        return max(_SHORTEST_REST_S, min(rest_s, self._settings.max_ejection_s))


def _stands_in(other: ReplicaLoad, replica: ReplicaLoad) -> bool:
    """Return whether the other is in service and takes every request that the replica takes."""
    if other.draining or other.suspended or not replica.adapters <= other.adapters:
        return False
    if other.context is None:
        return True
    return replica.context is not None and replica.context <= other.context


def begin_trial(replica: ReplicaLoad, now: float) -> None:
    """Record in the replica's learned law that a trial is sent; an earlier one is given up."""
    replica.learned.left(_NAME)
    idle = not replica.running and not replica.others
    replica.learned.dispatched(_NAME, TRIAL_TOKENS, 0, now, idle=idle)


def end_trial(replica: ReplicaLoad, *, well: bool, now: float) -> None:
    """Record in the replica's learned law that the trial has ended, by a token or not."""
    if well:
        replica.learned.tokens(_NAME, 1, now, replica.decoding, replica.kv_tokens)
    replica.learned.left(_NAME)
