"""Records by tenant: ids of requests, deadlines of workflows, and calls that have ended."""

from __future__ import annotations

from collections import OrderedDict

from cato_backend.requests import Target, value
from cato_backend.wire.headers import Task

_MOST = 10_000
"""Workflows, and calls, that are remembered; the oldest are forgotten."""
_FORGOTTEN_S = 60.0
"""After its deadline; the same name is a new workflow then."""
_LEAST_BUDGET_S = 0.001
"""Of a call that comes after its workflow's deadline: late already, but answered."""


class Namespaces:
    """Makes ids of different tenants distinct, always in the same way.

    Were it done only where two are the same, an id in an answer would tell that another token uses
    it.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def internal(self, tenant: str, request_id: str) -> str:
        """Return the id that no other tenant's request has. Without tokens there is one tenant."""
        if not tenant:
            return request_id
        return f"{request_id}~{self._numbers.setdefault(tenant, len(self._numbers))}"


class Workflows:
    """Deadlines by tenant and workflow; times on the scheduler's clock."""

    def __init__(self) -> None:
        self._deadlines: OrderedDict[tuple[str, str], float] = OrderedDict()

    def target(self, tenant: str, workflow: str | None, own: Target, now: float) -> Target:
        """Return the target of a call that arrives `now`.

        What its workflow has left, at most its own.

        The first call's budget is the workflow's. Calls with a target for their first token, and
        those of no workflow, keep their own.
        """
        if workflow is None or own.e2e_s is None:
            return own
        key = (tenant, workflow)
        deadline = self._deadlines.get(key, now - 2 * _FORGOTTEN_S)
        if deadline + _FORGOTTEN_S < now:
            self._remember(key, now + own.e2e_s)
            return own
        return Target(e2e_s=max(_LEAST_BUDGET_S, min(own.e2e_s, deadline - now)))

    def _remember(self, key: tuple[str, str], deadline: float) -> None:
        self._deadlines[key] = deadline
        self._deadlines.move_to_end(key)
        if len(self._deadlines) > _MOST:
            self._deadlines.popitem(last=False)


@value
class CompletedCall:
    """One call. Seconds from its arrival; None where it did not come so far."""

    tenant: str
    task: Task
    model: str
    outcome: str
    ttft_s: float | None
    e2e_s: float | None


class History:
    """The newest calls by tenant and request id."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._calls: OrderedDict[tuple[str, str], CompletedCall] = OrderedDict()

    def add(self, request_id: str, past: CompletedCall) -> None:
        """Remember a call; the oldest is forgotten for it."""
        key = (past.tenant, request_id)
        self._calls[key] = past
        self._calls.move_to_end(key)
        if len(self._calls) > self._most:
            self._calls.popitem(last=False)

    def find(self, tenant: str, request_id: str) -> CompletedCall | None:
        """Return the tenant's call, if it is still remembered."""
        return self._calls.get((tenant, request_id))
