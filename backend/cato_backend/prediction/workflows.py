"""Divides one end-to-end budget among the stages of a workflow.

A stage is a set of calls that run side by side; it is over with the last of them. The budget is
split so that every remaining stage has the same chance to keep its share: each gets the quantile,
at one common level, of how long it takes. Shares by fixed weights ignore that stages differ, and a
deadline for each call alone leaves the last ones nothing. After each stage the split is made again
from what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cato_backend.prediction.lengths import OutputLengths
from cato_backend.prediction.service import ReplicaState, ServiceModel, Work
from cato_backend.wire.headers import Task

_SMOOTHING = 0.1
_FIRST_TTFT_S = 0.2
_FIRST_TOKEN_S = 0.02
"""Before anything was observed; a mid-size model on a current GPU."""
_LOW, _HIGH = 0.5, 0.99
"""Levels between which the split follows the quantiles; beyond them shares only grow in proportion,
because the far tails of an estimate say little."""
_HALVINGS = 20


class LearnedTimes:
    """Implements `CallTimes` from answers that have ended."""

    def __init__(self) -> None:
        self._lengths = OutputLengths()
        self._ttft_s: dict[Task, float] = {}
        self._token_s: float | None = None

    def observe(self, call: PlannedCall, tokens: int, ttft_s: float, e2e_s: float) -> None:
        """Learn from an answer that has ended.

        Seconds count from when it was sent to a replica's queue.
        """
        self._lengths.observe(call.task, call.prompt_tokens, call.max_tokens, tokens, finished=True)
        before = self._ttft_s.get(call.task, ttft_s)
        self._ttft_s[call.task] = before + _SMOOTHING * (ttft_s - before)
        if tokens > 1:
            per_token = (e2e_s - ttft_s) / (tokens - 1)
            earlier = per_token if self._token_s is None else self._token_s
            self._token_s = earlier + _SMOOTHING * (per_token - earlier)

    def has_seen(self, task: Task) -> bool:
        """Return whether answers to this task show how long its calls take."""
        return task in self._ttft_s and self._token_s is not None

    def median_tokens(self, call: PlannedCall) -> float:
        """Half of such answers are no longer."""
        return self._lengths.quantile(call.task, call.prompt_tokens, call.max_tokens, 0.5)

    def quantile_tokens(self, call: PlannedCall, q: float) -> float:
        """Return the output tokens that a share `q` of such answers does not exceed.

        They spread about what is expected of the call, where something is.
        """
        usual = self._lengths.quantile(call.task, call.prompt_tokens, call.max_tokens, q)
        if call.expected_tokens is None:
            return usual
        expected = call.expected_tokens * usual / max(1.0, self.median_tokens(call))
        return min(expected, call.max_tokens)

    def quantile_s(self, call: PlannedCall, q: float) -> float:
        """Seconds from sending to the last token; only the length is taken to be uncertain."""
        first = self._ttft_s.get(call.task, _FIRST_TTFT_S)
        token_s = _FIRST_TOKEN_S if self._token_s is None else self._token_s
        return first + max(0.0, self.quantile_tokens(call, q) - 1) * token_s


@dataclass(frozen=True, slots=True)
class TimesByLaw:
    """Implements `CallTimes`: as learned, and by the law of an idle replica before that."""

    learned: LearnedTimes
    service: ServiceModel
    overhead_s: float

    def quantile_s(self, call: PlannedCall, q: float) -> float:
        """Seconds from sending to the last token; only the length is taken to be uncertain."""
        if self.learned.has_seen(call.task):
            return self.learned.quantile_s(call, q)
        work = Work(max(1, call.prompt_tokens), output=self.learned.quantile_tokens(call, q))
        return self.overhead_s + self.service.e2e_s(ReplicaState(), work)


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call that will be made, in tokens."""

    task: Task
    prompt_tokens: int
    max_tokens: int
    expected_tokens: int | None = None
    """Expected output tokens; None where they are not known."""


class CallTimes(Protocol):
    """Predicts the times of calls."""

    def quantile_s(self, call: PlannedCall, q: float) -> float:
        """Seconds from sending the call to its last token that a share `q` does not exceed."""
        ...


Stage = Sequence[PlannedCall]


def stage_budget_s(stages: Sequence[Stage], remaining_s: float, times: CallTimes) -> float:
    """Seconds, of the `remaining_s` above 0, for the first of the stages; every stage has a call.

    All of it for the last stage.
    """
    if len(stages) == 1:
        return remaining_s
    level = _common_level(stages, remaining_s, times)
    first = _stage_s(stages[0], level, times)
    return remaining_s * first / _path_s(stages, level, times)


def expected_s(stages: Sequence[Stage], times: CallTimes) -> float:
    """Return the seconds that all the stages together take in half of all cases."""
    return _path_s(stages, _LOW, times)


def _common_level(stages: Sequence[Stage], remaining_s: float, times: CallTimes) -> float:
    """Return the level at which all stages together take what is left."""
    return _bisected(lambda level: _path_s(stages, level, times) <= remaining_s)


def _bisected(fits: Callable[[float], bool]) -> float:
    low, high = _LOW, _HIGH
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _path_s(stages: Sequence[Stage], level: float, times: CallTimes) -> float:
    return sum(_stage_s(stage, level, times) for stage in stages)


def _stage_s(stage: Stage, level: float, times: CallTimes) -> float:
    """Return the seconds of a stage at a level, with all its calls at once.

    The last of n independent calls is done by its time with probability q where each of them is
    with probability q^(1/n).
    """
    each = level ** (1 / len(stage))
    return max(times.quantile_s(call, each) for call in stage)
