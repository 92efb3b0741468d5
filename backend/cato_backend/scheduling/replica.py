"""One replica and what runs on it, as the scheduler knows it from the streams that pass through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from enum import Enum
from typing import Protocol

from cato_backend.prediction.kept_law import KeptLaw
from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.profile_files.profile import EngineLimits, Profile
from cato_backend.requests import Request
from cato_backend.scheduling.engine_readings import EngineCapacity, Probes
from cato_backend.scheduling.events import LoadReported
from cato_backend.wire.headers import Task


class Ending(Enum):
    """How an attempt ended; only `FINISHED` tells the whole length of its answer."""

    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Attempt:
    """One request on one replica. Only the ledger writes to it. Times on the scheduler's clock."""

    request: Request
    number: int
    replica_id: str
    emitted: int
    """Output tokens over all attempts of the request."""
    prompt_tokens: int
    """To be prefilled or found in the cache, output of earlier attempts included."""
    dispatched_at: float = 0.0
    cached_tokens: int = 0
    """Of the prompt; expected at the dispatch, the engine's own count once it told it."""
    cache_told: bool = False
    """Whether the engine has told it; vLLM does so with the usage, at the end of a stream."""
    priority: int = 0
    first_token_at: float | None = None
    """Of this attempt."""
    resumed: int = 0
    """Output tokens of earlier attempts: part of `emitted` and of `prompt_tokens`."""
    avoid: frozenset[str] = frozenset()
    """Replicas that failed this request before."""
    queued_tokens: int = 0
    """Prompt tokens that its replica had to compute at the dispatch, its own included."""

    @property
    def silent(self) -> bool:
        """Whether nothing has come of it."""
        return self.first_token_at is None

    @property
    def started(self) -> bool:
        """Whether its prompt is prefilled. An answer that comes whole does not show when it is:
        counted as pending until the end, one alone would make a replica look busy."""
        return self.first_token_at is not None or not self.request.streams

    @property
    def uncached_tokens(self) -> int:
        """Prompt tokens that were to be computed at the dispatch."""
        return max(0, self.prompt_tokens - self.cached_tokens)

    @property
    def pending_prefill(self) -> int:
        """Prompt tokens that are still to be computed."""
        return 0 if self.started else self.uncached_tokens

    @property
    def outstanding_tokens(self) -> int:
        """Tokens that the replica still owes, at most."""
        prompt = 0 if self.started else self.prompt_tokens
        return prompt + max(0, self.request.max_tokens - self.emitted)


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
        """What it serves."""
        ...

    @property
    def max_running(self) -> int:
        """Requests that may be sent to it at once, those in the engine's own queue included; the
        fewer, the more others have running there, and 0 while it is ejected."""
        ...

    @property
    def profile(self) -> Profile | None:
        """What it can do; None where nothing is known of it."""
        ...

    @property
    def learned(self) -> LearnedLaw:
        """Its step law as its streams have shown it, from the profile on."""
        ...

    @property
    def capacity(self) -> EngineCapacity:
        """What its engine holds at once, as its metrics have shown it."""
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
        """Of these, how many have not had their first token, of those that are streamed: queued in
        the engine or prefilling."""
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
    """What was learned of it before."""
    context: int | None = None
    """Tokens of prompt and output that fit; None where it is not known."""
    adapters: frozenset[str] = frozenset()
    """Further names that it serves."""
    limits: EngineLimits | None = None
    """What its engine was started with, where that is told."""
    draining: bool = False
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
    last_token_at: float | None = None
    """When a token last came from it: a step of its engine ended then."""
    learned: LearnedLaw = field(init=False)
    capacity: EngineCapacity = field(init=False, default_factory=EngineCapacity)
    probes: Probes = field(init=False)
    """Of a calibration; in none of the counts above."""
    slots: int = field(init=False)
    """`max_running` while it is in service."""
    max_running: int = field(init=False)
    """Kept, because it is asked for a hundred times as often as it changes."""

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
        """A replica that is suspended has no slot to give."""
        self.suspended = suspended
        self.max_running = 0 if suspended else self.slots

    def reported(self, load: LoadReported, now: float) -> None:
        """Its metrics show this load."""
        decoding = sum(not attempt.silent for attempt in self.attempts.values())
        self.capacity.look(load, self.running, decoding, self.kv_tokens, now)

    @property
    def decoding(self) -> int:
        """Requests that have had their first token, and those of others."""
        return self.running - self.unstarted + self.others

    def fits(self, request: Request, emitted: int = 0) -> bool:
        """Whether the replica serves the requested name, with a context that is large enough for
        the request and an answer of which `emitted` tokens exist."""
        if request.adapter and request.adapter not in self.adapters:
            return False
        return self.context is None or needed_context(request, emitted) <= self.context

    @property
    def has_room(self) -> bool:
        """Whether one more request may be sent to it."""
        return self.running < self.max_running and not self.draining


def needed_context(request: Request, emitted: int) -> int:
    """Tokens of context; more than the request said where its answer grew beyond what it named."""
    return request.context_tokens + max(0, emitted - request.max_tokens)
