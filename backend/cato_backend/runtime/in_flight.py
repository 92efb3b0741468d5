"""A call in flight. It receives the scheduler's decisions."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from types import TracebackType

from cato_backend.errors import RequestError
from cato_backend.requests import value
from cato_backend.runtime.answer import Answer
from cato_backend.runtime.calls import Call
from cato_backend.runtime.render import can_resume
from cato_backend.runtime.traces import RequestTrace, untraced
from cato_backend.scheduling import Dispatch
from cato_backend.wire.headers import CancelReason


@value
class Predicted:
    """Seconds from dispatch to the promised event, the first or the last token."""

    service_s: float
    bound_s: float
    """Not exceeded nine times in ten, if `cato_prediction_coverage` tells the truth."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The client ended the request by name, and keeps its connection."""

    reason: CancelReason


class CallOutdated(Exception):
    """The call must be made again: the fleet has changed, and nothing was sent to the client.

    `least_context`: tokens of context that it has proved to need.
    """

    def __init__(self, least_context: int = 0) -> None:
        super().__init__(least_context)
        self.least_context = least_context


Verdict = Dispatch | RequestError | Ended | CallOutdated


class Interrupted(Exception):
    """The running attempt was aborted by the scheduler; the flight's next verdict says why."""


class Recalled(Exception):
    """The running attempt was given up at the scheduler's request."""


class InFlightRequest:
    """The state of one call. Its own coroutine reads the verdicts; everybody else only posts."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.answer = Answer(call)
        self.trace: RequestTrace = untraced(call)
        self.output_tokens = 0
        """What replicas have sent for it, in all attempts."""
        self.held = b""
        """Data before the first token, which are sent together with it."""
        self.begun = False
        """Whether response headers have left."""
        self.finished = False
        """Whether the scheduler knows that the answer is whole."""
        self.dispatched_at: float | None = None
        self.replica_id = ""
        self.attempts = 0
        """Where the latest attempt went, and its number."""
        self.first_token_at: float | None = None
        self.predicted: Predicted | None = None
        """At the latest dispatch."""
        self._verdicts: deque[Verdict] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._scope: asyncio.Timeout | None = None
        self._aborted = self._recalled = 0
        self._started = False
        self.waits_for_client = False
        """Whether the client does not take what is there for it, or left before it had taken it."""

    @property
    def is_delivered(self) -> bool:
        """Whether the client was sent an answer that is whole."""
        return self.answer.over and not self.held and not self.waits_for_client

    @property
    def can_move(self) -> bool:
        """Whether another replica can continue what the client has seen so far."""
        return not self.begun or can_resume(self.call, self.answer)

    def start_over(self) -> None:
        """Forget what an earlier attempt brought and the client has not seen."""
        if self._started:
            self.answer = Answer(self.call)
            self.held = b""
        self._started = True

    def post(self, verdict: Verdict) -> None:
        """Tell the flight what comes next."""
        self._verdicts.append(verdict)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next_verdict(self) -> Verdict:
        """Wait for what comes next."""
        # An `asyncio.Queue` takes ten calls, and mostly the first verdict is there already.
        while not self._verdicts:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._verdicts.popleft()

    def abort(self, attempt: int) -> None:
        """Interrupt this attempt, whether it runs or is about to."""
        self._aborted = attempt
        self._interrupt()

    def recall(self, attempt: int) -> None:
        """Give this attempt up, if it waits for its replica and another can continue."""
        if self.can_move and not self.waits_for_client:
            self._recalled = attempt
            self._interrupt()

    def _interrupt(self) -> None:
        # One that expires is unwinding already, and cannot be rescheduled.
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())

    def attempt(self, number: int) -> AttemptScope:
        """Inside, the attempt may be interrupted at any await. Raises Interrupted, Recalled."""
        return AttemptScope(self, number)

    def enter_scope(self, scope: asyncio.Timeout | None) -> None:
        """Set what an interruption ends; None: nothing."""
        self._scope = scope

    def is_aborted(self, attempt: int) -> bool:
        """Return whether the scheduler has aborted this attempt."""
        return self._aborted >= attempt


class AttemptScope:
    """An asynchronous context manager; a class, because a generator costs twice as much."""

    def __init__(self, flight: InFlightRequest, number: int) -> None:
        self._flight = flight
        self._number = number
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        """Raise Interrupted where the attempt was aborted before it began."""
        if self._flight.is_aborted(self._number):
            raise Interrupted
        await self._timeout.__aenter__()
        self._flight.enter_scope(self._timeout)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise Interrupted or Recalled where the scheduler has ended the attempt."""
        self._flight.enter_scope(None)
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError as expired:
            raise self._ending() from expired
        if isinstance(error, TimeoutError) and self._timeout.expired():
            raise self._ending() from error

    def _ending(self) -> Interrupted | Recalled:
        return Interrupted() if self._flight.is_aborted(self._number) else Recalled()
