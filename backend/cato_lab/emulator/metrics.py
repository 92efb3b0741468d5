"""`/metrics`: the part of vLLM's metrics that routers read, and the emulator's own lateness."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from statistics import quantiles

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from cato_backend.profile_files.profile import EngineLimits
from cato_lab.emulator.state import EmulatorState

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"
_SECONDS = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0,
)  # fmt: skip
_LATENESS_S = (
    0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0,
)  # fmt: skip
_REMEMBERED_STEPS = 100_000
"""About half an hour at 20 ms a step."""
_REASONS = ("stop", "length", "abort", "error", "repetition")


class Lateness:
    """From when a step was due to when its tokens were written, in seconds.

    Where the emulator was late, the machine was measured, not the model.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._last: deque[float] = deque(maxlen=_REMEMBERED_STEPS)
        self._histogram = Histogram(
            "cato_emulate_step_lateness_seconds",
            "How much later than due a step's tokens were written",
            buckets=_LATENESS_S,
            registry=registry,
        )

    def observe(self, seconds: float) -> None:
        """One step; less than 0 means early, by the event loop's rounding."""
        late = max(0.0, seconds)
        self._last.append(late)
        self._histogram.observe(late)

    def summary(self) -> str:
        """For the person who ends the emulator."""
        if len(self._last) < 2:
            return "no steps"
        percentiles = [value * 1000 for value in quantiles(self._last, n=100)]
        p50, p99 = percentiles[49], percentiles[98]
        return f"step lateness p50 {p50:.2f} ms, p99 {p99:.2f} ms over {len(self._last)} steps"


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

    def watch(
        self, state: EmulatorState, kv_usage: Callable[[], float], limits: EngineLimits
    ) -> None:
        """Show the engine's state as gauges."""
        self._gauge("num_requests_running", lambda: state.running)
        self._gauge("num_requests_waiting", lambda: state.waiting)
        self._gauge("kv_cache_usage_perc", kv_usage)
        self._cache_config(limits)

    def exposition(self, replaced: Mapping[str, str]) -> bytes:
        """Return the page, with the values of `replaced` instead of the true ones.

        An empty value leaves the name out.
        """
        page = generate_latest(self.registry)
        if not replaced:
            return page
        text = page.decode()
        for name, value in replaced.items():
            line = rf"^({re.escape(name)}(?:{{.*}})?) .*\n"
            text = re.sub(line, rf"\1 {value}\n" if value else "", text, flags=re.MULTILINE)
        return text.encode()

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
