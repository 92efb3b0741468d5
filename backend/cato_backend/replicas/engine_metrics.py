"""Reads an engine's `/metrics`: its load, unusable values, and the size of its KV cache."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client.parser import text_string_to_metric_families

RUNNING, WAITING = "vllm:num_requests_running", "vllm:num_requests_waiting"
KV_USAGE = "vllm:kv_cache_usage_perc"
"""A share, 0 to 1, in spite of its name."""
CACHE_CONFIG = "vllm:cache_config_info"
"""Its labels are the settings of the KV cache."""
_NAMES = (RUNNING, WAITING, KV_USAGE)
_PREFIX = "vllm:"
# Both begin with a fixed text, which is searched for ten times as fast as the start of each line.
_SAMPLE = re.compile(
    rb"\nvllm:("
    + b"|".join(re.escape(name.removeprefix(_PREFIX).encode()) for name in _NAMES)
    + rb")(?:\{.*\})?[ \t]+(\S*)"
)
_CACHE = re.compile(rb"\nvllm:cache_config_info\{(.*)\}")
_LABEL = re.compile(rb'(\w+)="([^"]*)"')
_MOST = 1_000_000
"""Requests; no engine holds as many."""
_MOST_TOKENS = 10**12


class Problem(StrEnum):
    """Why a value is not used."""

    UNREADABLE = "unreadable"
    """The page could not be fetched."""
    MISSING = "missing"
    MALFORMED = "malformed"
    """It is no number."""
    NAN = "nan"
    NEGATIVE = "negative"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """Load in one sample of a replica's metrics; None for a value that could not be used."""

    running: int | None = None
    waiting: int | None = None
    kv_usage: float | None = None
    """0..1: the share of KV blocks that running requests hold."""
    kv_tokens: int | None = None
    """Tokens for which it has KV blocks."""
    problems: tuple[tuple[str, Problem], ...] = ()
    """Names of metrics, and what was wrong."""

    @property
    def requests(self) -> int | None:
        """Requests in the engine; None where it does not report them."""
        if self.running is None or self.waiting is None:
            return None
        return self.running + self.waiting


def read_load(page: bytes) -> EngineLoad:
    """From Prometheus' text format; several engines behind one address are added up."""
    page = b"\n" + page
    samples: dict[str, list[bytes]] = {name: [] for name in _NAMES}
    for name, value in _SAMPLE.findall(page):
        samples[_PREFIX + name.decode()].append(value)
    found = {name: _values(values) for name, values in samples.items()}
    running, waiting = (_requests(found[name]) for name in (RUNNING, WAITING))
    usage = found[KV_USAGE]
    mean = usage if isinstance(usage, Problem) else sum(usage) / len(usage)
    if isinstance(mean, float) and mean > 1:
        mean = Problem.TOO_LARGE
    read = {RUNNING: running, WAITING: waiting, KV_USAGE: mean}
    return EngineLoad(
        running=None if isinstance(running, Problem) else running,
        waiting=None if isinstance(waiting, Problem) else waiting,
        kv_usage=None if isinstance(mean, Problem) else mean,
        kv_tokens=_kv_tokens(page),
        problems=tuple((name, value) for name, value in read.items() if isinstance(value, Problem)),
    )


def read_cache_config(page: str) -> Mapping[str, str] | None:
    """Return the settings of the KV cache; None where the page has none.

    Raises ValueError where the page is not in Prometheus' text format.
    """
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == CACHE_CONFIG:
                return dict(sample.labels)
    return None


def _kv_tokens(page: bytes) -> int | None:
    """Read a page that begins with a line end. None where a label is missing or is no number."""
    total = 0
    for labels in _CACHE.findall(page):
        config = dict(_LABEL.findall(labels))
        blocks, size = config.get(b"num_gpu_blocks", b""), config.get(b"block_size", b"")
        if not blocks.isdigit() or not size.isdigit():
            return None
        total += int(blocks) * int(size)
    return total if 0 < total <= _MOST_TOKENS else None


def _values(samples: list[bytes]) -> list[float] | Problem:
    if not samples:
        return Problem.MISSING
    try:
        values = [float(sample) for sample in samples]
    except ValueError:
        return Problem.MALFORMED
    if any(map(math.isnan, values)):
        return Problem.NAN
    return Problem.NEGATIVE if min(values) < 0 else values


def _requests(values: list[float] | Problem) -> int | Problem:
    if isinstance(values, Problem):
        return values
    total = sum(values)
    return Problem.TOO_LARGE if total > _MOST else int(total)
