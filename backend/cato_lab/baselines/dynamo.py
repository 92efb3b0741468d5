"""Dynamo's cost: prefill left to do and blocks decoding."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.profile_files.profile import EngineLimits
from cato_backend.scheduling.policies.base import FleetView, Place, Policy
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView

_PREFILL_SCALE = 1.0
"""Dynamo's `kv_overlap_score_weight`."""


class DynamoCost(Policy):
    """First come, first served; least of prefill blocks (what is cached left out) + active blocks.

    After NVIDIA Dynamo's KV router, at temperature zero.
    """

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Ties go to the smaller id."""
        cached = fleet.prefix_holders(waiting.request)
        incoming = waiting.request.prompt_tokens

        def cost(replica: ReplicaView) -> tuple[float, str]:
            size = (replica.profile.limits if replica.profile else EngineLimits()).block_size
            overlap = cached.get(replica.replica_id, 0)
            prefill = max(0, replica.pending_prefill + incoming - overlap)
            return (_PREFILL_SCALE * prefill + replica.kv_tokens) / size, replica.replica_id

        return Place(min(candidates, key=cost).replica_id)
