"""The outlier record of one replica."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cato_backend.scheduling.decisions import Reason
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaLoad

_SPARED_S = 0.5
_NONE_COMES_S = 1.0


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
    """Whether that is to be sent, once what was taken from the replica has left it."""
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
