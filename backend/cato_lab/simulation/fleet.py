"""What a simulated fleet consists of, and what the router is told of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from cato_backend.profile_files.profile import Profile
from cato_backend.scheduling import Limits
from cato_lab.simulation.reference import REFERENCE
from cato_lab.simulation.speed import STEADY, Speed


@dataclass(frozen=True, slots=True)
class Member:
    """One replica. Times in seconds from the start of the run."""

    profile: Profile
    """What it is: the engine keeps this law and these limits."""
    told: Profile | None
    """What the router is told of it; None where nothing is known."""
    max_running: int
    """Requests that are sent to it at once."""
    speed: Speed = STEADY
    ready_s: float = 0.0
    """When it comes up."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Replicas, and how they are reached."""

    replicas: int = 4
    """So many of `profile`, of which the router is told the truth."""
    profile: Profile = REFERENCE
    mixed: tuple[Member, ...] = ()
    """Replicas that differ from each other or from what the router is told; in place of those that
    `replicas` and `profile` describe."""
    max_running: int | None = None
    """Sent to a replica at once; None: as many as its engine runs, as the gateway does."""
    network_s: float = 0.0005
    """Between gateway and replica, each way."""
    report_s: float = 0.5
    """How often the scheduler is told how far all running answers of a replica are. First and last
    tokens are told at once, and with a first token how far the oldest answer is; live every token
    is told."""
    scrape_s: float = 2.0
    """How often the scheduler is told what a replica's metrics show; 0: never."""
    calibrates: bool = False
    """Whether replicas that come up are calibrated while they are idle, as the gateway does."""
    kills: tuple[tuple[float, int], ...] = ()
    """Times at which a replica (by index) dies; it is back after its profile's start-up time."""
    freezes: tuple[tuple[float, float, int], ...] = ()
    """From when to when nothing is heard of a replica (by index), though it takes requests."""
    limits: Limits = field(default_factory=Limits)

    @property
    def members(self) -> tuple[Member, ...]:
        """Every replica, by index."""
        if self.mixed:
            return self.mixed
        most = self.max_running or self.profile.limits.max_num_seqs
        return (Member(self.profile, self.profile, most),) * self.replicas

    @property
    def model(self) -> str:
        """The model that all replicas serve."""
        return self.mixed[0].profile.model if self.mixed else self.profile.model

    @property
    def longest_request(self) -> int:
        """Tokens of prompt and answer that every replica can hold."""
        limits = [member.profile.limits for member in self.mixed] or [self.profile.limits]
        return min(min(each.kv_tokens, each.max_model_len) for each in limits)
