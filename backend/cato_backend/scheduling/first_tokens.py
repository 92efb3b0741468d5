"""Recent times to first tokens, and a bound for the next one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.prediction.service import ServiceModel
from cato_backend.scheduling.attempt import Attempt
from cato_backend.scheduling.outlier_record import TRIAL_TOKENS

_REMEMBERED = 64
_ENOUGH = 4
"""First tokens that tell what is usual."""
_USUAL_SHARE = 0.9
"""Of first tokens that come within what is usual."""
_FAR = 2.0
"""Times the largest work seen; what takes longer than in proportion (attention) shows there."""
_LEAST_S = 0.005
"""Of a first token; what is shorter is not told apart."""
_DECODE_WORK = 200
"""Prompt tokens that take as long as one output token does."""


class FirstToken(NamedTuple):
    """A first token that has arrived."""

    work: int
    """Prompt tokens that were to be computed before it; see `work_of`."""
    seconds: float
    """Since the dispatch."""
    at: float
    replica_id: str


class FirstTokens:
    """First tokens of one model by replica, of streamed answers or of whole ones."""

    def __init__(self) -> None:
        self._of_replica: dict[str, deque[FirstToken]] = {}
        self._latest: deque[FirstToken] = deque(maxlen=_REMEMBERED)
        self._trials: dict[str, float] = {}
        """By replica, the seconds that its latest synthetic trial took."""

    def observe(self, attempt: Attempt, now: float) -> None:
        """Record that the attempt's first token has come now."""
        seconds, replica_id = now - attempt.dispatched_at, attempt.replica_id
        seen = FirstToken(work_of(attempt, attempt.queued_tokens), seconds, now, replica_id)
        self._of_replica.setdefault(replica_id, deque(maxlen=_REMEMBERED)).append(seen)
        self._latest.append(seen)

    def tried(self, replica_id: str, seconds: float) -> None:
        """Record that a synthetic trial was answered after so long."""
        self._trials[replica_id] = seconds

    def forget(self, replica_id: str) -> None:
        """Record that the replica has gone; one of the same name may be another."""
        self._of_replica.pop(replica_id, None)
        self._trials.pop(replica_id, None)

    def expected_s(self, replica_id: str, work: int, law_s: float, *, known: bool) -> float | None:
        """Return the longest time that this amount of work should take there.

        By the replica's own first tokens, else by those of the model's other replicas, and as much
        slower as the few of its own and its synthetic trial were; None where too few have come.

        `law_s` is what the replica's step law says; it counts beside what was seen elsewhere where
        the law is `known`, and beside anything for work that is larger by far.
        """
        own: Sequence[FirstToken] = self._of_replica.get(replica_id, ())
        if len(own) >= _ENOUGH:
            return _usual_s(own, work, law_s)
        others = [seen for seen in self._latest if seen.replica_id != replica_id]
        if len(others) < _ENOUGH:
            return None
        shown = [(each.work, each.seconds) for each in own]
        if replica_id in self._trials:
            shown.append((TRIAL_TOKENS, self._trials[replica_id]))
        slower = max((s / max(_LEAST_S, _usual_s(others, w, 0.0)) for w, s in shown), default=1.0)
        expected_s = max(1.0, slower) * _usual_s(others, work, law_s)
        return max(expected_s, law_s) if known else expected_s

    def elsewhere_since(self, replica_id: str, since: float) -> list[float]:
        """Return the seconds of first tokens from other replicas, dispatched after `since`."""
        return [
            seen.seconds
            for seen in self._latest
            if seen.replica_id != replica_id and seen.at - seen.seconds >= since
        ]


def work_of(attempt: Attempt, prompt_tokens: int) -> int:
    """Return the prompt tokens to be computed before the first sign of life.

    `prompt_tokens` are to be computed at all. An answer that is not streamed shows none before its
    end.
    """
    return max(1, prompt_tokens) + _DECODE_WORK * _output_tokens(attempt)


def by_law_s(learned: LearnedLaw, attempt: Attempt, prompt_tokens: int) -> float:
    """Return seconds for the same work by the replica's step law, even a guessed one."""
    service = ServiceModel(learned.belief.law, learned.limits)
    seconds = service.prompt_s(0, 0, max(1, prompt_tokens), 0)
    return seconds + _output_tokens(attempt) * service.token_s(1, 0)


def _output_tokens(attempt: Attempt) -> int:
    request = attempt.request
    return 0 if request.streams else max(1, request.max_tokens - attempt.resumed)


def _usual_s(seen: Sequence[FirstToken], work: int, law_s: float) -> float:
    """In proportion to the work, and what nine in ten took beside that."""
    large = sorted(seen, key=lambda each: each.work)[len(seen) // 2 :]
    per_token_s = median(each.seconds / each.work for each in large)
    beside = sorted(max(0.0, each.seconds - per_token_s * each.work) for each in seen)
    expected_s = per_token_s * work + beside[int(_USUAL_SHARE * (len(beside) - 1))]
    return max(expected_s, law_s) if work > _FAR * large[-1].work else expected_s
