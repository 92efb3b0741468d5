"""Ends the answers under way of a token that was revoked or has expired."""

from __future__ import annotations

import asyncio

from cato_backend.clock import Clock, monotonic
from cato_backend.runtime.runtime import Runtime
from cato_backend.team.live import LiveTeams

_REVISION_S = 0.25
"""Between two looks at the store's revision. The store is looked at every half second."""
_EXPIRY_S = 1.0
"""Between two looks at all requests in flight while nothing changes in the store."""


class EndedTokens:
    """Looks at the requests in flight when the store has changed, and once a second."""

    def __init__(self, runtime: Runtime, teams: LiveTeams, clock: Clock = monotonic) -> None:
        self._runtime = runtime
        self._teams = teams
        self._clock = clock
        self._seen = teams.revision
        self._looked = clock()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_REVISION_S)
            self.look()

    def look(self) -> None:
        """End what a token asked for that is not valid any more, where it is time to look."""
        now, revision = self._clock(), self._teams.revision
        if revision == self._seen and now - self._looked < _EXPIRY_S:
            return
        self._seen, self._looked = revision, now
        if self._teams.has_tokens:
            self._runtime.end_where(lambda call: self._teams.ended(call.token_id))
