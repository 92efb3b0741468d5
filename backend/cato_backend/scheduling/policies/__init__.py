"""Policies, chosen by name, with one interface.

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
- Chance comes from `SplitMix64(setup.seed)`, so that a run can be repeated.
- Hooks (`opened`, `progressed`, `closed`, ...) are for policies that learn or keep books.
- Register it as an entry point of the group `cato.policies`: its name, and a function that takes a
  Setup and returns the policy. Those that ship with the scheduler are listed below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TypeAlias

from cato_backend.scheduling.limits import LongPromptLimits
from cato_backend.scheduling.policies.base import Hold, Place, Policy, Verdict
from cato_backend.scheduling.policies.cato import MECHANISMS, Cato, CatoOptions, TrueLengths
from cato_backend.scheduling.policies.simple import (
    ConsistentHash,
    LeastOutstandingTokens,
    LeastRequests,
    PrefixAffinity,
    PrefixAffinityWithPriorities,
    RoundRobin,
)


@dataclass(frozen=True, slots=True)
class Setup:
    """Arguments for the construction of a policy."""

    seed: int = 0
    without: tuple[str, ...] = ()
    """Mechanisms of `cato` to switch off, of `MECHANISMS`."""
    truth: TrueLengths | None = None
    """Lengths as a simulation knows them, for the reference bound of `cato`."""
    long_prompts: LongPromptLimits = field(default_factory=LongPromptLimits)
    """What `cato` lets long prompts and agents have of a replica."""
    split: tuple[int, ...] = ()
    """Shares of the fleet that `per-task` gives each task, in the order of `Task`; else equal."""


def _cato(setup: Setup) -> Policy:
    """Raise ConfigError for a mechanism that there is not."""
    options = CatoOptions()
    for mechanism in setup.without:
        options = options.without(mechanism)
    return Cato(options, setup.truth, setup.long_prompts)


PolicyFactory: TypeAlias = Callable[[Setup], Policy]
GROUP = "cato.policies"

_SHIPPED: dict[str, PolicyFactory] = {
    "cato": _cato,
    "round-robin": lambda setup: RoundRobin(),
    "least-requests": lambda setup: LeastRequests(),
    "least-outstanding-tokens": lambda setup: LeastOutstandingTokens(),
    "prefix-affinity": lambda setup: PrefixAffinity(),
    "prefix-affinity-priorities": lambda setup: PrefixAffinityWithPriorities(),
    "consistent-hash": lambda setup: ConsistentHash(),
}


def policy_names() -> list[str]:
    """Return the names that `make_policy` takes.

    First the shipped policies, then the registered ones.
    """
    registered = {point.name for point in entry_points(group=GROUP)}
    return [*_SHIPPED, *sorted(registered - _SHIPPED.keys())]


def make_policy(name: str, setup: Setup | None = None) -> Policy:
    """Return a new policy of this name. Raises KeyError."""
    factory = _SHIPPED.get(name) or _registered(name)
    return factory(setup or Setup())


def _registered(name: str) -> PolicyFactory:
    for point in entry_points(group=GROUP, name=name):
        factory: PolicyFactory = point.load()
        return factory
    raise KeyError(name)


__all__ = [
    "MECHANISMS",
    "Hold",
    "Place",
    "Policy",
    "PolicyFactory",
    "Setup",
    "TrueLengths",
    "Verdict",
    "make_policy",
    "policy_names",
]
