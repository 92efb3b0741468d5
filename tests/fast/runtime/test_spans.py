"""The spans of a request, by what the runtime tells of it."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cato_backend.requests import Request, Target
from cato_backend.runtime.calls import ApiKind, Call
from cato_backend.runtime.traces import TokenCounts
from cato_backend.scheduling import Dispatch
from cato_backend.tracing.spans import RequestSpans
from cato_backend.wire.headers import Task

COUNTS = TokenCounts(3, 10, 2)
UNIX = 1_000_000.0


class Traced:
    """A request that arrived at 1 s, told of what happens to it at given times."""

    def __init__(self, model: str = "m") -> None:
        self._kept = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.now = 1.0
        request = Request("r~1", Task.COMPLETION, model, 1.0, Target(ttft_s=0.25), 10, 10)
        call = Call(request, ApiKind.COMPLETION, {"prompt": "secret"}, client_id="r")
        self.spans = RequestSpans(
            provider.get_tracer("test"), call, lambda: self.now, lambda: UNIX + self.now
        )

    def sent(self, at: float, attempt: int = 1) -> None:
        self.now = at
        self.spans.sent(Dispatch("r~1", f"replica-{attempt}", attempt), 0.1)

    def ended(self, at: float, outcome: str) -> list[tuple[str, float, float]]:
        """Names, starts and ends in seconds of the scheduler's clock."""
        self.now = at
        self.spans.ended(outcome, COUNTS)
        return [
            (span.name, seconds(span.start_time), seconds(span.end_time)) for span in self.finished
        ]

    @property
    def finished(self) -> Sequence[ReadableSpan]:
        return sorted(self._kept.get_finished_spans(), key=lambda span: span.start_time or 0)

    @property
    def root(self) -> ReadableSpan:
        return next(span for span in self.finished if span.name == "cato.request")


def seconds(nanoseconds: int | None) -> float:
    assert nanoseconds is not None
    return round(nanoseconds / 1e9 - UNIX, 6)


def test_a_wait_an_attempt_and_its_two_parts() -> None:
    traced = Traced()
    traced.sent(1.2)
    traced.now = 1.5
    traced.spans.began()
    assert sorted(traced.ended(2.0, "late")) == [
        ("cato.attempt", 1.2, 2.0),
        ("cato.first_token", 1.2, 1.5),
        ("cato.queue", 1.0, 1.2),
        ("cato.request", 1.0, 2.0),
        ("cato.stream", 1.5, 2.0),
    ]
    told = dict(traced.root.attributes or {})
    assert told["cato.request_id"] == "r"
    assert told["cato.outcome"] == "late"
    assert told["gen_ai.usage.input_tokens"] == 10
    assert traced.root.status.is_unset


def test_a_request_waits_again_after_an_attempt_that_failed_or_was_taken_away() -> None:
    traced = Traced()
    traced.sent(1.1)
    traced.now = 1.3
    traced.spans.failed("error")
    traced.sent(1.4, attempt=2)
    traced.now = 1.6
    traced.spans.interrupted()
    traced.sent(1.7, attempt=3)
    spans = traced.ended(2.0, "met")
    waits = [(start, end) for name, start, end in spans if name == "cato.queue"]
    assert waits == [(1.0, 1.1), (1.3, 1.4), (1.6, 1.7)]


def test_what_its_client_ends_does_not_wait_again() -> None:
    traced = Traced()
    traced.sent(1.1)
    traced.now = 1.5
    traced.spans.interrupted()
    waits = [span for span in traced.ended(1.6, "enough") if span[0] == "cato.queue"]
    assert waits == [("cato.queue", 1.0, 1.1)]


def test_a_refused_request_is_a_wait_and_an_error() -> None:
    traced = Traced()
    assert sorted(traced.ended(3.0, "expired")) == [
        ("cato.queue", 1.0, 3.0), ("cato.request", 1.0, 3.0),
    ]  # fmt: skip
    assert traced.root.status.description == "expired"


def test_a_model_that_is_named_by_its_folder_is_told_without_it() -> None:
    traced = Traced("/srv/models/qwen")
    traced.ended(2.0, "met")
    assert (traced.root.attributes or {})["gen_ai.request.model"] == "qwen"
    hub = Traced("Qwen/Qwen2.5-Coder-7B")
    hub.ended(2.0, "met")
    assert (hub.root.attributes or {})["gen_ai.request.model"] == "Qwen/Qwen2.5-Coder-7B"
