"""One answer on its way out: headers with the first token, then whatever the replica sends."""

from __future__ import annotations

from collections.abc import Callable

from cato_backend.errors import Cancelled as EndedByClient
from cato_backend.runtime.answer import Relayed
from cato_backend.runtime.calls import Sink, Started
from cato_backend.runtime.dispatcher import Dispatcher
from cato_backend.runtime.flight import Flight
from cato_backend.scheduling import Dispatch, Progressed
from cato_backend.wire import sse
from cato_backend.wire.headers import CancelReason

Describe = Callable[[Flight, str], Started]
"""What the response headers tell of a flight that a replica (by id) has begun to answer."""


class Delivery:
    """Of one flight into one sink, over all its attempts."""

    def __init__(
        self, flight: Flight, sink: Sink, dispatcher: Dispatcher, describe: Describe
    ) -> None:
        self._flight = flight
        self._sink = sink
        self._dispatcher = dispatcher
        self._describe = describe

    def outlet(self, dispatch: Dispatch) -> Stretch:
        """Takes what the replica of this dispatch answers."""
        return Stretch(self, dispatch)

    def relay(self, dispatch: Dispatch, relayed: Relayed) -> bool:
        """Tells the scheduler of progress, and the client of everything from the first token on.

        False where the client cannot be told at once: `flush` is due.
        """
        flight = self._flight
        if relayed.tokens or relayed.prompt_tokens:
            self._dispatcher.tell(
                Progressed(
                    dispatch.request_id,
                    dispatch.attempt,
                    relayed.tokens,
                    relayed.prompt_tokens,
                    relayed.cached_tokens,
                )
            )
        if self._sent_now(relayed.data):
            return True
        flight.held += relayed.data
        # A chat's opening chunk says nothing yet: another replica may still take over.
        return not (relayed.tokens or flight.begun)

    def _sent_now(self, data: bytes) -> bool:
        flight = self._flight
        if not flight.begun or flight.held:
            return False
        return not data or self._sink.write_now(data)

    async def flush(self, replica_id: str) -> None:
        """Sends what was held, under the headers if they have not left yet."""
        flight = self._flight
        data, flight.held = flight.held, b""
        if not data:
            return
        if not flight.begun:
            await self._begin(replica_id)
        await self._sink.write(data)

    async def end(self, reason: CancelReason) -> None:
        """The client ended its call by name: its stream ends properly, its connection stays."""
        if not self._flight.call.streams:
            raise EndedByClient(f"the client ended it: {reason}")
        if not self._flight.begun:
            await self._begin("")
        await self._sink.write(sse.event(sse.DONE))

    async def _begin(self, replica_id: str) -> None:
        flight = self._flight
        flight.begun = True
        flight.first_token_at = self._dispatcher.clock()
        await self._sink.begin(self._describe(flight, replica_id))


class Stretch:
    """The part of a delivery that one attempt brings: an `Outlet`."""

    def __init__(self, delivery: Delivery, dispatch: Dispatch) -> None:
        self._delivery = delivery
        self._dispatch = dispatch

    def take(self, relayed: Relayed) -> bool:
        """See `Delivery.relay`."""
        return self._delivery.relay(self._dispatch, relayed)

    async def settle(self) -> None:
        """Sends what could not be sent at once."""
        await self._delivery.flush(self._dispatch.replica_id)
