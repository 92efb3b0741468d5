"""One answer on its way out: headers with the first token, then whatever the replica sends."""

from __future__ import annotations

from collections.abc import Callable

from cato_backend.errors import RequestCancelled as EndedByClient
from cato_backend.runtime.answer import Relayed
from cato_backend.runtime.calls import Sink, Started
from cato_backend.runtime.dispatcher import Dispatcher
from cato_backend.runtime.in_flight import InFlightRequest
from cato_backend.scheduling import Dispatch, Progressed
from cato_backend.wire import sse
from cato_backend.wire.headers import CancelReason

Describe = Callable[[InFlightRequest, str], Started]
"""What the response headers tell of a flight that a replica (by id) has begun to answer."""


class Delivery:
    """Of one flight into one sink, over all its attempts: an `Outlet`."""

    def __init__(
        self, flight: InFlightRequest, sink: Sink, dispatcher: Dispatcher, describe: Describe
    ) -> None:
        self._flight = flight
        self._sink = sink
        self._dispatcher = dispatcher
        self._describe = describe
        self._replica_id = ""
        self._attempt = 0

    def attempt(self, dispatch: Dispatch) -> None:
        """Take further events as those of this attempt."""
        self._replica_id, self._attempt = dispatch.replica_id, dispatch.attempt

    def take(self, relayed: Relayed) -> bool:
        """Tell the scheduler of progress, and the client of everything from the first token on.

        False where the client cannot be told at once: `settle` is due.
        """
        data, tokens, prompt_tokens, cached_tokens, shows = relayed
        flight = self._flight
        if tokens or prompt_tokens:
            name = flight.call.request.id
            progress = Progressed(name, self._attempt, tokens, prompt_tokens, cached_tokens)
            self._dispatcher.tell(progress)
        if flight.begun and not flight.held and (not data or self._sink.write_now(data)):
            return True
        flight.held += data
        # A chat's opening chunk shows nothing yet: another replica may still take over.
        return not (tokens or shows or flight.begun)

    async def settle(self) -> None:
        """Send what is held, under the headers if they have not left yet."""
        flight = self._flight
        data, flight.held = flight.held, b""
        if not data:
            return
        if not flight.begun:
            await self._begin()
        flight.waits_for_client = True
        try:
            await self._sink.write(data)
        finally:
            flight.waits_for_client = False

    async def end(self, reason: CancelReason) -> None:
        """End the call that its client ended by name: properly, on a connection that stays."""
        if not self._flight.call.streams:
            raise EndedByClient(f"the client ended it: {reason}")
        if not self._flight.begun:
            self._replica_id = ""
            await self._begin()
        await self._sink.write(sse.event(sse.DONE))

    async def _begin(self) -> None:
        flight = self._flight
        flight.begun = True
        flight.first_token_at = self._dispatcher.clock()
        await self._sink.begin(self._describe(flight, self._replica_id))
