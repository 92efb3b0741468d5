"""The scheduler's refusals in the terms of HTTP."""

from __future__ import annotations

from cato_backend.errors import (
    Expired,
    NoReplica,
    Overloaded,
    PoisonRequest,
    ReplicasBusy,
    RequestError,
    Superseded,
    UpstreamFailed,
)
from cato_backend.scheduling import Refusal


def refused(refusal: Refusal, retry_after_s: float) -> RequestError:
    """Return what the client is told for the scheduler's refusal."""
    match refusal:
        case Refusal.OVERLOADED:
            return Overloaded("the queue is full; come back later", retry_after_s=retry_after_s)
        case Refusal.SUPERSEDED:
            return Superseded("a newer request of the same document took its place")
        case Refusal.EXPIRED:
            return Expired("its queue timeout passed before a replica could start it")
        case Refusal.NO_REPLICA:
            return NoReplica("no healthy replica until the deadline")
        case Refusal.REPLICA_FAILED:
            return UpstreamFailed("the replica failed and the request could not be moved")
        case Refusal.REPLICAS_BUSY:
            return ReplicasBusy(
                "every replica of the model refuses requests for now; come back later",
                retry_after_s=retry_after_s,
            )
        case Refusal.REPLICAS_DIED:
            return PoisonRequest(
                "two replicas died while they were starting this request; it was not sent to a"
                " third. Change the request before you send it again"
            )
