"""Policies: one module each, behind one seam, chosen by name.

A policy is a class under `Policy` (see `base`). Of what it may define, only `place` is required:

    class Example(Policy):
        def key(self, waiting, fleet):                # the queue's order; default: arrival
            return (waiting.request.deadline,)

        def place(self, waiting, candidates, fleet):  # Place(replica_id, priority) or Hold(...)
            least = min(candidates, key=lambda r: (r.unstarted, r.replica_id))
            return Place(least.replica_id, priority=0)

- `waiting.request` is the frozen Request (task, deadline, prompt_tokens, max_tokens, origin,
  prompt_blocks, warm); `waiting.emitted` what earlier attempts already sent.
- `candidates` are the model's replicas that may take one more: `running`, `unstarted` (in the
  engine's queue or prefilling), `decoding`, `pending_prefill`, `kv_tokens`, `outstanding_tokens`,
  `running_by_task`, `profile`, and `attempts`, each with its request, deadline and what it emitted.
- `fleet.now`, `fleet.cached_tokens(request, replica_id)`, `fleet.prefix_holders(request)`,
  `fleet.replicas(model)`.
- A router without a queue of its own always returns Place: the engines queue. `Hold` keeps the
  request; it is looked at again at every event (and at `until`), in the order of the keys.
- Chance comes from `Dice(setup.seed)`, so that a run can be repeated.
- Hooks (`opened`, `progressed`, `closed`, ...) are for policies that learn or keep books.
- Register it below: name -> a function of Setup.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cato_backend.scheduling.policies.base import Hold, Place, Policy, Verdict
from cato_backend.scheduling.policies.least_outstanding_tokens import LeastOutstandingTokens
from cato_backend.scheduling.policies.round_robin import RoundRobin


@dataclass(frozen=True, slots=True)
class Setup:
    """What a policy can be given when it is made."""

    seed: int = 0


POLICIES: dict[str, Callable[[Setup], Policy]] = {
    "round-robin": lambda setup: RoundRobin(),
    "least-outstanding-tokens": lambda setup: LeastOutstandingTokens(),
}


def make_policy(name: str, setup: Setup | None = None) -> Policy:
    """A new policy of this name. Raises KeyError."""
    return POLICIES[name](setup or Setup())


__all__ = [
    "POLICIES",
    "Hold",
    "Place",
    "Policy",
    "Setup",
    "Verdict",
    "make_policy",
]
