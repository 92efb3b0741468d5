"""One request to a server, and its outcome."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp
import orjson

from cato_backend.clock import Clock
from cato_backend.errors import Superseded
from cato_backend.wire import headers as names
from cato_backend.wire.headers import CancelReason, Task
from cato_lab.emulator.text import length_marker
from cato_lab.load_test.stream import Ended, has_token, read_end
from cato_lab.load_test.text import PromptText
from cato_lab.scoring.outcome import Ending, Outcome
from cato_lab.workloads.arrival import Arrival

_PRIORITIES = {task: rank for rank, task in enumerate(Task)}
"""vLLM's: lower first; completions before generation before summaries before translations."""
_AFTER_CANCEL_S = 5.0
"""A cancelled stream must have ended by then."""


class HeaderStyle(StrEnum):
    """Headers that tell the server the class of a request."""

    CATO = "cato"
    """The headers of `cato serve`; cancels by its cancel call."""
    PRIORITY = "priority"
    """vLLM's body field `priority`; cancels by closing."""
    NONE = "none"
    """Not at all; cancels by closing."""


class Lengths(StrEnum):
    """Ways to set the length of answers."""

    EXACT = "exact"
    """`max_tokens` and `ignore_eos`: any server obeys, but a router may read it there."""
    ANNOUNCED = "announced"
    """The prompt's last words, which `cato emulate` obeys; `max_tokens` is what the task may need
    at most, as an editor would ask."""


@dataclass(frozen=True, slots=True)
class Server:
    """The server under load, and how to reach it."""

    url: str
    model: str = ""
    """Empty: the first that the server lists."""
    token: str = ""
    style: HeaderStyle = HeaderStyle.NONE
    lengths: Lengths = Lengths.EXACT


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request, ready to be sent."""

    arrival: Arrival
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True)
class _Seen:
    """The state of an answer so far; times on the client's clock."""

    first_token: float | None = None
    queue_s: float | None = None


class Client:
    """Sends arrivals. `run_id` keeps request ids of two runs apart."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: Server,
        text: PromptText,
        clock: Clock,
        run_id: str,
    ) -> None:
        self._session, self._server, self._text = session, server, text
        self._clock, self._run_id = clock, run_id

    def prepare(self, arrival: Arrival) -> Prepared:
        """Write the request, before it is due."""
        return Prepared(arrival, orjson.dumps(self._body(arrival)), self._headers(arrival))

    async def send(self, prepared: Prepared, due: float) -> Outcome:
        """Return the whole life of one request that was due to leave at `due`.

        Never raises for what the server does: that is the outcome.
        """
        arrival, seen = prepared.arrival, _Seen()
        reading = asyncio.ensure_future(self._read(prepared, seen))
        patience = arrival.cancel_after_s
        left = None if patience is None else max(0.0, due + patience - self._clock())
        try:
            await asyncio.wait({reading}, timeout=left)
            if not reading.done():
                await self._cancel(arrival, reading)
                return self._outcome(arrival, due, seen, Ending.CANCELLED, Ended(0))
        finally:
            reading.cancel()
        return self._judge(arrival, due, seen, reading)

    def _judge(
        self, arrival: Arrival, due: float, seen: _Seen, reading: asyncio.Future[Ended]
    ) -> Outcome:
        try:
            ended = reading.result()
        except _Refused as refused:
            ending = _ending(refused.code, Ending.REJECTED)
            return self._outcome(arrival, due, seen, ending, Ended(0, None, str(refused)))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = type(error).__name__
            return self._outcome(arrival, due, seen, Ending.FAILED, Ended(0, None, reason))
        ending = _ending(ended.error, Ending.FAILED) if ended.error else Ending.FINISHED
        return self._outcome(arrival, due, seen, ending, ended)

    def _outcome(
        self, arrival: Arrival, due: float, seen: _Seen, ending: Ending, ended: Ended
    ) -> Outcome:
        first = seen.first_token
        return Outcome(
            arrival=arrival,
            ending=ending,
            ended_s=self._clock() - due,
            first_token_s=None if first is None else first - due,
            tokens=ended.tokens,
            queue_s=seen.queue_s,
            cached_tokens=ended.cached_tokens,
            reason=ended.error,
        )

    async def _read(self, prepared: Prepared, seen: _Seen) -> Ended:
        url = f"{self._server.url}/v1/completions"
        data, headers = prepared.body, prepared.headers
        async with self._session.post(url, data=data, headers=headers) as response:
            if response.status != 200:
                raise _Refused(response.status, await response.read())
            queue_ms = response.headers.get(names.QUEUE_MS)
            seen.queue_s = None if queue_ms is None else float(queue_ms) / 1e3
            data = b""
            while not has_token(data) and not response.content.at_eof():
                data += await response.content.readany()
            if has_token(data):
                seen.first_token = self._clock()
            # Waiting for the end alone leaves the further tokens to the parser: no wake-up each.
            await response.content.wait_eof()
            return read_end(data + await response.content.read())

    def _body(self, arrival: Arrival) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._server.model,
            "prompt": self._text.prompt(arrival),
            "max_tokens": arrival.output_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self._server.lengths is Lengths.ANNOUNCED:
            body["prompt"] += length_marker(arrival.output_tokens)
            body["max_tokens"] = arrival.max_tokens
        else:
            body["ignore_eos"] = True
        if self._server.style is HeaderStyle.PRIORITY:
            body["priority"] = _PRIORITIES[arrival.task]
        return body

    def _headers(self, arrival: Arrival) -> dict[str, str]:
        headers = self._authorization() | {"content-type": "application/json"}
        if self._server.style is not HeaderStyle.CATO:
            return headers
        target = arrival.target
        budget = names.SLO_E2E_MS if target.ttft_s is None else names.SLO_TTFT_MS
        headers |= {
            names.REQUEST_ID: self._id(arrival),
            names.TASK: arrival.task.value,
            names.SESSION: arrival.session,
            names.SUPERSEDE: "1" if arrival.supersede else "0",
            budget: f"{target.budget_s * 1e3:.1f}",
        }
        if arrival.document:
            headers[names.DOCUMENT] = arrival.document
        if arrival.expected_tokens is not None:
            headers[names.OUTPUT_TOKENS] = str(arrival.expected_tokens)
        if target.tpot_s is not None:
            headers[names.SLO_TPOT_MS] = f"{target.tpot_s * 1e3:.1f}"
        return headers

    async def _cancel(self, arrival: Arrival, reading: asyncio.Future[Ended]) -> None:
        """Tell `cato serve`, whose stream then ends by itself; elsewhere the connection closes."""
        if self._server.style is HeaderStyle.CATO:
            url = f"{self._server.url}/v1/requests/{self._id(arrival)}/cancel"
            body = orjson.dumps({"reason": CancelReason.TYPED})
            headers = self._authorization() | {"content-type": "application/json"}
            try:
                async with self._session.post(url, data=body, headers=headers) as response:
                    if response.status == 200:  # Other servers do not end it.
                        await asyncio.wait({reading}, timeout=_AFTER_CANCEL_S)
            except (aiohttp.ClientError, OSError, TimeoutError):
                return  # Closing the stream, which comes next, cancels too.

    def _id(self, arrival: Arrival) -> str:
        return f"{self._run_id}-{arrival.id}"

    def _authorization(self) -> dict[str, str]:
        token = self._server.token
        return {"authorization": f"Bearer {token}"} if token else {}


class _Refused(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, body: bytes) -> None:
        self.code = _code(body)
        super().__init__(f"{status} {self.code}".strip())


def _ending(code: str, otherwise: Ending) -> Ending:
    """Return how the request ended. One that its client superseded counts as taken back."""
    return Ending.CANCELLED if code == Superseded.code else otherwise


def _code(body: bytes) -> str:
    try:
        error = orjson.loads(body)["error"]
        return str(error.get("code") or error.get("type") or "")
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
        return ""
