"""Errors of engines, replicas and lists of replicas."""

from __future__ import annotations

from cato_backend.errors.base import CatoError


class EngineError(CatoError):
    """An engine that could not be installed, started or kept alive."""


class DamagedModel(EngineError):
    """A model file that is missing or whose checksum is wrong."""


class ReplicaLost(EngineError):
    """A replica whose node or cluster is gone, by no fault of its engine."""


class SourceUnavailable(EngineError):
    """A list of replicas that cannot be had now. `reason` says why, `remedy` what to do."""

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
