"""Bounds of the scheduler: of the queue, of long prompts and agents, of ejections."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class OutlierDetection:
    """When a replica is ejected, and for how long. Times in seconds."""

    consecutive_failures: int = 3
    """Attempts in a row that must fail by the replica's fault; 0 ejects none for failures."""
    overdue: bool = True
    """Whether a replica is ejected whose first tokens are overdue (see `scheduling.overdue`)."""
    base_ejection_s: float = 1.0
    """Times the number of its ejections: how long a replica is ejected."""
    max_ejection_s: float = 30.0
    max_ejection_percent: float = 50.0
    """Percentage of a model's replicas, rounded up, but never all of them."""
    interval_s: float = 10.0
    """In service for this long, a replica has one ejection less to its account."""


@dataclass(frozen=True, slots=True)
class LongPromptLimits:
    """Shares of each replica for long prompts and agents, under the policy `cato`."""

    longer_than_s: float = 1.0
    """A prompt is long where the replica computes what is not cached of it for longer."""
    per_replica: int = 1
    """Long prompts that are sent to it and have no token yet; 0: any number."""
    replica_share: float = 0.25
    """Of a model's replicas that may compute nothing but long prompts at once: those whose engine
    has no threshold. One may always."""
    agent_share: float = 0.75
    """Share of its slots and of its KV cache for agents."""
    patience_s: float = 20.0
    """Seconds in the queue after which a request is exempt from these bounds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that no policy may cross."""

    max_waiting: int = 4096
    """Queued requests per model."""
    max_waiting_per_session: int = 64
    """Limit of queued requests of a named session."""
    max_wait_s: float = 60.0
    """Longest stay in the queue; what would take longer than this to serve may not queue."""
    max_attempts: int = 3
    """Attempts of one request that may fail by a replica's fault. The death of a replica counts for
    none of those that ran on it."""
    retry_delay_s: float = 0.5
    """Before a replica is tried again that just failed the request, times the attempts so far. A
    replica that died is known to be down by then, and costs no further attempt."""
    outliers: OutlierDetection = field(default_factory=OutlierDetection)
    long_prompts: LongPromptLimits = field(default_factory=LongPromptLimits)
