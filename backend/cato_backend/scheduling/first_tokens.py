"""How long first tokens have taken lately, and how long the next one may take.

Nothing is assumed of the engine but that a prompt of twice the size takes at most twice the time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.prediction.service import ServiceModel
from cato_backend.scheduling.replica import Attempt

_REMEMBERED = 64
_SIMILAR = 8
_ENOUGH = 4
"""First tokens that tell what is usual."""
_DECODE_WORK = 200
"""Prompt tokens that take as long as one output token does."""


class FirstToken(NamedTuple):
    """One that has come."""

    work: int
    """Prompt tokens that were to be computed before it; see `work_of`."""
    seconds: float
    """Since the dispatch."""
    at: float
    replica_id: str


class FirstTokens:
    """Of one model, by replica; of answers that are streamed, or of those that come whole."""

    def __init__(self) -> None:
        self._of_replica: dict[str, deque[FirstToken]] = {}
        self._latest: deque[FirstToken] = deque(maxlen=_REMEMBERED)

    def observe(self, attempt: Attempt, now: float) -> None:
        """The attempt's first token has come now."""
        seconds, replica_id = now - attempt.dispatched_at, attempt.replica_id
        seen = FirstToken(work_of(attempt, attempt.queued_tokens), seconds, now, replica_id)
        self._of_replica.setdefault(replica_id, deque(maxlen=_REMEMBERED)).append(seen)
        self._latest.append(seen)

    def forget(self, replica_id: str) -> None:
        """The replica has gone; one of the same name may be another."""
        self._of_replica.pop(replica_id, None)

    def expected_s(self, replica_id: str, work: int, profile_s: float) -> float | None:
        """The longest that so much work should take there: by the replica's own first tokens, else
        by those of the model's other replicas and what its profile says (0 without one); None where
        too few have come."""
        own = self._of_replica.get(replica_id, ())
        if len(own) >= _ENOUGH:
            return _longest_s(own, work)
        others = [seen for seen in self._latest if seen.replica_id != replica_id]
        if len(others) < _ENOUGH:
            return None
        return max(_longest_s(others, work), _longest_s(own, work) if own else 0.0, profile_s)

    def elsewhere_since(self, replica_id: str, since: float) -> list[float]:
        """Seconds that first tokens of requests dispatched to other replicas after `since` took."""
        return [
            seen.seconds
            for seen in self._latest
            if seen.replica_id != replica_id and seen.at - seen.seconds >= since
        ]


def work_of(attempt: Attempt, prompt_tokens: int) -> int:
    """Prompt tokens to be computed before its first sign of life, where `prompt_tokens` are to be
    computed at all. An answer that is not streamed shows none before its end."""
    return max(1, prompt_tokens) + _DECODE_WORK * _output_tokens(attempt)


def by_law_s(learned: LearnedLaw, attempt: Attempt, prompt_tokens: int) -> float:
    """Seconds for the same work by what is believed of the replica's step law, be it a guess."""
    service = ServiceModel(learned.belief.law, learned.limits)
    seconds = service.prompt_s(0, 0, max(1, prompt_tokens), 0)
    return seconds + _output_tokens(attempt) * service.token_s(1, 0)


def _output_tokens(attempt: Attempt) -> int:
    request = attempt.request
    return 0 if request.streams else max(1, request.max_tokens - attempt.emitted)


def _longest_s(seen: Iterable[FirstToken], work: int) -> float:
    """Of those with the most similar work, stretched where there was less of it."""
    similar = sorted(seen, key=lambda each: abs(math.log(each.work / work)))[:_SIMILAR]
    return max(each.seconds * max(1.0, work / each.work) for each in similar)
