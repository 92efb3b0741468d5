"""Errors of engines, replicas, models and lists of replicas."""

from __future__ import annotations

from cato_backend.errors.base import CatoError
from cato_backend.errors.requests import RequestError


class EngineError(CatoError):
    """An engine that could not be installed, started or kept alive."""


class DamagedModel(EngineError):
    """A model file that is missing or whose checksum is wrong."""


class ReplicaLost(EngineError):
    """The node or cluster of a replica is gone; its engine did not fail."""


class SourceUnavailable(EngineError):
    """A list of replicas is not available now. `reason` says why, `remedy` what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


class ReplicaUnavailable(EngineError):
    """A server that cannot serve as a replica now. `reason` says why, `remedy` what to do.

    `is_certain`: another look at once would find the same; one failed look is enough to act on.
    """

    def __init__(self, reason: str, remedy: str, *, is_certain: bool = False) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy
        self.is_certain = is_certain


class PoisonRequest(RequestError):
    """Replicas died while they were starting this request: it is not retried.

    A status that clients do not retry by themselves.
    """

    status = 422
    type = "invalid_request_error"
    code = "replicas_died"


class UpstreamFailed(RequestError):
    """A replica failed, and the request could not be moved to another unseen."""

    status = 502
    type = "upstream_error"
    code = "replica_failed"


class UnusableAnswer(RequestError):
    """A model answered with nothing, or repeated itself without end, and did so again."""

    status = 502
    type = "upstream_error"
    code = "unusable_answer"
