"""The spans of one request: in the queue, on replicas, to the first token, and its stream.

No attribute holds code, a prompt, a token or a path.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from cato_backend.clock import Clock
from cato_backend.requests import Request
from cato_backend.runtime.calls import ApiKind, Call
from cato_backend.runtime.traces import TokenCounts
from cato_backend.scheduling import Dispatch

_PROPAGATOR = TraceContextTextMapPropagator()
_OPERATIONS = {ApiKind.COMPLETION: "text_completion", ApiKind.CHAT: "chat"}
_GOOD = frozenset({"met", "enough", "late", "cancelled", "superseded", "made_again"})
"""Outcomes that are no error of the server."""


class RequestSpans:
    """A `RequestTrace`. `unix_s`: Unix time, in seconds; spans of one request share its offset."""

    def __init__(self, tracer: Tracer, call: Call, clock: Clock, unix_s: Clock) -> None:
        self._tracer = tracer
        self._clock = clock
        self._offset_s = unix_s() - clock()
        request = call.request
        parent = _PROPAGATOR.extract(dict(call.trace_context))
        self._root = tracer.start_span(
            "cato.request",
            parent,
            SpanKind.SERVER,
            _described(call),
            start_time=self._at(request.arrival),
        )
        self._root_context = set_span_in_context(self._root)
        self._waits_since: int | None = self._at(request.arrival)
        """Since when it waits for a replica; None while one has it, or has had it to its end."""
        self._taken_at: int | None = None
        """When an attempt was ended; if another one follows, it waits since then."""
        self._attempt: Span | None = None
        self._part: Span | None = None
        """The current span of the attempt: until the first token, or its stream."""

    def sent(self, dispatch: Dispatch, predicted_s: float | None) -> None:
        """Record that it goes to a replica now. `predicted_s`: to the promised event."""
        now = self._now()
        self._waits_since, self._taken_at = self._waits_since or self._taken_at, None
        self._waited(now)
        attributes: dict[str, str | int | float | bool] = {
            "cato.replica": dispatch.replica_id,
            "cato.attempt": dispatch.attempt,
            "cato.relegated": dispatch.relegated,
        }
        if predicted_s is not None:
            attributes["cato.predicted_s"] = predicted_s
        self._attempt = self._tracer.start_span(
            "cato.attempt", self._root_context, SpanKind.CLIENT, attributes, start_time=now
        )
        self._part = self._child("cato.first_token", now, self._attempt)

    def headers(self) -> Mapping[str, str]:
        """Return the trace headers for the replica."""
        carrier: dict[str, str] = {}
        if self._attempt is not None:
            _PROPAGATOR.inject(carrier, set_span_in_context(self._attempt))
        return carrier

    def began(self) -> None:
        """Record that the first token goes to the client."""
        if self._part is not None and self._attempt is not None:
            now = self._now()
            self._part.end(now)
            self._part = self._child("cato.stream", now, self._attempt)

    def failed(self, problem: str) -> None:
        """Record that the attempt has ended without the end of the answer."""
        now = self._now()
        if self._attempt is not None:
            self._attempt.set_attribute("cato.problem", problem)
            self._attempt.set_status(Status(StatusCode.ERROR, problem))
        self._end_attempt(now)
        self._waits_since = now

    def interrupted(self) -> None:
        """Record that the attempt was ended: its client has ended it, or another one follows."""
        now = self._now()
        self._end_attempt(now)
        self._taken_at = now

    def ended(self, outcome: str, tokens: TokenCounts) -> None:
        """Record how it ended for its client."""
        now = self._now()
        self._end_attempt(now)
        self._waited(now)
        root = self._root
        root.set_attribute("cato.outcome", outcome)
        root.set_attribute("gen_ai.usage.output_tokens", tokens.output)
        if tokens.prompt is not None:
            root.set_attribute("gen_ai.usage.input_tokens", tokens.prompt)
        if tokens.cached is not None:
            root.set_attribute("cato.cached_tokens", tokens.cached)
        if outcome not in _GOOD:
            root.set_attribute("error.type", outcome)
            root.set_status(Status(StatusCode.ERROR, outcome))
        root.end(now)

    def _waited(self, now: int) -> None:
        """Make the span of the wait that ends now, if there was one."""
        since, self._waits_since = self._waits_since, None
        if since is not None:
            self._child("cato.queue", since).end(now)

    def _child(self, name: str, start: int, below: Span | None = None) -> Span:
        context = self._root_context if below is None else set_span_in_context(below)
        return self._tracer.start_span(name, context, start_time=start)

    def _end_attempt(self, now: int) -> None:
        for span in (self._part, self._attempt):
            if span is not None:
                span.end(now)
        self._part = self._attempt = None

    def _now(self) -> int:
        return self._at(self._clock())

    def _at(self, time: float) -> int:
        """Return nanoseconds of Unix time."""
        return int((time + self._offset_s) * 1e9)


def _described(call: Call) -> dict[str, str | int | float | bool]:
    request = call.request
    found: dict[str, str | int | float | bool] = {
        "gen_ai.operation.name": _OPERATIONS[call.kind],
        "gen_ai.request.model": _shown(request),
        "gen_ai.request.max_tokens": request.max_tokens,
        "cato.request_id": call.name,
        "cato.task": str(request.task),
        "cato.budget_s": request.target.budget_s,
        "cato.streams": request.streams,
        "cato.warm": request.warm,
        "cato.over_budget": request.share.over_budget,
    }
    if request.target.tpot_s is not None:
        found["cato.tpot_target_s"] = request.target.tpot_s
    return found


def _shown(request: Request) -> str:
    """Return the model's name; some servers name a model by the folder that it lies in."""
    name = request.adapter or request.model
    return name.rstrip("/").rpartition("/")[2] if name.startswith(("/", "~", ".")) else name
