"""What is remembered of calls that have ended, so that feedback can be joined to them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from cato_backend.wire.headers import Task

_MOST = 10_000


@dataclass(frozen=True, slots=True)
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
