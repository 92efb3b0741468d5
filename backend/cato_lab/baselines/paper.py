"""The router of the CATO paper (arXiv 2503.19876)."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.profile_files.profile import EngineLimits
from cato_backend.scheduling.policies.base import FleetView, Hold, Place, Policy, Verdict
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_lab.baselines.estimates import UNKNOWN, work_of


class PaperSlack(Policy):
    """Least slack first; the replica with the largest available resource.

    Slack is the budget less the expected processing, a constant per class; the resource is the
    share of sequences and of KV cache that is free, the scarcer of the two. The paper says no more
    of the router than this; a replica that is full is waited for.
    """

    def key(self, waiting: Waiting, fleet: FleetView) -> tuple[float, ...]:
        """Slack at arrival, as a time: what waits longer has less."""
        request = waiting.request
        law, work = UNKNOWN.law, work_of(request)
        expected = law.seconds(work.uncached, 1, work.uncached)
        if request.target.e2e_s is not None:
            expected += work.output * law.seconds(1, 1, work.uncached)
        return (request.deadline - expected,)

    def place(
        self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView
    ) -> Verdict:
        """Held while no replica has anything available."""
        largest = max(candidates, key=lambda r: (_available(r), -r.running))
        return Place(largest.replica_id) if _available(largest) > 0 else Hold(rest=True)


def _available(replica: ReplicaView) -> float:
    limits = replica.profile.limits if replica.profile else EngineLimits()
    return 1 - max(replica.running / limits.max_num_seqs, replica.kv_tokens / limits.kv_tokens)
