"""Decisions of the scheduler."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, TypeAlias


class Refusal(StrEnum):
    """Reasons why a request ends without a complete answer; low-cardinality, for metrics too."""

    OVERLOADED = "overloaded"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    NO_REPLICA = "no_replica"
    REPLICA_FAILED = "replica_failed"
    REPLICAS_BUSY = "replicas_busy"
    """Every replica refuses requests, and will do so until after the deadline."""
    REPLICAS_DIED = "replicas_died"
    """Two replicas died while they were starting this very request."""


class Dispatch(NamedTuple):
    """Send the request to the replica. `attempt` counts from 1."""

    request_id: str
    replica_id: str
    attempt: int
    priority: int = 0
    """For the engine's own waiting queue: lower first, in milliseconds where it means a time."""
    relegated: bool = False
    """Whether the request goes behind all that can still meet their targets, as it cannot."""


class Abort(NamedTuple):
    """Stop this attempt on its replica: its answer is no longer awaited."""

    request_id: str
    attempt: int
    moved: bool = False
    """Whether another replica is to answer the request, because this one is overdue."""


class Recall(NamedTuple):
    """Give this attempt up if it has come to a standstill and can be continued elsewhere.

    Then AttemptFailed follows.
    """

    request_id: str
    attempt: int


class Reason(StrEnum):
    """Reasons for an ejection; low-cardinality, for metrics too."""

    FAILURES = "failures"
    """Attempts failed by its fault, several in a row."""
    OVERDUE = "overdue"
    """It takes requests and does not begin to answer them."""
    BUSY = "busy"
    """It refused a request for want of room."""


class Eject(NamedTuple):
    """The replica gets no requests for `rest_s`, and then one trial request at a time.

    The runtime has nothing to do but to tell people.
    """

    replica_id: str
    reason: Reason
    rest_s: float
    ejections: int
    """How many there were lately, this one included."""


class Reinstate(NamedTuple):
    """The replica gets requests as the others do."""

    replica_id: str


class Reject(NamedTuple):
    """End the request towards its client. It has left the scheduler."""

    request_id: str
    refusal: Refusal
    retry_after_s: float = 0.0


class WakeAt(NamedTuple):
    """Send Woke at this time (seconds, scheduler clock), unless a later WakeAt replaces it."""

    time: float


class SyntheticTrial(NamedTuple):
    """Ask the replica for one token of a short prompt; SyntheticTrialEnded follows.

    It replaces an earlier trial that has not been answered. No client has to wait for a replica
    that hangs.
    """

    replica_id: str


Decision: TypeAlias = (
    Dispatch | Abort | Recall | Reject | Eject | Reinstate | SyntheticTrial | WakeAt
)
