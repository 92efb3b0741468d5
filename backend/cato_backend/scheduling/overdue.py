"""Replicas whose first tokens are overdue: they accept requests and answer none.

A busy replica differs from one that hangs by its signs of life. While any answer on it continues or
begins, a request that waits there is queued. Only silence counts: the time since the last token of
any request on the replica, or since the dispatch of the oldest request without a token. It may last
as long as the work that the engine can have begun: one prompt, or all that it computes together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from cato_backend.scheduling.attempt import Attempt
from cato_backend.scheduling.first_tokens import FirstTokens, by_law_s, work_of
from cato_backend.scheduling.outlier_record import OutlierRecord
from cato_backend.scheduling.replica import ReplicaLoad

LOOK_S = 0.05
"""Between two looks."""
_FACTOR = 1.5
"""Times what is expected."""
_SHORTEST_S = 0.25
"""An engine pauses for this time by itself now and then."""
_UNKNOWN_S = 0.8
"""The most that is waited for a first token, beside the time for its prompt, while nothing is known
of how long one takes."""
_AT_ONCE_S = 0.02
"""Prompts that come so shortly after each other may be computed in one step."""
_LONGEST_TRIAL_S = 0.8
_MANY_TRIALS = 10
_STARVED_S = 5.0
_STARVED_FACTOR = 5.0
"""No answer may begin for longer on a replica where others continue, while elsewhere they begin."""
STALLED_S = 3.0
"""Answers that have begun and bring nothing for so long, while nothing is to be prefilled."""


@dataclass(slots=True)
class _Signs:
    """Signs of life of one replica. Times on the scheduler's clock."""

    heard_at: float = 0.0
    """A reply of any kind."""
    began_at: float = 0.0
    """An answer's first token."""


class Overdue:
    """Records of the first tokens of all replicas."""

    def __init__(self) -> None:
        self._signs = defaultdict[str, _Signs](_Signs)
        self._first_tokens = defaultdict[tuple[str, bool], FirstTokens](FirstTokens)

    def began(self, attempt: Attempt, now: float) -> None:
        """Record that the attempt's first token has come."""
        self._signs[attempt.replica_id].began_at = now
        self._of(attempt).observe(attempt, now)

    def tried(self, replica: ReplicaLoad, seconds: float) -> None:
        """Record that a synthetic trial was answered after so long."""
        self._first_tokens[replica.model, True].tried(replica.replica_id, seconds)

    def heard(self, replica_id: str, now: float) -> None:
        """Record that the replica has replied to a request, by an answer's end or by an error."""
        self._signs[replica_id].heard_at = now

    def forget(self, replica_id: str) -> None:
        """Record that the replica has gone."""
        self._signs.pop(replica_id, None)
        for first_tokens in self._first_tokens.values():
            first_tokens.forget(replica_id)

    def silent_s(self, replica: ReplicaLoad, since: float, now: float) -> float:
        """Return seconds without a sign of life, `since` a time at the earliest."""
        heard_at = self._signs[replica.replica_id].heard_at
        return now - max(since, heard_at, replica.last_token_at or 0.0)

    def is_overdue(self, record: OutlierRecord, now: float) -> bool:
        """Return whether the replica is silent for longer than its work explains."""
        replica = record.replica
        if not replica.attempts:
            return False
        quiet_since = now - _SHORTEST_S / 2
        signs = self._signs[replica.replica_id]
        if (replica.last_token_at or 0.0) > quiet_since and signs.began_at > now - _STARVED_S:
            return False
        attempt = self._oldest(record)
        if attempt is None:
            return False
        if self._is_plainly_early(replica, attempt, now):
            return False
        longest_s = self._longest_s(replica, attempt)
        if record.trial is not None:
            longest_s = _patience_s(longest_s, record, attempt)
        if self.silent_s(replica, attempt.dispatched_at, now) > longest_s:
            return True
        return self._is_starved(replica, attempt, longest_s, now)

    def _is_plainly_early(self, replica: ReplicaLoad, attempt: Attempt, now: float) -> bool:
        """Return whether the replica is not overdue whatever is expected of it.

        Cheaper than to compute that, and the case at nearly every look.
        """
        budget_s = attempt.request.target.budget_s
        if self.silent_s(replica, attempt.dispatched_at, now) > min(_SHORTEST_S, budget_s / 4):
            return False
        began_at = self._signs[replica.replica_id].began_at
        return now - max(attempt.dispatched_at, began_at) <= _STARVED_S

    def stalled(self, replica: ReplicaLoad, now: float) -> bool:
        """Return whether its answers have begun and bring nothing, without a prompt in the way."""
        if (
            not replica.attempts
            or replica.unstarted
            or self.silent_s(replica, 0.0, now) <= STALLED_S
        ):
            return False
        return any(not attempt.silent for attempt in replica.attempts.values())

    def _is_starved(
        self, replica: ReplicaLoad, attempt: Attempt, longest_s: float, now: float
    ) -> bool:
        """Return whether answers continue there, but none begins, while elsewhere they do."""
        since = max(attempt.dispatched_at, self._signs[replica.replica_id].began_at)
        if now - since <= max(_STARVED_S, _STARVED_FACTOR * longest_s):
            return False
        elsewhere = self._of(attempt).elsewhere_since(replica.replica_id, since)
        return any(seconds < (now - since) / 4 for seconds in elsewhere)

    def _oldest(self, record: OutlierRecord) -> Attempt | None:
        """Return the attempt that is judged: the oldest without a token.

        What was left behind on a replica that has come back since says nothing.
        """
        attempts = record.replica.attempts
        if record.trial is not None:
            attempt = attempts.get(record.trial)
            return attempt if attempt is not None and attempt.silent else None
        silent = (
            attempt
            for attempt in attempts.values()
            if attempt.silent and attempt.dispatched_at >= record.reinstated_at
        )
        return _streamed_first(silent)

    def _longest_s(self, replica: ReplicaLoad, attempt: Attempt) -> float:
        """Return how long the replica may be silent with this attempt on it."""
        budget_s = attempt.request.target.budget_s
        prompt_tokens = _under_way(replica, attempt)
        law_s = by_law_s(replica.learned, attempt, prompt_tokens)
        expected_s = self._of(attempt).expected_s(
            replica.replica_id,
            work_of(attempt, prompt_tokens),
            law_s,
            known=replica.profile is not None or replica.learned.windows > 0,
        )
        if expected_s is not None:
            return min(_SHORTEST_S, budget_s / 2) + _FACTOR * expected_s
        share = budget_s / (2 if attempt.request.target.e2e_s is None else 4)
        return min(_UNKNOWN_S, share) + law_s

    def _of(self, attempt: Attempt) -> FirstTokens:
        return self._first_tokens[attempt.request.model, attempt.request.streams]


def _under_way(replica: ReplicaLoad, attempt: Attempt) -> int:
    """Return the prompt tokens that the engine can be at while it shows nothing.

    The largest prompt, or those that it began together.
    """
    began_at = max(attempt.dispatched_at, replica.last_token_at or 0.0) + _AT_ONCE_S
    largest = together = 0
    for each in replica.attempts.values():
        if each.silent:
            largest = max(largest, each.uncached_tokens)
            together += each.uncached_tokens if each.dispatched_at <= began_at else 0
    return max(largest, min(together, replica.learned.limits.max_num_batched_tokens))


def _streamed_first(attempts: Iterable[Attempt]) -> Attempt | None:
    """Return the oldest that is streamed, else the oldest.

    Only its end shows that the others continue.
    """
    oldest: Attempt | None = None
    for attempt in attempts:
        if attempt.request.streams:
            return attempt
        oldest = oldest or attempt
    return oldest


def _patience_s(longest_s: float, record: OutlierRecord, attempt: Attempt) -> float:
    """For a trial, more each time: a replica that is only slow has to be found to be so.

    Its client is left half of the time; the bound of seconds falls after many trials.
    """
    half_s = (attempt.request.deadline - attempt.dispatched_at) / 2
    if record.ejections <= _MANY_TRIALS:
        half_s = min(half_s, _LONGEST_TRIAL_S)
    return max(longest_s, min(longest_s * 2.0**record.ejections, half_s))
