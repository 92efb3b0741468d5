"""Holds that stand: what was decided of a queued request, while nothing has come to change it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cato_backend.scheduling.policies.cato.judge import Choice
from cato_backend.scheduling.policies.cato.replica_model import ReplicaModel
from cato_backend.scheduling.policies.cato.replica_pool import ReplicaPool


class CachedHold(NamedTuple):
    """A request waits for a replica that will be ready for it at `until`.

    Every event lets the whole queue be looked at, and most events concern other replicas: to judge
    each request again took most of the time in large fleets.
    """

    best: Choice
    until: float
    looked_at: Sequence[ReplicaModel]
    changes: int
    """The pool's count when it was judged."""
    ahead_s: float
    """Prefill that others ahead of it in the queue will bring to the same replica."""

    def holds(self, pool: ReplicaPool, now: float) -> bool:
        """Return whether to judge again would come to the same.

        Meanwhile only time has passed, and that speaks against every replica but the one that it
        waits for.
        """
        return (
            now < self.until
            and pool.kept_s(self.best.model) == self.ahead_s
            and all(model.changed <= self.changes for model in self.looked_at)
        )
