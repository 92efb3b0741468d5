"""One replica and its running requests, known from the streams that pass through."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from typing import Protocol

from cato_backend.prediction.kept_law import KeptLaw
from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.profile_files.profile import EngineLimits, Profile
from cato_backend.requests import Request
from cato_backend.scheduling.attempt import Attempt
from cato_backend.scheduling.engine_readings import EngineCapacity, Probes
from cato_backend.scheduling.events import LoadReported
from cato_backend.wire.headers import Task

_FEWEST_SLOTS = 4

_KEPT_FREE = 8
"""One slot in this many is kept for newcomers, and at least one from `_FEWEST_SLOTS` on."""


class ReplicaView(Protocol):
    """A replica as policies see it: live counts, to be read, never written or kept.

    No snapshot: copying a thousand replicas for each decision would cost more than deciding.
    """

    @property
    def replica_id(self) -> str:
        """Unique; ties are broken by it, so that a run can be repeated."""
        ...

    @property
    def model(self) -> str:
        """The model that it serves."""
        ...

    @property
    def max_running(self) -> int:
        """Requests that may be sent to it at once, those in the engine's own queue included.

        The fewer, the more others have running there, and 0 while it is ejected.
        """
        ...

    @property
    def profile(self) -> Profile | None:
        """The replica's profile; None where none is known."""
        ...

    @property
    def learned(self) -> LearnedLaw:
        """Its step law as its streams have shown it, from the profile on."""
        ...

    @property
    def capacity(self) -> EngineCapacity:
        """The capacity of its engine, as its metrics have shown it."""
        ...

    @property
    def draining(self) -> bool:
        """Whether it gets nothing new."""
        ...

    @property
    def running(self) -> int:
        """Requests sent to it that have not ended."""
        ...

    @property
    def unstarted(self) -> int:
        """Of these, how many have not had their first token, of those that are streamed.

        Queued in the engine or prefilling.
        """
        ...

    @property
    def decoding(self) -> int:
        """Of these, how many have had their first token; and what others have running there."""
        ...

    @property
    def pending_prefill(self) -> int:
        """Prompt tokens of the unstarted, less what is expected in the prefix cache."""
        ...

    @property
    def kv_tokens(self) -> int:
        """Context tokens of all that runs."""
        ...

    @property
    def outstanding_tokens(self) -> int:
        """Prompt tokens not yet known to be prefilled, and output tokens that may still come."""
        ...

    @property
    def running_by_task(self) -> Mapping[Task, int]:
        """`running`, by SLA class."""
        ...

    @property
    def attempts(self) -> Mapping[str, Attempt]:
        """What runs, by request id, oldest first."""
        ...


@dataclass(slots=True)
class ReplicaLoad:
    """One replica. Only the ledger writes to it; see ReplicaView for what the counts mean."""

    replica_id: str
    model: str
    limit: int
    """Requests at once where it is ours alone."""
    profile: Profile | None = None
    kept: InitVar[KeptLaw | None] = None
    """The stored law of the replica."""
    context: int | None = None
    """Tokens of prompt and output that fit; None where it is not known."""
    adapters: frozenset[str] = frozenset()
    """Further names that it serves."""
    limits: EngineLimits | None = None
    """The limits that its engine was started with, where they are reported."""
    draining: bool = False
    asleep: bool = False
    """Draining, until it is woken."""
    others: int = 0
    """Requests of other clients, as its own metrics tell."""
    suspended: bool = False
    """Whether it is ejected: it gets nothing new for now, but what runs on it may finish."""
    running: int = 0
    unstarted: int = 0
    pending_prefill: int = 0
    kv_tokens: int = 0
    outstanding_tokens: int = 0
    running_by_task: dict[Task, int] = field(default_factory=lambda: dict.fromkeys(Task, 0))
    attempts: dict[str, Attempt] = field(default_factory=dict[str, Attempt])
    silent: dict[str, Attempt] = field(default_factory=dict[str, Attempt])
    """The unstarted ones of these."""
    has_priorities: bool = False
    """Whether one of the unstarted may have another priority than 0."""
    last_token_at: float | None = None
    """When a token last came from it: a step of its engine ended then."""
    learned: LearnedLaw = field(init=False)
    capacity: EngineCapacity = field(init=False, default_factory=EngineCapacity)
    probes: Probes = field(init=False)
    """Probes of a calibration. They are in none of the counts above."""
    slots: int = field(init=False)
    """`max_running` while it is in service."""
    max_running: int = field(init=False)
    """Kept, because it is asked for a hundred times as often as it changes."""
    open_slots: int = field(init=False)
    """Slots of `max_running` that are not kept for newcomers: see `fairness`."""

    def __post_init__(self, kept: KeptLaw | None) -> None:
        self.learned = LearnedLaw(self.profile, kept, self.limits)
        self.probes = Probes(self.learned)
        self.set_others(self.others)

    def set_others(self, others: int) -> None:
        """Others take slots, but never the last: a replica that lies about them is still used."""
        self.others = others
        self.slots = max(1, self.limit - others)
        self.set_suspended(self.suspended)

    def set_suspended(self, suspended: bool) -> None:
        """Record that a replica is suspended, and has no slot to give."""
        self.suspended = suspended
        self.max_running = slots = 0 if suspended else self.slots
        self.open_slots = slots - (max(1, slots // _KEPT_FREE) if slots >= _FEWEST_SLOTS else 0)

    def reported(self, load: LoadReported, now: float) -> None:
        """Its metrics show this load."""
        decoding = sum(not attempt.silent for attempt in self.attempts.values())
        self.capacity.look(load, self.running, decoding, self.kv_tokens, now)

    def await_first_token(self, attempt: Attempt) -> None:
        """Count an attempt among the unstarted."""
        self.silent[attempt.request.id] = attempt
        self.unstarted += 1
        self.pending_prefill += attempt.uncached_tokens
        if attempt.priority:
            self.has_priorities = True

    def await_no_longer(self, attempt: Attempt) -> None:
        """Take an attempt out of the unstarted: its first token has come, or it has ended."""
        del self.silent[attempt.request.id]
        self.unstarted -= 1
        self.pending_prefill -= attempt.uncached_tokens
        if not self.unstarted:
            self.has_priorities = False

    @property
    def decoding(self) -> int:
        """Requests that have had their first token, and those of others."""
        return self.running - self.unstarted + self.others

    def fits(self, request: Request, emitted: int = 0) -> bool:
        """Return whether the replica serves the requested name with a context large enough.

        It must be large enough for the request and an answer of which `emitted` tokens exist.
        """
        if request.adapter and request.adapter not in self.adapters:
            return False
        return self.context is None or needed_context(request, emitted) <= self.context

    @property
    def has_room(self) -> bool:
        """Whether one more request may be sent to it."""
        return self.running < self.max_running and not self.draining

    @property
    def has_open_slot(self) -> bool:
        """Whether it has room beside the slots that are kept for newcomers."""
        return self.running < self.open_slots and not self.draining


def needed_context(request: Request, emitted: int) -> int:
    """Return tokens of context.

    More than the request said where its answer grew beyond what it named.
    """
    return request.context_tokens + max(0, emitted - request.max_tokens)


@dataclass(slots=True)
class ModelLoad:
    """The replicas of one model, and sums over them."""

    replicas: dict[str, ReplicaLoad] = field(default_factory=dict[str, ReplicaLoad])
    with_room: list[ReplicaLoad] = field(default_factory=list[ReplicaLoad])
    """By id, so that a policy's ties fall the same way in every run."""
    with_open_slot: list[ReplicaLoad] = field(default_factory=list[ReplicaLoad])
    """Those of them that have room beside what is kept for newcomers; in the same order."""
    least_context: int | None = None
    """The smallest context among them; None where none of them tells it."""
    accepting: int = 0
    asleep: int = 0
    slots: int = 0
    running: int = 0

    def enlist(self, replica: ReplicaLoad) -> None:
        """Add the replica to the lists that it belongs to."""
        if replica.has_room:
            insort(self.with_room, replica, key=_by_id)
        if replica.has_open_slot:
            insort(self.with_open_slot, replica, key=_by_id)

    def unlist(self, replica: ReplicaLoad) -> None:
        """Take the replica out of both lists."""
        _remove(self.with_room, replica)
        _remove(self.with_open_slot, replica)

    def unlist_full(self, replica: ReplicaLoad) -> None:
        """Take the replica out of a list whose limit it has just reached."""
        if replica.running == replica.open_slots:
            _remove(self.with_open_slot, replica)
        if replica.running == replica.max_running:
            _remove(self.with_room, replica)

    def relist(self, replica: ReplicaLoad) -> None:
        """Add the replica to a list whose limit it has just left; it must not be draining."""
        if replica.running == replica.open_slots - 1:
            insort(self.with_open_slot, replica, key=_by_id)
        if replica.running == replica.max_running - 1:
            insort(self.with_room, replica, key=_by_id)

    def compare_contexts(self) -> None:
        """Find the smallest context again, after the replicas or their contexts have changed."""
        known = (each.context for each in self.replicas.values() if each.context is not None)
        self.least_context = min(known, default=None)


def _remove(listed: list[ReplicaLoad], replica: ReplicaLoad) -> None:
    """Take it out of a list that is ordered by id, if it is there."""
    index = bisect_left(listed, replica.replica_id, key=_by_id)
    if index < len(listed) and listed[index] is replica:
        del listed[index]


def _by_id(replica: ReplicaLoad) -> str:
    return replica.replica_id
