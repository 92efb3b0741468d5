"""The replicas of a simulated fleet, their speed over time, and what the router is told of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.scheduling import Limits

REFERENCE = Profile(
    model="reference",
    hardware="emulated",
    law=StepLaw(form="additive", base=0.020, per_new_token=0.0001),
    limits=EngineLimits(),
)
"""20 ms a step and 0.1 ms for each new token in it."""


@dataclass(frozen=True, slots=True)
class Slowdown:
    """From `start_s` until `end_s` the replica computes at `speed` times its usual speed."""

    start_s: float
    end_s: float
    speed: float


@dataclass(frozen=True, slots=True)
class Speed:
    """The factors by which the steps of one replica differ from its law."""

    noise: float = 0.0
    """Standard deviation of the logarithm of a step's duration; the mean duration stays."""
    noise_step_s: float = 0.02
    """Computing time that shares one draw: about one step of the replica."""
    slowdowns: tuple[Slowdown, ...] = ()
    """Ascending, without overlaps: a neighbour on the GPU, throttling, pauses."""
    seed: int = 0

    def pace(self, until_s: float) -> Pace:
        """Return the map between both clocks; from `until_s` on the replica keeps to its law."""
        real, shared = _slowed(self.slowdowns)
        if not self.noise:
            return Pace(real, shared)
        steps = int(until_s / self.noise_step_s)
        draws = np.random.default_rng(self.seed).normal(0.0, self.noise, steps)
        took = self.noise_step_s * np.exp(draws - self.noise**2 / 2)
        computed = np.concatenate([[0.0], np.cumsum(took)])
        # The clock of the law at `computed` seconds of computing; both are mapped to real time.
        engine = self.noise_step_s * np.arange(steps + 1)
        return Pace(_inverse(computed, real, shared).tolist(), engine.tolist())


STEADY = Speed()
"""Every step takes what the law says."""


class Pace:
    """A piecewise linear map of real time to the engine's own time, and back. Seconds.

    One second of the engine's own time is what the law calls a second. Beyond the last knot both
    clocks run alike.
    """

    def __init__(self, real: Sequence[float], engine: Sequence[float]) -> None:
        """Take the knots of the map, both ascending, beginning at 0."""
        self._real, self._engine = real, engine

    def engine_time(self, real_time: float) -> float:
        """Return the engine's own time at this moment."""
        return _mapped(real_time, self._real, self._engine)

    def real_time(self, engine_time: float) -> float:
        """Return when the engine's own clock shows this time."""
        return _mapped(engine_time, self._engine, self._real)


def _mapped(value: float, source: Sequence[float], image: Sequence[float]) -> float:
    place = bisect_right(source, value)
    if place == len(source):
        return image[-1] + value - source[-1]
    if not place:
        return value
    low, high = source[place - 1], source[place]
    share = (value - low) / (high - low)
    return image[place - 1] + share * (image[place] - image[place - 1])


def _slowed(slowdowns: Sequence[Slowdown]) -> tuple[list[float], list[float]]:
    """Return the knots of real time, and of the computing done by then."""
    real, computed = [0.0], [0.0]
    for each in slowdowns:
        for until, speed in ((each.start_s, 1.0), (each.end_s, each.speed)):
            if until > real[-1]:
                computed.append(computed[-1] + speed * (until - real[-1]))
                real.append(until)
    return real, computed


def _inverse(
    computed: np.ndarray[tuple[int], np.dtype[np.float64]],
    real: Sequence[float],
    shared: Sequence[float],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the real times at which these amounts of engine time are reached."""
    beyond = np.maximum(0.0, computed - shared[-1])
    return np.interp(computed, shared, real) + beyond


@dataclass(frozen=True, slots=True)
class Member:
    """One replica. Times in seconds from the start of the run."""

    profile: Profile
    """The true profile: the engine has this law and these limits."""
    told: Profile | None
    """The profile that the router gets; None: none."""
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
    """Replicas that differ from each other or from what the router is told; instead of those that
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
