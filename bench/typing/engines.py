"""Emulated replicas behind a gateway, and what they say they did."""

from __future__ import annotations

import re
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from bench.processes import free_port, running, serve_command

STEP_S, TOKEN_S = 0.020, 0.0001
"""The emulated replicas' additive law where no other is chosen: that of the published figures of
the peers."""
_SAMPLE = re.compile(r"^(\w+(?::\w+)?)(?:\{([^}]*)\})? ([0-9.eE+-]+)$", re.MULTILINE)


@dataclass(slots=True)
class Counts:
    """Sums since the start, over all replicas."""

    requests: float = 0
    good: float = 0
    """Completions that met their target, or whose client had enough."""
    judged: float = 0
    """Completions whose client still wanted them at their deadline."""
    prompt_tokens: float = 0
    cached_tokens: float = 0
    generated_tokens: float = 0
    steps: float = 0
    late_steps: float = 0
    """Steps whose tokens were written more than 5 ms late: then the machine is measured."""

    busy_s: float = 0
    """Seconds in which the replicas computed, by their own law."""

    def since(self, before: Counts) -> Counts:
        """What came in between."""
        return Counts(*(getattr(self, f.name) - getattr(before, f.name) for f in fields(Counts)))

    def add(self, other: Counts) -> None:
        """Takes in what another one counted."""
        for each in fields(Counts):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(frozen=True, slots=True)
class Model:
    """What the emulated replicas know, how often they err, and whether they know where."""

    corpus: Path
    error_rate: float
    confidence: str
    step_s: float = STEP_S


@dataclass(frozen=True, slots=True)
class Backend:
    """A gateway and its replicas."""

    url: str
    replicas: tuple[str, ...]
    step_s: float = STEP_S

    def counts(self) -> Counts:
        """The counters now."""
        served = [_samples(f"{url}/metrics") for url in self.replicas]
        prompt = _sum(served, "vllm:prefix_cache_queries_total")
        cached = _sum(served, "vllm:prefix_cache_hits_total")
        generated = _sum(served, "vllm:generation_tokens_total")
        steps = _sum(served, "cato_emulate_step_lateness_seconds_count")
        return Counts(
            *self._outcomes(),
            prompt_tokens=prompt,
            cached_tokens=cached,
            generated_tokens=generated,
            busy_s=steps * self.step_s + (prompt - cached + generated) * TOKEN_S,
            steps=steps,
            late_steps=steps
            - _sum(served, "cato_emulate_step_lateness_seconds_bucket", 'le="0.005"'),
        )

    def _outcomes(self) -> tuple[float, float, float]:
        every, good, judged = 0.0, 0.0, 0.0
        for name, labels, value in _samples(f"{self.url}/metrics"):
            if name != "cato_requests_total" or 'task="completion"' not in labels:
                continue
            outcome = re.search(r'outcome="(\w+)"', labels)
            said = outcome[1] if outcome else ""
            every += value
            good += value * (said in {"met", "enough"})
            judged += value * (said not in {"cancelled", "superseded"})
        return every, good, judged


@contextmanager
def backend(model: Model, replicas: int, log: Path) -> Iterator[Backend]:
    """Started, and ended at the end."""
    with ExitStack() as stack:
        urls: list[str] = []
        for _ in range(replicas):
            port = free_port()
            command = [sys.executable, "-m", "cato_backend", "emulate", "--port", str(port)]
            command += ["--corpus", str(model.corpus), "--error-rate", str(model.error_rate)]
            command += ["--confidence", model.confidence, "--step-ms", str(model.step_s * 1000)]
            command += ["--model", "Qwen2.5-Coder-emulated"]
            process = stack.enter_context(running(command, log))
            urls.append(f"http://127.0.0.1:{port}")
            process.wait_for(f"{urls[-1]}/v1/models", contains=b'"data"')
        port = free_port()
        named = (part for url in urls for part in ("--replica", url))
        process = stack.enter_context(running(serve_command(port, *named), log))
        url = f"http://127.0.0.1:{port}"
        process.wait_for(f"{url}/v1/models", contains=b'"data":[{')
        yield Backend(url, tuple(urls), model.step_s)


def _samples(url: str) -> list[tuple[str, str, float]]:
    with urllib.request.urlopen(url, timeout=10) as response:
        text = response.read().decode()
    return [(name, labels, float(value)) for name, labels, value in _SAMPLE.findall(text)]


def _sum(served: list[list[tuple[str, str, float]]], wanted: str, label: str = "") -> float:
    return sum(
        value
        for samples in served
        for name, labels, value in samples
        if name == wanted and label in labels
    )
