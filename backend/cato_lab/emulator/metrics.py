"""`/metrics`: the part of vLLM's exposition that routers read, and how punctual the emulator is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from cato_backend.profile_files.profile import EngineLimits
from cato_lab.emulator.lateness import Lateness

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"
_SECONDS = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0,
)  # fmt: skip
_REASONS = ("stop", "length", "abort", "error", "repetition")


class Watched(Protocol):
    """An engine, as the gauges see it."""

    @property
    def running(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def kv_usage(self) -> float: ...
    @property
    def limits(self) -> EngineLimits: ...


class EngineMetrics:
    """One registry per replica, every metric with vLLM's labels."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        self._labels = {"engine": "0", "model_name": model}
        self.preemptions = self._counter("num_preemptions", "Preempted for want of KV blocks")
        self.prompt_tokens = self._counter("prompt_tokens", "Prompt tokens of admitted requests")
        self.generated_tokens = self._counter("generation_tokens", "Tokens generated")
        self.prefix_queries = self._counter("prefix_cache_queries", "Prompt tokens looked up")
        self.prefix_hits = self._counter("prefix_cache_hits", "Prompt tokens found")
        self.ttft = self._seconds("time_to_first_token_seconds", "Arrival to first token")
        self.inter_token = self._seconds("inter_token_latency_seconds", "Token to token")
        self.e2e = self._seconds("e2e_request_latency_seconds", "Arrival to last token")
        self.queued = self._seconds("request_queue_time_seconds", "Arrival to admission")
        self.lateness = Lateness(self.registry)
        success = Counter(
            "vllm:request_success",
            "Requests that ended, by reason",
            [*self._labels, "finished_reason"],
            registry=self.registry,
        )
        # An abort by the client's leaving is not counted by vLLM: its series stays 0.
        self.ended = {
            reason: success.labels(**self._labels, finished_reason=reason) for reason in _REASONS
        }

    def watch(self, engine: Watched) -> None:
        """Shows this engine's state as gauges."""
        self._gauge("num_requests_running", lambda: engine.running)
        self._gauge("num_requests_waiting", lambda: engine.waiting)
        self._gauge("kv_cache_usage_perc", lambda: engine.kv_usage)
        self._cache_config(engine.limits)

    def exposition(self) -> bytes:
        """The page."""
        return generate_latest(self.registry)

    def _gauge(self, name: str, read: Callable[[], float]) -> None:
        gauge = Gauge(f"vllm:{name}", "As vLLM's", [*self._labels], registry=self.registry)
        gauge.labels(**self._labels).set_function(read)

    def _cache_config(self, limits: EngineLimits) -> None:
        config = {
            "block_size": str(limits.block_size),
            "engine": "0",
            "num_gpu_blocks": str(limits.kv_tokens // limits.block_size),
        }
        Gauge("vllm:cache_config_info", "The KV cache", [*config], registry=self.registry).labels(
            **config
        ).set(1)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"vllm:{name}", text, [*self._labels], registry=self.registry).labels(
            **self._labels
        )

    def _seconds(self, name: str, text: str) -> Histogram:
        return Histogram(
            f"vllm:{name}", text, [*self._labels], buckets=_SECONDS, registry=self.registry
        ).labels(**self._labels)
