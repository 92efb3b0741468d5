"""Switches tracing on; the packages of OpenTelemetry are imported only here."""

from __future__ import annotations

import importlib
import os
from contextlib import AsyncExitStack

from cato_backend.errors import ConfigError
from cato_backend.runtime.traces import Tracer

_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN = "http/protobuf"


def check_tracing(endpoint: str) -> None:
    """Raise ConfigError for what is not supported, ModuleNotFoundError without the extra [otel]."""
    for name in _PROTOCOLS:
        protocol = os.environ.get(name, _SPOKEN)
        if protocol != _SPOKEN:
            raise ConfigError.of(name, protocol, _SPOKEN)
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise ConfigError.of("tracing.endpoint", endpoint, "http://HOST:PORT or https://HOST:PORT")
    importlib.import_module("cato_backend.tracing.export")


def tracer_of(endpoint: str, stack: AsyncExitStack) -> Tracer:
    """Return what begins traces; the last spans are sent when the stack closes."""
    from cato_backend.tracing.export import SpanExport

    export = SpanExport(endpoint)
    stack.callback(export.close)
    return export.begin
