"""The connections of all fronts' clients, as the scheduler's process sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from cato_backend.fronts.hub import FrontLink
from cato_backend.fronts.messages import Cut, Draining, Report, ToFront
from cato_backend.gateway.connections import ConnectionLimits, Connections
from cato_backend.metrics import Metrics

_REPORT_S = 1.0
"""For the counts of a front; of one that takes longer the last ones are shown."""
_UNLIMITED = 1 << 30


class FrontClients(Connections):
    """Sums of what the fronts count; the connections that are its own are the fronts' relays."""

    def __init__(
        self, limits: ConnectionLimits, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        """`limits` are those of one gateway; what relays is not limited a second time."""
        own = ConnectionLimits(
            total=_UNLIMITED,
            idle=_UNLIMITED,
            header_s=limits.header_s,
            send_s=limits.send_s,
            unread_bytes=limits.unread_bytes,
        )
        super().__init__(own, metrics, clock)
        self.limits = limits
        """Of all fronts in sum."""
        self.links: set[FrontLink] = set()

    def __len__(self) -> int:
        return sum(link.counts.open for link in self.links)

    @property
    def busy(self) -> int:
        """Connections of clients with a request under way."""
        return sum(link.counts.busy for link in self.links if not link.is_quiet.is_set())

    @property
    def gateways(self) -> int:
        """Front processes that take connections."""
        return sum(link.listens for link in self.links)

    async def wait_quiet(self) -> None:
        """Return once no front that is being drained has a request under way."""
        await asyncio.gather(*(link.is_quiet.wait() for link in self.links))

    def cut(self) -> None:
        """Have the fronts cancel the handlers of all requests that are under way."""
        self.tell(Cut())

    async def refresh(self) -> None:
        """Ask the fronts what they have counted."""
        links = tuple(self.links)
        for link in links:
            link.counted.clear()
        self.tell(Report(), links)
        waits = [asyncio.create_task(link.counted.wait()) for link in links]
        if waits:
            await asyncio.wait(waits, timeout=_REPORT_S)
        for wait in waits:
            wait.cancel()

    async def begin_drain(self, within_s: float) -> None:
        """Have the fronts take nothing new."""
        self.tell(Draining(within_s))
        await self.refresh()

    def tell(self, message: ToFront, links: Iterable[FrontLink] | None = None) -> None:
        """Send a message to these fronts, or to all."""
        for link in self.links if links is None else links:
            link.send(message)
