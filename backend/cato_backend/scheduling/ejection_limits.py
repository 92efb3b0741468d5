"""How many of a model's replicas may be ejected at once, and for how long."""

from __future__ import annotations

import math

from cato_backend.scheduling.ledger import Ledger
from cato_backend.scheduling.limits import OutlierDetection
from cato_backend.scheduling.outlier_record import OutlierRecord
from cato_backend.scheduling.replica import ReplicaLoad

_SHORTEST_REST_S = 0.1
"""Of a replica that refuses requests and names no time, or none worth the name."""


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
