"""What a policy may look at when it decides."""

from __future__ import annotations

from collections.abc import Mapping

from cato_backend.requests import Request
from cato_backend.scheduling.ledger import Ledger
from cato_backend.scheduling.prefix import PrefixIndex
from cato_backend.scheduling.replica import ReplicaView


class FleetView:
    """The fleet at one moment: live, read-only, valid during the call that it is handed to."""

    def __init__(self, ledger: Ledger, prefixes: PrefixIndex) -> None:
        self._ledger = ledger
        self._prefixes = prefixes
        self.now = 0.0
        """Seconds on the scheduler's clock."""

    def replica(self, replica_id: str) -> ReplicaView:
        """The replica of this id. Raises KeyError."""
        return self._ledger.replica(replica_id)

    def replicas(self, model: str) -> Mapping[str, ReplicaView]:
        """The model's replicas by id, full and draining ones included."""
        return self._ledger.of_model(model)

    def cached_tokens(self, request: Request, replica_id: str) -> int:
        """Prompt tokens that the replica is expected to find in its prefix cache."""
        matched = self._prefixes.matched(replica_id, request.prompt_blocks)
        return cached_tokens(request, matched)

    def prefix_holders(self, request: Request) -> dict[str, int]:
        """Expected cached prompt tokens by replica, for replicas that hold any of the prompt.

        Draining and full replicas are among them.
        """
        holders = self._prefixes.holders(request.prompt_blocks)
        return {replica_id: cached_tokens(request, n) for replica_id, n in holders.items()}


def cached_tokens(request: Request, matched_blocks: int) -> int:
    """Tokens in so many blocks of the prompt's head.

    The prompt ends half a block, on average, behind its last whole one.
    """
    blocks = len(request.prompt_blocks)
    return int(request.prompt_tokens * matched_blocks / (blocks + 0.5))
