"""llm-d's predicted-latency scheduling: headroom, packed."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.scheduling.policies.base import FleetView, Place, Policy
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_lab.baselines.estimates import promised_s

_STICKY_SHARE = 0.8
"""A prefix match of so much of the prompt narrows the choice to those who hold it ..."""
_STICKY_PENALTY_S = 5.0
"""... unless the best of them would be so much later than the best of all."""


class LlmdHeadroom(Policy):
    """First come, first served; the least positive headroom, else the most.

    Headroom is the target less the prediction. After the llm-d router's SLO-aware profile; its
    trained predictor is the profile's law here, and it is given E2E targets, which it has not.
    """

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Packs where the target can be met: others stay free for what needs them."""
        request = waiting.request
        cached = fleet.prefix_holders(request)
        left = request.deadline - fleet.now
        rooms = [
            (left - promised_s(request, r, cached.get(r.replica_id, 0)), r.replica_id)
            for r in candidates
        ]
        rooms = self._stick(rooms, cached, _STICKY_SHARE * request.prompt_tokens)
        positive = [room for room in rooms if room[0] > 0]
        return Place(min(positive)[1] if positive else max(rooms)[1])

    @staticmethod
    def _stick(
        rooms: list[tuple[float, str]], cached: dict[str, int], worth: float
    ) -> list[tuple[float, str]]:
        holders = [room for room in rooms if cached.get(room[1], 0) >= worth > 0]
        if holders and max(rooms)[0] - max(holders)[0] <= _STICKY_PENALTY_S:
            return holders
        return rooms
