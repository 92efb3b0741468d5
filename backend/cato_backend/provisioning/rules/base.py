"""The interface of scaling rules, their common parts, and the rule `static`."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from cato_backend.errors import ConfigError
from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning.pool import DemandKind
from cato_backend.requests import Request
from cato_backend.wire.headers import Task

_KEPT_ANSWERS = 400
_LEFT_OUTPUT_TOKENS = 16
"""Least number of tokens that is assumed for an answer whose client did not wait for its end."""


@dataclass(frozen=True, slots=True)
class FleetState:
    """The replicas and requests of one model now."""

    ready: int
    """Replicas that take requests."""
    starting: int = 0
    """Launched, not ready yet."""
    waiting: int = 0
    """Requests in the queue."""
    running: int = 0
    """Requests on replicas."""

    @property
    def coming(self) -> int:
        """Replicas that will take requests when all launched ones have started."""
        return self.ready + self.starting


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds that the operator sets. Raises ConfigError."""

    least: int = 1
    most: int = 1

    def __post_init__(self) -> None:
        if self.least < 0:
            raise ConfigError.of("min-replicas", self.least, "0 or more")
        if self.most < max(1, self.least):
            raise ConfigError.of("max-replicas", self.most, f"at least {max(1, self.least)}")

    def clip(self, count: int) -> int:
        """Return the nearest count that is allowed."""
        return min(self.most, max(self.least, count))


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request that is over. Times in seconds since its arrival."""

    request: Request
    ended_s: float
    ttft_s: float | None
    """None where no token came."""
    uncached_tokens: int
    """Uncached tokens of the prompt; all of it where the engine did not report them."""
    output_tokens: int
    met: bool | None
    """Whether the target was met; None where the answer was no longer wanted at its deadline."""

    @property
    def task(self) -> Task:
        """The class of the request."""
        return self.request.task


@dataclass(frozen=True, slots=True)
class Wanted:
    """A rule's answer."""

    count: int
    why: str
    """A sentence's second half: what was seen, and what follows from it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The number of replicas that a provisioner wants, with its reason."""

    target: int
    """Replicas that there should be, draining ones not counted."""
    why: str
    """One sentence for the log and `/metrics`."""
    changed: bool
    """Whether the target differs from that of the plan before."""


class ScalingRule(Protocol):
    """One model's rule. Times in seconds on the scheduler's clock."""

    def arrived(self, request: Request, now: float) -> None:
        """Record that a request was submitted."""
        ...

    def answered(self, answer: AnsweredRequest, now: float) -> None:
        """Record that a request is over."""
        ...

    def learned(self, profile: Profile) -> None:
        """Take the measured profile, which precedes the one that the rule was made with."""
        ...

    def wanted(self, fleet: FleetState, now: float) -> Wanted:
        """Return how many replicas it wants; bounds are applied by the caller."""
        ...


class Profileless:
    """For rules that do not ask how fast a replica is."""

    def learned(self, profile: Profile) -> None:
        """Nothing."""


class IgnoresTraffic(Profileless):
    """For rules that look at the fleet alone."""

    def arrived(self, request: Request, now: float) -> None:
        """Nothing."""

    def answered(self, answer: AnsweredRequest, now: float) -> None:
        """Nothing."""


class Recent:
    """(time, value) pairs that are forgotten after `span_s`."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._pairs: deque[tuple[float, float]] = deque()

    def add(self, value: float, now: float) -> None:
        """Add a value."""
        self._pairs.append((now, value))
        self.forget(now)

    def forget(self, now: float) -> None:
        """Drop what is too old."""
        while self._pairs and self._pairs[0][0] <= now - self._span_s:
            self._pairs.popleft()

    def __iter__(self) -> Iterator[float]:
        return (value for _, value in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def mean(self) -> float:
        """Return the mean; 0 of nothing."""
        return sum(self) / len(self) if self._pairs else 0.0


class Mix:
    """The last few hundred answers."""

    def __init__(self) -> None:
        self._kinds: deque[DemandKind] = deque(maxlen=_KEPT_ANSWERS)

    def __len__(self) -> int:
        return len(self._kinds)

    def add(self, answer: AnsweredRequest) -> None:
        """Add a request. Refused ones are left out: only their prompts are known."""
        if not answer.output_tokens and answer.met is not None:
            return
        left = answer.met is None
        least = _LEFT_OUTPUT_TOKENS if left else 1
        self._kinds.append(
            DemandKind(
                task=answer.task,
                prompt_tokens=answer.uncached_tokens,
                output_tokens=max(least, answer.output_tokens),
                target=answer.request.target,
                left_s=answer.ended_s if left else None,
            )
        )

    def shares(self) -> Mapping[Task, float]:
        """Return the tasks' shares of what is counted; empty of nothing."""
        tasks = Counter(kind.task for kind in self._kinds if kind.left_s is None)
        return {task: count / tasks.total() for task, count in tasks.items()}

    def kinds(self) -> tuple[DemandKind, ...]:
        """Return all of them: tasks come in their shares."""
        return tuple(self._kinds)


@dataclass(frozen=True, slots=True)
class StaticSettings:
    """Settings of the rule."""

    replicas: float = 1 << 16
    """Cut to the most that is allowed."""


class StaticPeak(IgnoresTraffic):
    """A fixed count."""

    def __init__(self, count: int) -> None:
        self._count = count

    def wanted(self, fleet: FleetState, now: float) -> Wanted:
        """Return the same, whatever happens."""
        return Wanted(self._count, "the number is fixed")
