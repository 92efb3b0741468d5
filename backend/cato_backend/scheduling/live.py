"""All requests that have not ended, in a queue or on a replica."""

from __future__ import annotations

from collections import defaultdict

from cato_backend.profile_files.profile import EngineLimits
from cato_backend.requests import BLOCK_CHARS, Origin, Request
from cato_backend.scheduling.attempt import Attempt, Ending
from cato_backend.scheduling.events import LoadReported, ProbeEvent, Progressed
from cato_backend.scheduling.fairness import Fairness
from cato_backend.scheduling.health import Health
from cato_backend.scheduling.ledger import Ledger
from cato_backend.scheduling.limits import Limits
from cato_backend.scheduling.policies.base import FleetView, Place, Policy, cached_tokens
from cato_backend.scheduling.prefix import PrefixIndex
from cato_backend.scheduling.queue import Alarms, Waiting
from cato_backend.scheduling.replica import ReplicaLoad
from cato_backend.scheduling.troubles import Troubles
from cato_backend.scheduling.waiting_room import WaitingRoom

_TOKENS_PER_BLOCK = BLOCK_CHARS / 3.0
"""Code takes some three characters a token; only the bound of the prefix index rests on it."""


class LiveRequests:
    """Queues and ledger, with the policy, the indexes and the replicas' health kept in step.

    Invariant: a request is in exactly one of queue and ledger from `enqueue` on until `end`.
    """

    def __init__(self, policy: Policy, limits: Limits, alarms: Alarms) -> None:
        self.policy = policy
        self.room = WaitingRoom(limits, alarms)
        self.ledger = Ledger()
        self.health = Health(limits.outliers, self.ledger)
        self.troubles = Troubles(limits.max_attempts)
        self.documents = DocumentIndex()
        self.fairness = defaultdict[str, Fairness](Fairness)
        """Shares of each model's replicas."""
        self._prefixes = PrefixIndex()
        self.fleet = FleetView(self.ledger, self._prefixes)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self.room or self.ledger.attempt(request_id) is not None

    def current(self, request_id: str, number: int) -> Attempt | None:
        """Return the attempt of this number, if it is the one that runs."""
        attempt = self.ledger.attempt(request_id)
        return attempt if attempt is not None and attempt.number == number else None

    # -- requests ------------------------------------------------------------------------------

    def enter(self, request: Request) -> None:
        """Record that a request has come."""
        self.documents.add(request)
        self.fairness[request.model].enter(request.origin, self.fleet.now, request.share)

    def enqueue(self, waiting: Waiting) -> None:
        """Queue a request, where the policy puts it."""
        self.room.put(waiting, self.policy.key(waiting, self.fleet))

    def drop(self, request_id: str) -> None:
        """Take a request out of the queue and end it; nothing happens if it is not queued."""
        waiting = self.room.take(request_id)
        if waiting is not None:
            self.end(waiting.request)
            self.policy.withdrawn(waiting, self.fleet)

    def end(self, request: Request) -> None:
        """Forget a request that is neither queued nor on a replica."""
        self.documents.remove(request)
        self.fairness[request.model].leave(request.origin, self.fleet.now, request.share)
        self.troubles.forget(request.id)

    def open(self, waiting: Waiting, place: Place, *, trial: bool = False) -> Attempt:
        """Take a request out of the queue and put it on a replica, which must have room."""
        request = waiting.request
        self.room.take(request.id)
        matched = self._prefixes.matched(place.replica_id, request.prompt_blocks)
        attempt = Attempt(
            request=request,
            number=waiting.attempts + 1,
            replica_id=place.replica_id,
            emitted=waiting.emitted,
            prompt_tokens=request.prompt_tokens + waiting.emitted,
            dispatched_at=self.fleet.now,
            cached_tokens=cached_tokens(request, matched),
            priority=place.priority,
            resumed=waiting.emitted,
            avoid=waiting.avoid,
        )
        self.ledger.open(attempt)
        self.fairness[request.model].prefilled(
            request.origin, attempt.uncached_tokens, self.fleet.now
        )
        if request.streams:  # The tokens of an answer that comes whole tell nothing of steps.
            replica = self.ledger.replica(place.replica_id)
            replica.learned.dispatched(
                request.id,
                attempt.pending_prefill,
                attempt.cached_tokens,
                self.fleet.now,
                idle=replica.running == 1 and not replica.others and not replica.probes,
            )
        self._prefixes.record(place.replica_id, request.prompt_blocks)
        self.policy.opened(attempt, self.fleet)
        self.troubles.opened(attempt)
        self.health.opened(attempt, self.fleet.now, trial=trial)
        return attempt

    def progress(self, attempt: Attempt, event: Progressed) -> bool:
        """Output has come; whether what is queued deserves another look."""
        _, _, tokens, prompt_tokens, cached_tokens = event
        if cached_tokens is not None and not attempt.cache_told:
            self._prefixes.observe(attempt.replica_id, attempt.cached_tokens, cached_tokens)
        replica = self.ledger.progress(
            attempt, tokens, self.fleet.now, prompt_tokens, cached_tokens
        )
        if tokens and attempt.request.streams:
            self._learn(replica, attempt, tokens, prompt_tokens)
        return self.policy.progressed(attempt, tokens, self.fleet)

    def close(self, request_id: str, ending: Ending) -> Attempt:
        """Take a request off its replica."""
        attempt = self.ledger.close(request_id)
        self.ledger.replica(attempt.replica_id).learned.left(request_id)
        self.policy.closed(attempt, ending, self.fleet)
        request, now = attempt.request, self.fleet.now
        tokens = attempt.emitted - attempt.resumed
        self.fairness[request.model].decoded(request.origin, tokens, now)
        self.room.left_replica(request.model, now)
        self.troubles.closed(attempt)
        self.health.closed(attempt)
        return attempt

    def _learn(
        self, replica: ReplicaLoad, attempt: Attempt, tokens: int, prompt_tokens: int | None
    ) -> None:
        name = attempt.request.id
        if prompt_tokens is not None:
            uncached = attempt.prompt_tokens - attempt.cached_tokens
            replica.learned.counted(name, uncached, attempt.cached_tokens)
        # As `decoding`, without a call for each token.
        decoding = replica.running - replica.unstarted + replica.others
        kv_tokens = replica.kv_tokens
        if replica.probes.under_way:
            decoding += replica.probes.decoding
            kv_tokens += replica.probes.kv_tokens
        replica.learned.tokens(name, tokens, self.fleet.now, decoding, kv_tokens)

    def load_reported(self, event: LoadReported) -> None:
        """Record that a replica's metrics show what its engine has in hand."""
        if self.ledger.has_replica(event.replica_id):
            self.ledger.replica(event.replica_id).reported(event, self.fleet.now)

    def probe(self, event: ProbeEvent) -> None:
        """Something happened to a calibration's request."""
        if self.ledger.has_replica(event.replica_id):
            replica = self.ledger.replica(event.replica_id)
            replica.probes.take(event, replica.decoding, replica.kv_tokens, self.fleet.now)

    # -- replicas ------------------------------------------------------------------------------

    def add_replica(self, replica: ReplicaLoad) -> None:
        """Add a replica. Raises ValueError for an id in use."""
        if self.ledger.has_replica(replica.replica_id):
            raise ValueError(f"replica id {replica.replica_id!r} is in use")
        self.ledger.add_replica(replica)
        limits = replica.profile.limits if replica.profile else EngineLimits()
        self._prefixes.add_replica(replica.replica_id, int(limits.kv_tokens / _TOKENS_PER_BLOCK))
        self.policy.replica_up(replica, self.fleet)
        self.health.up(replica)

    def put_to_sleep(self, replica_id: str) -> None:
        """Record that a replica sleeps, which forgets what it has cached."""
        self.ledger.put_to_sleep(replica_id)
        self._prefixes.clear(replica_id)

    def remove_replica(self, replica_id: str) -> list[Attempt]:
        """Remove a replica, and return the attempts that it leaves behind, closed."""
        names = list(self.ledger.replica(replica_id).attempts)
        lost = [self.close(name, Ending.FAILED) for name in names]
        self.ledger.remove_replica(replica_id)
        self._prefixes.remove_replica(replica_id)
        self.policy.replica_down(replica_id, self.fleet)
        return lost


class DocumentIndex:
    """Live requests by token, session and document; requests without a document are not held."""

    def __init__(self) -> None:
        self._live: defaultdict[Origin, dict[str, Request]] = defaultdict(dict)

    def add(self, request: Request) -> None:
        """Record that the request is live from now on."""
        if request.origin.document:
            self._live[request.origin][request.id] = request

    def remove(self, request: Request) -> None:
        """Record that the request is no longer live."""
        requests = self._live.get(request.origin)
        if requests is not None:
            requests.pop(request.id, None)
            if not requests:
                del self._live[request.origin]

    def of_same_document(self, request: Request) -> tuple[Request, ...]:
        """Return the live requests of the same token, session and document, oldest first."""
        return tuple(self._live.get(request.origin, {}).values())
