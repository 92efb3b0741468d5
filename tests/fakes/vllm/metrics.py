"""`/metrics` of the fake: the emulator's page, filled with what the fake's state says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cato_backend.profile_files.profile import EngineLimits
from cato_lab.emulator.metrics import CONTENT_TYPE, EngineMetrics
from tests.fakes.vllm.state import State

__all__ = ["CONTENT_TYPE", "exposition"]


@dataclass(frozen=True, slots=True)
class _Gauges:
    running: int
    waiting: int
    kv_usage: float = 0.0
    limits: EngineLimits = field(default_factory=EngineLimits)


def exposition(state: State, model: str, said: Mapping[str, str]) -> bytes:
    """The page; of the names in `said` it says what stands there."""
    metrics = EngineMetrics(model)
    metrics.watch(_Gauges(state.running, state.waiting))
    for counter in (metrics.prompt_tokens, metrics.prefix_queries):
        counter.inc(state.prompt_tokens)
    metrics.prefix_hits.inc(state.cached_tokens)
    metrics.generated_tokens.inc(state.generated_tokens)
    for histogram, values in ((metrics.ttft, state.ttft_s), (metrics.e2e, state.e2e_s)):
        for value in values:
            histogram.observe(value)
    for reason, counter in metrics.ended.items():
        counter.inc(0 if reason == "abort" else state.finished[reason])
    page = metrics.exposition().decode()
    for name, value in said.items():
        page = re.sub(
            rf"^({re.escape(name)}(?:{{.*}})?) .*\n",
            rf"\1 {value}\n" if value else "",
            page,
            flags=re.M,
        )
    return page.encode()
