"""The interface of policies, and their view of the fleet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from cato_backend.requests import Request
from cato_backend.scheduling.attempt import Attempt, Ending
from cato_backend.scheduling.ledger import Ledger
from cato_backend.scheduling.prefix import PrefixIndex
from cato_backend.scheduling.queue import Key, Waiting
from cato_backend.scheduling.replica import ReplicaView


class FleetView:
    """The fleet at one moment: live, read-only, valid during the call that it is handed to."""

    def __init__(self, ledger: Ledger, prefixes: PrefixIndex) -> None:
        self._ledger = ledger
        self._prefixes = prefixes
        self.now = 0.0
        """Seconds on the scheduler's clock."""

    def replica(self, replica_id: str) -> ReplicaView:
        """Return the replica of this id. Raises KeyError."""
        return self._ledger.replica(replica_id)

    def replicas(self, model: str) -> Mapping[str, ReplicaView]:
        """Return the model's replicas by id, full and draining ones included."""
        return self._ledger.of_model(model)

    def cached_tokens(self, request: Request, replica_id: str) -> int:
        """Return the prompt tokens that the replica is expected to find in its prefix cache."""
        matched = self._prefixes.matched(replica_id, request.prompt_blocks)
        return cached_tokens(request, matched)

    def prefix_holders(self, request: Request) -> dict[str, int]:
        """Return the expected cached prompt tokens of the replicas that hold any of the prompt.

        Draining and full replicas are among them.
        """
        holders = self._prefixes.holders(request.prompt_blocks)
        # Another model's replica may hold the same text.
        of_model = self._ledger.of_model(request.model)
        return {name: cached_tokens(request, n) for name, n in holders.items() if name in of_model}


def cached_tokens(request: Request, matched_blocks: int) -> int:
    """Return the tokens in this number of blocks of the prompt's head.

    The prompt ends half a block, on average, behind its last whole one.
    """
    blocks = len(request.prompt_blocks)
    return int(request.prompt_tokens * matched_blocks / (blocks + 0.5))


class Place(NamedTuple):
    """Send the request to this replica now.

    `priority` is for the engine's own queue: lower first. `relegated`: the request goes behind all
    that can still meet their targets.
    """

    replica_id: str
    priority: int = 0
    relegated: bool = False


class Hold(NamedTuple):
    """Keep the request queued. While awake, it is considered again after each change."""

    until: float | None = None
    """Look again at this time too, though nothing has happened."""
    key: Key | None = None
    """Its new place in the queue."""
    rest: bool = False
    """The requests behind it are to be kept as well: none of them is looked at now."""
    asleep: bool = False
    """It is not looked at before `looking` names it; `until` lets that be asked."""


Verdict: TypeAlias = Place | Hold


class Observer:
    """Events that a policy can observe. Most policies need none."""

    def looking(self, model: str, fleet: FleetView) -> Iterable[str]:
        """Begin a scheduling round of the model's queue.

        Returns those of its requests that are to be woken before.
        """
        return ()

    def opened(self, attempt: Attempt, fleet: FleetView) -> None:
        """Record that the attempt is on its way to its replica."""

    def progressed(self, attempt: Attempt, tokens: int, fleet: FleetView) -> bool:
        """`tokens` more have come; True: what is held deserves another look. Keep it cheap.

        By itself at an attempt's first token: a prompt is done, there may be place for the next.
        """
        return attempt.emitted - tokens <= attempt.resumed

    def closed(self, attempt: Attempt, ending: Ending, fleet: FleetView) -> None:
        """Record that the attempt is over."""

    def withdrawn(self, waiting: Waiting, fleet: FleetView) -> None:
        """Record that a queued request has left without a replica.

        Cancelled, superseded, expired.
        """

    def replica_up(self, replica: ReplicaView, fleet: FleetView) -> None:
        """Record that a replica has come."""

    def replica_down(self, replica_id: str, fleet: FleetView) -> None:
        """Record that a replica has gone; its attempts are closed already."""


class Policy(Observer, ABC):
    """Decides the order of requests, and the replica and the time of each. Deterministic."""

    def key(self, waiting: Waiting, fleet: FleetView) -> Key:
        """Return the request's place in the queue: the order of arrival, unless said otherwise."""
        return (waiting.request.arrival,)

    @abstractmethod
    def place(
        self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView
    ) -> Verdict:
        """Send the request to one of the candidates, or keep it.

        There is at least one candidate, in the order of ids; every one may take one more. A policy
        that always places is one that leaves queueing to the engines.
        """
