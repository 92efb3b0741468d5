"""llm-d's predicted-latency scheduling, and its default since August 2026."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.scheduling.policies.base import FleetView, Place, Policy
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.scheduling.splitmix import SplitMix64
from cato_lab.baselines.estimates import model_of, promised_s

_STICKY_SHARE = 0.8
"""A prefix match of this share of the prompt narrows the choice to replicas that hold it ..."""

_STICKY_PENALTY_S = 5.0
"""... unless the best of them would be later than the best of all by this time."""

_AFFINITY_THRESHOLD = 0.8
"""Share of the prompt in a replica's cache from which on the replica is sticky; llm-d's default."""

_MAX_TTFT_PENALTY_S = 0.25
"""How much later than elsewhere a prompt may begin on a sticky replica. llm-d's default of 18 s is
for targets of that order; stricter targets are to have proportionally smaller values. Here it is
the TTFT target of completions."""


class LlmdHeadroom(Policy):
    """First come, first served; the least positive headroom, else the most.

    Headroom is the target less the prediction. After the llm-d router's SLO-aware profile; its
    trained predictor is the profile's law here, and it is given E2E targets, which it has not.
    """

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Pack where the target can be met: others stay free for what needs them."""
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


class LlmdSticky(Policy):
    """First come, first served; the sticky replica with the fewest uncached tokens in flight.

    Where the best sticky replica is saturated, or none is sticky, all replicas are compared by the
    uncached tokens in flight, those of the request counted in. After "Sticky Until Saturated"
    (llm-d blog, 2026-08-17): `prefix-cache-affinity-filter` with `token-load-scorer`. A replica is
    saturated where tokens in flight / peak prefill throughput exceeds that of the best other
    replica by the largest TTFT penalty; the peak is that of one full chunk, B / T(B).
    """

    def __init__(self, seed: int) -> None:
        self._dice = SplitMix64(seed)

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Place the request; ties fall by chance, as with llm-d's `max-score-picker`."""
        prompt = waiting.request.prompt_tokens
        cached = fleet.prefix_holders(waiting.request)
        loads = [
            (r.pending_prefill + prompt - cached.get(r.replica_id, 0), r)
            for r in _admissible(candidates, cached, _AFFINITY_THRESHOLD * prompt)
        ]
        least = min(load for load, _ in loads)
        best = [replica.replica_id for load, replica in loads if load == least]
        return Place(best[self._dice.below(len(best))])


def _admissible(
    candidates: Sequence[ReplicaView], cached: dict[str, int], least: float
) -> Sequence[ReplicaView]:
    """Return the sticky replicas, or all of them."""
    sticky = [r for r in candidates if cached.get(r.replica_id, 0) >= least > 0]
    others = [r for r in candidates if cached.get(r.replica_id, 0) < least]
    if not sticky:
        return candidates
    if others and min(map(_ttft_s, sticky)) - min(map(_ttft_s, others)) > _MAX_TTFT_PENALTY_S:
        return candidates
    return sticky


def _ttft_s(replica: ReplicaView) -> float:
    """llm-d's estimate: what is in flight, at the peak prefill throughput."""
    model = model_of(replica)
    chunk = model.limits.max_num_batched_tokens
    return replica.pending_prefill * model.law.seconds(chunk, 1, chunk, chunk * chunk / 2) / chunk
