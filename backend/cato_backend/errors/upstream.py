"""Errors of replicas and models that could not be hidden from the client."""

from __future__ import annotations

from cato_backend.errors.requests import RequestError


class PoisonRequest(RequestError):
    """Replicas died while they were starting this very request: it is not tried on another.

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
