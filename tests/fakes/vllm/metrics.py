"""`/metrics`: the part of vLLM's exposition that routers read, under its names and labels."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fakes.vllm.state import State

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"
_REASONS = ("stop", "length", "abort", "error", "repetition")


def exposition(state: State, model: str) -> str:
    """The text of the page."""
    return "".join(f"{line}\n" for line in _lines(state, f'engine="0",model_name="{model}"'))


def _lines(state: State, labels: str) -> Iterator[str]:
    yield from _family("num_requests_running", "gauge", labels, state.running)
    yield from _family("num_requests_waiting", "gauge", labels, state.waiting)
    yield from _family("kv_cache_usage_perc", "gauge", labels, 0.0)
    yield from _family("prefix_cache_queries_total", "counter", labels, state.prompt_tokens)
    yield from _family("prefix_cache_hits_total", "counter", labels, state.cached_tokens)
    yield from _family("num_preemptions_total", "counter", labels, 0)
    yield from _family("prompt_tokens_total", "counter", labels, state.prompt_tokens)
    yield from _family("generation_tokens_total", "counter", labels, state.generated_tokens)
    yield "# TYPE vllm:request_success_total counter"
    for reason in _REASONS:
        # An abort by the client's leaving is not counted by vLLM: the gauges and the standing
        # still of generation_tokens_total prove it.
        count = 0.0 if reason == "abort" else float(state.finished[reason])
        yield f"vllm:request_success_total{{{_with(labels, 'finished_reason', reason)}}} {count}"
    yield from _histogram("time_to_first_token_seconds", labels, state.ttft_s)
    yield from _histogram("e2e_request_latency_seconds", labels, state.e2e_s)
    cache = _with('block_size="16",engine="0"', "num_gpu_blocks", "4096")
    yield "# TYPE vllm:cache_config_info gauge"
    yield f"vllm:cache_config_info{{{cache}}} 1.0"


def _family(name: str, kind: str, labels: str, value: float) -> Iterator[str]:
    yield f"# TYPE vllm:{name} {kind}"
    yield f"vllm:{name}{{{labels}}} {float(value)}"


def _histogram(name: str, labels: str, values: list[float]) -> Iterator[str]:
    count = float(len(values))
    yield f"# TYPE vllm:{name} histogram"
    yield f"vllm:{name}_bucket{{{_with(labels, 'le', '+Inf')}}} {count}"
    yield f"vllm:{name}_count{{{labels}}} {count}"
    yield f"vllm:{name}_sum{{{labels}}} {sum(values)}"


def _with(labels: str, name: str, value: str) -> str:
    return f'{labels},{name}="{value}"'
