"""What waits for one model, by token and session: whose request goes when the queue is full."""

from __future__ import annotations

from collections import defaultdict

from cato_backend.requests import Origin, Request


class Backlog:
    """Queued requests of one model."""

    def __init__(self) -> None:
        self._tenants = defaultdict[str, _Tenant](_Tenant)

    def add(self, request: Request) -> None:
        """It is queued."""
        origin = request.origin
        tenant = self._tenants[origin.tenant]
        tenant.waiting += 1
        tenant.sessions[origin.session][request.id] = None

    def remove(self, request: Request) -> None:
        """It is no longer queued."""
        origin = request.origin
        tenant = self._tenants[origin.tenant]
        tenant.waiting -= 1
        session = tenant.sessions[origin.session]
        del session[request.id]
        if not session:
            del tenant.sessions[origin.session]
        if not tenant.waiting:
            del self._tenants[origin.tenant]

    def of_session(self, origin: Origin) -> int:
        """How many requests of the session are queued."""
        tenant = self._tenants.get(origin.tenant)
        return len(tenant.sessions.get(origin.session, ())) if tenant else 0

    def longest(self, origin: Origin) -> list[str]:
        """Requests that may go for one of this origin, the newest first: of the session that has
        the most of the token that has the most. Empty where the origin itself has as many.

        As in the longest queue drop of fair queueing: one who sends much cannot shut others out.
        """
        if not self._tenants:
            return []
        name = max(self._tenants, key=lambda each: self._tenants[each].waiting)
        tenant, own = self._tenants[name], self._tenants.get(origin.tenant)
        if name != origin.tenant and tenant.waiting < (own.waiting if own else 0) + 2:
            name, tenant = origin.tenant, own or _Tenant()
        session = max(tenant.sessions.values(), key=len, default=dict[str, None]())
        if name == origin.tenant and len(session) < self.of_session(origin) + 2:
            return []
        return list(reversed(session))


class _Tenant:
    __slots__ = ("sessions", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self.sessions = defaultdict[str, dict[str, None]](dict)
        """Request ids by session, in the order of their coming."""
