"""Calls that share one end-to-end budget by naming the same workflow."""

from __future__ import annotations

from collections import OrderedDict

from cato_backend.requests import Target

_MOST = 10_000
_FORGOTTEN_S = 60.0
"""After its deadline; the same name is a new workflow then."""
_LEAST_BUDGET_S = 0.001
"""Of a call that comes after its workflow's deadline: late already, but answered."""


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
