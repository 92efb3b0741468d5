"""Sends spans to an OTLP receiver over HTTP, configured by the standard environment variables."""

from __future__ import annotations

import os
import threading
import time

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from cato_backend import __version__
from cato_backend.clock import Clock, monotonic
from cato_backend.runtime.calls import Call
from cato_backend.tracing.spans import RequestSpans

_LAST_S = 3.0
"""Spans that are not sent within this time after the end are lost."""
_PATH = "/v1/traces"


class SpanExport:
    """Keeps spans in memory and sends them from a thread of its own.

    A receiver that is away costs requests nothing: the oldest spans are dropped.
    """

    def __init__(self, endpoint: str = "", clock: Clock = monotonic) -> None:
        """`endpoint`: of the receiver; empty for what the environment says, or the default."""
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=_traces_url(endpoint))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("cato", __version__)
        self._clock = clock

    def begin(self, call: Call) -> RequestSpans:
        """Begin the trace of a call. A `Tracer` of the runtime."""
        return RequestSpans(self._tracer, call, self._clock, time.time)

    def close(self) -> None:
        """Send what there is, for some seconds at most."""
        # A receiver that is away is tried for longer: the thread is left behind.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_LAST_S)


def _traces_url(endpoint: str) -> str | None:
    """Return where traces go; None leaves it to the environment."""
    base = endpoint.rstrip("/")
    if not base:
        return None
    return base if base.endswith(_PATH) else base + _PATH


def _resource() -> Resource:
    """Return what spans say of this server; the environment may say more, and another name."""
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    own = {} if named else {SERVICE_NAME: "cato"}
    return Resource.create({**own, SERVICE_VERSION: __version__})
