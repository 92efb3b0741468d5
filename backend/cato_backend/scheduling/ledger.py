"""The ledger: the outstanding work of each replica, counted from the streams that pass through."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cato_backend.requests import Request
from cato_backend.scheduling.attempt import Attempt
from cato_backend.scheduling.replica import ModelLoad, ReplicaLoad, needed_context


class Ledger:
    """Replicas and the attempts that run on them; counts are kept, never recomputed."""

    def __init__(self) -> None:
        self._replicas: dict[str, ReplicaLoad] = {}
        self._attempts: dict[str, Attempt] = {}
        self._models: dict[str, ModelLoad] = {}

    def add_replica(self, replica: ReplicaLoad) -> None:
        """Record that a replica is ready; it must be new."""
        model = self._models.setdefault(replica.model, ModelLoad())
        self._replicas[replica.replica_id] = replica
        model.replicas[replica.replica_id] = replica
        model.accepting += 1
        model.slots += replica.max_running
        model.enlist(replica)
        model.compare_contexts()

    def change_replica(self, replica_id: str, context: int | None, names: tuple[str, ...]) -> None:
        """Record that the replica has another context, or serves other names."""
        replica = self._replicas[replica_id]
        replica.context, replica.adapters = context, frozenset(names)
        self._models[replica.model].compare_contexts()

    def drain_replica(self, replica_id: str) -> None:
        """Record that the replica takes nothing new from now on."""
        replica = self._replicas[replica_id]
        if replica.draining:
            return
        model = self._models[replica.model]
        model.unlist(replica)
        replica.draining = True
        model.accepting -= 1

    def put_to_sleep(self, replica_id: str) -> None:
        """Record that the replica takes nothing until it is woken."""
        self.drain_replica(replica_id)
        replica = self._replicas[replica_id]
        if not replica.asleep:
            replica.asleep = True
            self._models[replica.model].asleep += 1

    def _wake(self, replica: ReplicaLoad) -> None:
        if replica.asleep:
            replica.asleep = False
            self._models[replica.model].asleep -= 1

    def resume_replica(self, replica_id: str) -> None:
        """Record that the replica takes requests again."""
        replica = self._replicas[replica_id]
        self._wake(replica)
        if replica.draining:
            replica.draining = False
            model = self._models[replica.model]
            model.accepting += 1
            model.enlist(replica)

    def set_others(self, replica_id: str, others: int) -> None:
        """Record the number of requests that other clients have on the replica."""
        self._change(self._replicas[replica_id], lambda replica: replica.set_others(others))

    def suspend(self, replica_id: str) -> None:
        """Send the replica nothing new until `resume`."""
        self._change(self._replicas[replica_id], lambda replica: replica.set_suspended(True))

    def resume(self, replica_id: str) -> None:
        """Record that the replica may get requests again."""
        self._change(self._replicas[replica_id], lambda replica: replica.set_suspended(False))

    def _change(self, replica: ReplicaLoad, change: Callable[[ReplicaLoad], None]) -> None:
        """Change how many requests the replica may have."""
        model = self._models[replica.model]
        model.unlist(replica)
        model.slots -= replica.max_running
        change(replica)
        model.slots += replica.max_running
        model.enlist(replica)

    def remove_replica(self, replica_id: str) -> list[Attempt]:
        """Take a replica out and return the attempts that ran on it, oldest first."""
        replica = self._replicas[replica_id]
        lost = [self.close(request_id) for request_id in list(replica.attempts)]
        self.drain_replica(replica_id)
        self._wake(replica)
        model = self._models[replica.model]
        model.slots -= replica.max_running
        del self._replicas[replica_id], model.replicas[replica_id]
        model.compare_contexts()
        return lost

    def has_replica(self, replica_id: str) -> bool:
        """Return whether the replica is known."""
        return replica_id in self._replicas

    def replica(self, replica_id: str) -> ReplicaLoad:
        """Return the replica of this id. Raises KeyError."""
        return self._replicas[replica_id]

    def serves(self, model: str) -> bool:
        """Return whether any replica takes requests for the model, now or later."""
        return self.accepting(model) > 0

    def sleeps(self, model: str) -> bool:
        """Return whether a replica of the model can be woken."""
        return model in self._models and self._models[model].asleep > 0

    def accepting(self, model: str) -> int:
        """Return how many replicas of the model are not draining."""
        return self._models[model].accepting if model in self._models else 0

    def models(self) -> Iterable[str]:
        """Return every model that has or had a replica."""
        return self._models.keys()

    def serves_request(self, request: Request, emitted: int) -> bool:
        """Return whether any replica takes this request: now, with room again, or woken."""
        if self.fits_everywhere(request, emitted):
            return self.serves(request.model) or self.sleeps(request.model)
        replicas = self.of_model(request.model).values()
        return any(
            (each.asleep or not each.draining) and each.fits(request, emitted) for each in replicas
        )

    def fits_everywhere(self, request: Request, emitted: int) -> bool:
        """Return whether no replica of its model is unfit for the request.

        Quick where all are alike.
        """
        model = self._models.get(request.model)
        least = model.least_context if model is not None else None
        is_small = least is None or needed_context(request, emitted) <= least
        return is_small and not request.adapter

    def replicas(self) -> tuple[ReplicaLoad, ...]:
        """Return every replica's load, in the order in which they came up."""
        return tuple(self._replicas.values())

    def of_model(self, model: str) -> dict[str, ReplicaLoad]:
        """Return the model's replicas by id, draining ones included."""
        return self._models[model].replicas if model in self._models else {}

    def with_room(self, model: str) -> list[ReplicaLoad]:
        """Return the replicas of this model that may take one more, by id; not to be changed."""
        return self._models[model].with_room if model in self._models else []

    def with_open_slot(self, model: str) -> list[ReplicaLoad]:
        """Return those with room beside what is kept for newcomers, by id; not to be changed."""
        return self._models[model].with_open_slot if model in self._models else []

    def occupied(self, model: str) -> float:
        """0..1: the share of the model's slots that is taken; 1 where there is none."""
        group = self._models.get(model)
        if group is None or not group.slots:
            return 1.0
        return min(1.0, group.running / group.slots)

    def slots(self, model: str) -> int:
        """Return the requests that the model's replicas may run at once, all together."""
        return self._models[model].slots if model in self._models else 0

    def attempt(self, request_id: str) -> Attempt | None:
        """Return the attempt that runs for this request."""
        return self._attempts.get(request_id)

    def open(self, attempt: Attempt) -> None:
        """Start an attempt on its replica. Raises ValueError where that has no room."""
        replica = self._replicas[attempt.replica_id]
        if not replica.has_room:
            raise ValueError(f"replica {attempt.replica_id!r} takes no more")
        self._attempts[attempt.request.id] = attempt
        replica.attempts[attempt.request.id] = attempt
        attempt.queued_tokens = replica.pending_prefill + attempt.uncached_tokens
        if not attempt.started:
            replica.await_first_token(attempt)
        self._count(replica, attempt, +1)
        self._models[replica.model].unlist_full(replica)

    def progress(
        self,
        attempt: Attempt,
        tokens: int,
        now: float,
        prompt_tokens: int | None = None,
        cached_tokens: int | None = None,
    ) -> ReplicaLoad:
        """Output arrived: the prompt is prefilled, and less is left to come.

        Returns the replica.
        """
        replica = self._replicas[attempt.replica_id]
        if attempt.first_token_at is None:
            self._begin(replica, attempt, now)
        if prompt_tokens is not None:
            replica.kv_tokens += prompt_tokens - attempt.prompt_tokens
            attempt.prompt_tokens = prompt_tokens
        if cached_tokens is not None:
            attempt.cached_tokens = cached_tokens
            attempt.cache_told = True
        if tokens:
            left = attempt.request.max_tokens - attempt.emitted
            attempt.emitted += tokens
            replica.kv_tokens += tokens
            replica.last_token_at = now
            # As `outstanding_tokens` counts; computed here, because this runs for each token.
            if left > 0:
                replica.outstanding_tokens -= tokens if tokens < left else left
        return replica

    def _begin(self, replica: ReplicaLoad, attempt: Attempt, now: float) -> None:
        if not attempt.started:
            replica.await_no_longer(attempt)
            replica.outstanding_tokens -= attempt.prompt_tokens
        attempt.first_token_at = now

    def close(self, request_id: str) -> Attempt:
        """End an attempt and return it."""
        attempt = self._attempts.pop(request_id)
        replica = self._replicas[attempt.replica_id]
        del replica.attempts[request_id]
        if not attempt.started:
            replica.await_no_longer(attempt)
        self._count(replica, attempt, -1)
        if not replica.draining:
            self._models[replica.model].relist(replica)
        return attempt

    def _count(self, replica: ReplicaLoad, attempt: Attempt, sign: int) -> None:
        replica.running += sign
        replica.running_by_task[attempt.request.task] += sign
        # Output of earlier attempts is part of `prompt_tokens` and of `emitted`: counted once.
        replica.kv_tokens += sign * (attempt.prompt_tokens + attempt.emitted - attempt.resumed)
        replica.outstanding_tokens += sign * attempt.outstanding_tokens
        self._models[replica.model].running += sign
