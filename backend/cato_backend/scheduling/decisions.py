"""What the scheduler wants done."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, TypeAlias


class Refusal(StrEnum):
    """Why a request ends without (the rest of) its answer; low-cardinality, for metrics too."""

    OVERLOADED = "overloaded"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    NO_REPLICA = "no_replica"
    REPLICA_FAILED = "replica_failed"


class Dispatch(NamedTuple):
    """Send the request to the replica. `attempt` counts from 1."""

    request_id: str
    replica_id: str
    attempt: int
    priority: int = 0
    """For the engine's own waiting queue: lower first, in milliseconds where it means a time."""


class Abort(NamedTuple):
    """Stop this attempt on its replica: nobody waits for it any more."""

    request_id: str
    attempt: int


class Reject(NamedTuple):
    """End the request towards its client. It has left the scheduler."""

    request_id: str
    refusal: Refusal
    retry_after_s: float = 0.0


class WakeAt(NamedTuple):
    """Send Woke at this time (seconds, scheduler clock), unless a later WakeAt replaces it."""

    time: float


Decision: TypeAlias = Dispatch | Abort | Reject | WakeAt
