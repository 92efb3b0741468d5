"""Spans of completions, sent to an OTLP receiver. No span holds code or a path."""

from __future__ import annotations

import threading
import time

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_LAST_S = 1.0
"""Spans that are not sent within this time after the session's end are lost."""
_PROPAGATOR = TraceContextTextMapPropagator()


class KeySpan:
    """From a key to the end of the answer that it asked for."""

    def __init__(self, span: Span) -> None:
        self._span = span
        span.add_event("sent")

    def headers(self) -> dict[str, str]:
        """Return what makes the backend's spans part of the trace."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, set_span_in_context(self._span))
        return carrier

    def ended(self, ttft_ms: float | None, failure: str) -> None:
        """Record the end; `failure` is the kind of what went wrong, or empty."""
        if ttft_ms is not None:
            self._span.set_attribute("cato.ttft_s", ttft_ms / 1000)
        if failure:
            self._span.set_status(Status(StatusCode.ERROR, failure))
        self._span.end()


class KeySpans:
    """Begins spans. They are kept in memory and sent from a thread of their own."""

    def __init__(self) -> None:
        resource = Resource.create({SERVICE_NAME: "cato-lsp"})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("cato-lsp")

    def begin(self, spent_ms: float, request_id: str, task: str, language_id: str) -> KeySpan:
        """Begin the span of a completion whose key was pressed `spent_ms` ago."""
        attributes: dict[str, str | float] = {
            "cato.request_id": request_id,
            "cato.task": task,
            "cato.language": language_id,
            "cato.before_sending_s": spent_ms / 1000,
        }
        start = time.time_ns() - int(spent_ms * 1e6)
        span = self._tracer.start_span(
            "cato.key", None, SpanKind.CLIENT, attributes, start_time=start
        )
        return KeySpan(span)

    def close(self) -> None:
        """Send what there is; blocks for a second at most."""
        # A receiver that is away is tried for longer: the thread is left behind.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_LAST_S)
