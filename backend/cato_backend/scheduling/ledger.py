"""The ledger: what is outstanding on each replica, known from the streams that pass through us."""

from __future__ import annotations

from dataclasses import dataclass

from cato_backend.requests import Request


@dataclass(frozen=True, slots=True)
class ReplicaLoad:
    """One replica as a policy sees it."""

    replica_id: str
    model: str
    max_running: int
    running: int = 0
    outstanding_tokens: int = 0
    """Prompt tokens not yet known to be prefilled, and output tokens that may still come."""

    @property
    def has_room(self) -> bool:
        """Whether one more request may run."""
        return self.running < self.max_running


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request on one replica. `emitted` counts output tokens over all attempts."""

    request: Request
    number: int
    replica_id: str
    emitted: int
    prompt_tokens: int
    started: bool = False
    avoid: frozenset[str] = frozenset()
    """Replicas that failed this request before."""

    @property
    def outstanding_tokens(self) -> int:
        """Tokens that the replica still owes, at most."""
        prompt = 0 if self.started else self.prompt_tokens
        return prompt + max(0, self.request.max_tokens - self.emitted)


class Ledger:
    """Replicas and the attempts that run on them; sums are kept, never recomputed."""

    def __init__(self) -> None:
        self._replicas: dict[str, ReplicaLoad] = {}
        self._attempts: dict[str, Attempt] = {}
        self._by_replica: dict[str, dict[str, None]] = {}

    def add_replica(self, replica: ReplicaLoad) -> None:
        """A replica is ready; it must be new."""
        self._replicas[replica.replica_id] = replica
        self._by_replica[replica.replica_id] = {}

    def remove_replica(self, replica_id: str) -> list[Attempt]:
        """Takes a replica out and returns the attempts that ran on it, oldest first."""
        lost = [self.close(request_id) for request_id in list(self._by_replica[replica_id])]
        del self._replicas[replica_id], self._by_replica[replica_id]
        return lost

    def has_replica(self, replica_id: str) -> bool:
        """Whether the replica is known."""
        return replica_id in self._replicas

    def serves(self, model: str) -> bool:
        """Whether any replica serves the model."""
        return any(replica.model == model for replica in self._replicas.values())

    def replicas(self) -> tuple[ReplicaLoad, ...]:
        """Every replica's load, in the order in which they came up."""
        return tuple(self._replicas.values())

    def with_room(self, model: str) -> tuple[ReplicaLoad, ...]:
        """The replicas of this model that may take one more."""
        return tuple(r for r in self._replicas.values() if r.model == model and r.has_room)

    def attempt(self, request_id: str) -> Attempt | None:
        """The attempt that runs for this request."""
        return self._attempts.get(request_id)

    def open(self, attempt: Attempt) -> None:
        """An attempt starts on its replica."""
        self._attempts[attempt.request.id] = attempt
        self._by_replica[attempt.replica_id][attempt.request.id] = None
        self._shift(attempt.replica_id, +1, attempt.outstanding_tokens)

    def progress(self, request_id: str, tokens: int, prompt_tokens: int | None) -> None:
        """Output arrived: the prompt is prefilled, and less is left to come."""
        before = self._attempts[request_id]
        # For every token of every stream: `replace` would cost three times as much.
        after = Attempt(
            before.request,
            before.number,
            before.replica_id,
            before.emitted + tokens,
            before.prompt_tokens if prompt_tokens is None else prompt_tokens,
            started=True,
            avoid=before.avoid,
        )
        self._attempts[request_id] = after
        self._shift(after.replica_id, 0, after.outstanding_tokens - before.outstanding_tokens)

    def close(self, request_id: str) -> Attempt:
        """An attempt ends, however it ended."""
        attempt = self._attempts.pop(request_id)
        del self._by_replica[attempt.replica_id][request_id]
        self._shift(attempt.replica_id, -1, -attempt.outstanding_tokens)
        return attempt

    def _shift(self, replica_id: str, running: int, tokens: int) -> None:
        load = self._replicas[replica_id]
        self._replicas[replica_id] = ReplicaLoad(
            replica_id,
            load.model,
            load.max_running,
            load.running + running,
            load.outstanding_tokens + tokens,
        )
