"""Errors of an overloaded or stopping server. Most carry the time after which to retry."""

from __future__ import annotations

from cato_backend.errors.requests import RequestError


class Overloaded(RequestError):
    """The queue is full. `retry_after_s`: when it should have room again."""

    status = 429
    type = "rate_limit_error"
    code = "overloaded"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ReplicasBusy(Overloaded):
    """Every replica refuses requests for longer than this one can wait."""

    code = "replicas_busy"


class LimitReached(Overloaded):
    """A team or a person has reached its limit of requests per minute or of concurrent requests."""

    code = "limit_reached"


class BudgetSpent(Overloaded):
    """A team's or a person's budget of the day is spent."""

    code = "budget_spent"


class NoReplica(RequestError):
    """No healthy replica could take the request before its deadline."""

    status = 503
    type = "service_unavailable_error"
    code = "no_replica"


class StoreUnavailable(RequestError):
    """The store of people and teams cannot be read or written now."""

    status = 503
    type = "service_unavailable_error"
    code = "store_unavailable"


class TooManyConnections(RequestError):
    """All connections are taken, and none of them is idle."""

    status = 503
    type = "service_unavailable_error"
    code = "too_many_connections"
    retry_after_s = 1.0


class ShuttingDown(RequestError):
    """The server accepts no new requests, or aborts those under way.

    `retry_after_s`: when another one may have taken its place.
    """

    status = 503
    type = "service_unavailable_error"
    code = "shutting_down"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Expired(RequestError):
    """The request's queue timeout passed before a replica could start it."""

    status = 504
    type = "timeout_error"
    code = "expired"
