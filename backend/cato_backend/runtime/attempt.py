"""One attempt on one replica: the HTTP request, its stream, and the classification of failures."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from cato_backend.http1.connections import BadReply
from cato_backend.http1.servers import CannotConnect
from cato_backend.http1.upstreams import Upstreams
from cato_backend.runtime.chunks import AttemptBroken
from cato_backend.runtime.facts import Endpoint, UpstreamRoute
from cato_backend.runtime.in_flight import InFlightRequest
from cato_backend.runtime.relay import Outlet, relay_stream, relay_whole
from cato_backend.runtime.render import Upstream, can_resume, render, render_resumed
from cato_backend.runtime.replica_errors import ErrorInAnswer, PromptTooLong, refusal
from cato_backend.wire import sse

_MOST_OVERFLOWS = 4
_FEWEST_CHARS, _MOST_CHARS = 0.3, 30.0
"""Per token, of any prompt."""


class Unreachable(AttemptBroken):
    """No connection could be opened; other requests would fail alike.

    `was_sent`: this one went out before, on a kept connection that brought no answer.
    """

    def __init__(self, message: str, *, was_sent: bool) -> None:
        super().__init__(message)
        self.was_sent = was_sent


class Died(AttemptBroken):
    """The connection broke, and new ones are refused: the replica has died."""


class NotSent(AttemptBroken):
    """The replica was never asked."""


@dataclass(frozen=True, slots=True)
class AttemptTimeouts:
    """The longest silence of a replica before its attempt is aborted, in seconds."""

    stream_s: float = 120.0
    """Between two pieces of a stream, and before the first."""
    whole_s: float = 1800.0
    """For an answer that comes in one piece."""


class Attempts:
    """Runs attempts over one pool of kept connections."""

    def __init__(self, upstreams: Upstreams, patience: AttemptTimeouts | None = None) -> None:
        self._upstreams = upstreams
        self._patience = patience or AttemptTimeouts()

    async def run(
        self,
        flight: InFlightRequest,
        leg: UpstreamRoute,
        outlet: Outlet,
    ) -> None:
        """Pass the answer on.

        Raises AttemptBroken, Misdirected, or RequestError for the client's own.

        A prompt that we cut to fit and that is too long nevertheless is cut shorter and sent again.
        """
        for overflows in range(_MOST_OVERFLOWS + 1):
            upstream = self._render(flight, leg, overflows)
            try:
                await self._send(flight, leg.endpoint, upstream, outlet)
            except PromptTooLong:
                if flight.call.infill is None or overflows == _MOST_OVERFLOWS:
                    raise
                continue
            _learn_ratio(leg, upstream.prompt_chars, flight.answer.prompt_tokens)
            return

    def _render(self, flight: InFlightRequest, leg: UpstreamRoute, overflows: int) -> Upstream:
        first = render(flight.call, leg, overflows)
        if not flight.begun:
            flight.start_over()
            return first
        if not can_resume(flight.call, flight.answer):
            raise NotSent("what was sent cannot be continued")
        return render_resumed(flight.call, flight.answer, first, leg.facts.max_model_len)

    async def _send(
        self, flight: InFlightRequest, endpoint: Endpoint, upstream: Upstream, outlet: Outlet
    ) -> None:
        headers = {"x-request-id": flight.call.request.id, **flight.trace.headers()}
        if endpoint.token:
            headers["authorization"] = f"Bearer {endpoint.token}"
        url = endpoint.url + upstream.path
        data = orjson.dumps(upstream.body)
        streams = flight.call.streams
        silence_s = self._patience.stream_s if streams else self._patience.whole_s
        relay = relay_stream if streams else relay_whole
        try:
            reply = await self._upstreams.post(url, data, headers, silence_s, streams=streams)
            try:
                if reply.status != 200:
                    data = await reply.read_all()
                    raise refusal(reply.status, data, flight.call.kind, reply.retry_after)
                await relay(flight, reply, outlet)
            finally:
                reply.release()
        except ErrorInAnswer as error:
            if flight.begun or error.status is None:
                raise
            raise refusal(error.status, error.body, flight.call.kind) from error
        except CannotConnect as error:
            if error.was_sent and not await self._upstreams.is_listening(endpoint.url):
                raise Died(str(error)) from error
            raise Unreachable(str(error), was_sent=error.was_sent) from error
        except ConnectionError as error:
            broken = AttemptBroken if await self._upstreams.is_listening(endpoint.url) else Died
            raise broken(f"{type(error).__name__}: {error}") from error
        except (OSError, BadReply) as error:
            raise AttemptBroken(f"{type(error).__name__}: {error}") from error
        except sse.MalformedStream as error:
            raise AttemptBroken(f"malformed stream: {error}") from error


def _learn_ratio(leg: UpstreamRoute, chars: int, tokens: int | None) -> None:
    """Learn the characters per token. Ignore implausible counts, such as 100 tokens a character."""
    if tokens and _FEWEST_CHARS <= chars / tokens <= _MOST_CHARS:
        leg.ratio.observe(chars, tokens)
