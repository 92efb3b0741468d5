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
  request; it is looked at again at every event but further tokens (and at `until`), in the order
  of the keys, or, `asleep`, once `looking` names it.
- Chance comes from `Dice(setup.seed)`, so that a run can be repeated.
- Hooks (`opened`, `progressed`, `closed`, ...) are for policies that learn or keep books.
- Register it below: name -> a function of Setup.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cato_backend.scheduling.limits import LongPromptLimits
from cato_backend.scheduling.policies.base import Hold, Place, Policy, Verdict
from cato_backend.scheduling.policies.cato import MECHANISMS, Cato, CatoOptions, Truth
from cato_backend.scheduling.policies.chance import PowerOfTwoChoices, Random
from cato_backend.scheduling.policies.consistent_hash import ConsistentHash
from cato_backend.scheduling.policies.dynamo import DynamoCost
from cato_backend.scheduling.policies.dynamo_edf import DynamoEdf
from cato_backend.scheduling.policies.edf import EarliestDeadlineFirst
from cato_backend.scheduling.policies.least_outstanding_tokens import LeastOutstandingTokens
from cato_backend.scheduling.policies.least_requests import LeastRequests
from cato_backend.scheduling.policies.llmd import LlmdHeadroom
from cato_backend.scheduling.policies.llmd_sticky import LlmdSticky
from cato_backend.scheduling.policies.paper import PaperSlack
from cato_backend.scheduling.policies.per_task import PerTask
from cato_backend.scheduling.policies.prefix_affinity import (
    PrefixAffinity,
    PrefixAffinityWithPriorities,
)
from cato_backend.scheduling.policies.qoserve import QoServe
from cato_backend.scheduling.policies.round_robin import RoundRobin
from cato_backend.scheduling.policies.saber import SaberAdmission


@dataclass(frozen=True, slots=True)
class Setup:
    """What a policy can be given when it is made."""

    seed: int = 0
    without: tuple[str, ...] = ()
    """Mechanisms of `cato` to switch off, of `MECHANISMS`."""
    truth: Truth | None = None
    """Lengths as a simulation knows them, for the reference bound of `cato`."""
    long_prompts: LongPromptLimits = field(default_factory=LongPromptLimits)
    """What `cato` lets long prompts and agents have of a replica."""
    split: tuple[int, ...] = ()
    """Shares of the fleet that `per-task` gives each task, in the order of `Task`; else equal."""


def _cato(setup: Setup) -> Policy:
    """Raises ConfigError for a mechanism that there is not."""
    options = CatoOptions()
    for mechanism in setup.without:
        options = options.without(mechanism)
    return Cato(options, setup.truth, setup.long_prompts)


POLICIES: dict[str, Callable[[Setup], Policy]] = {
    "cato": _cato,
    "round-robin": lambda setup: RoundRobin(),
    "random": lambda setup: Random(setup.seed),
    "least-requests": lambda setup: LeastRequests(),
    "least-outstanding-tokens": lambda setup: LeastOutstandingTokens(),
    "power-of-two": lambda setup: PowerOfTwoChoices(setup.seed),
    "prefix-affinity": lambda setup: PrefixAffinity(),
    "prefix-affinity-priorities": lambda setup: PrefixAffinityWithPriorities(),
    "edf": lambda setup: EarliestDeadlineFirst(),
    "saber": lambda setup: SaberAdmission(),
    "paper": lambda setup: PaperSlack(),
    "llm-d": lambda setup: LlmdHeadroom(),
    "llm-d-sticky": lambda setup: LlmdSticky(setup.seed),
    "dynamo": lambda setup: DynamoCost(),
    "dynamo-edf": lambda setup: DynamoEdf(),
    "consistent-hash": lambda setup: ConsistentHash(),
    "qoserve": lambda setup: QoServe(),
    "per-task": lambda setup: PerTask(setup.split),
}


def make_policy(name: str, setup: Setup | None = None) -> Policy:
    """A new policy of this name. Raises KeyError."""
    return POLICIES[name](setup or Setup())


__all__ = [
    "MECHANISMS",
    "POLICIES",
    "Hold",
    "Place",
    "Policy",
    "Setup",
    "Truth",
    "Verdict",
    "make_policy",
]
