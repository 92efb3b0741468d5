"""What the server tells of itself: its log, and traces."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from cato_backend.config.sections import Frozen


class LogConfig(Frozen):
    """[log]: what is written to standard error."""

    format: Literal["text", "json"] = Field(
        default="text", description="lines for people, or one JSON object a line"
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least important lines that are written"
    )
    slow_times: float = Field(
        default=5,
        ge=0,
        description="a request that took more than this many times its target is logged; 0: none",
    )


class TracingConfig(Frozen):
    """[tracing]: OpenTelemetry traces of requests, with the extra [otel]."""

    enabled: bool = Field(default=False, description="whether spans are sent; no span holds code")
    endpoint: str = Field(
        default="",
        description="URL of an OTLP/HTTP receiver; empty: OTEL_EXPORTER_OTLP_ENDPOINT, else"
        " http://localhost:4318",
    )
