"""Policies: in which order requests are served, and which replica takes one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from cato_backend.requests import Request
from cato_backend.scheduling.ledger import ReplicaLoad


class Policy(Protocol):
    """The seam. A policy sees frozen values only, and must be deterministic."""

    def key(self, request: Request) -> float:
        """The request's place in the queue: lower is served earlier."""
        ...

    def choose(self, request: Request, candidates: Sequence[ReplicaLoad]) -> ReplicaLoad:
        """One of the candidates; there is at least one, and every one has room."""
        ...


class RoundRobin:
    """First come, first served; each replica in turn."""

    def __init__(self) -> None:
        self._last = ""

    def key(self, request: Request) -> float:
        """Arrival order."""
        return request.arrival

    def choose(self, request: Request, candidates: Sequence[ReplicaLoad]) -> ReplicaLoad:
        """The next in the order of ids after the one chosen last."""
        turn = sorted(candidates, key=lambda r: (r.replica_id <= self._last, r.replica_id))
        self._last = turn[0].replica_id
        return turn[0]


class LeastOutstandingTokens:
    """First come, first served; the replica that owes the fewest tokens."""

    def key(self, request: Request) -> float:
        """Arrival order."""
        return request.arrival

    def choose(self, request: Request, candidates: Sequence[ReplicaLoad]) -> ReplicaLoad:
        """Ties go to the smaller id, so that a run can be repeated."""
        return min(candidates, key=lambda r: (r.outstanding_tokens, r.running, r.replica_id))


POLICIES: dict[str, Callable[[], Policy]] = {
    "round-robin": RoundRobin,
    "least-outstanding-tokens": LeastOutstandingTokens,
}


def make_policy(name: str) -> Policy:
    """A new policy of this name. Raises KeyError."""
    return POLICIES[name]()
