"""What a replica says of itself: version, context, size of its KV cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from cato_backend.errors import EngineError
from cato_backend.profile_files.profile import EngineLimits
from cato_backend.replicas import connect_errors
from cato_backend.replicas.engine_metrics import CACHE_CONFIG, read_cache_config
from cato_backend.replicas.replica import Replica

_TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one replica."""

    version: str
    limits: EngineLimits
    kv_bytes_per_token: int | None


async def ask_facts(
    session: aiohttp.ClientSession,
    replica: Replica,
    max_num_seqs: int,
    budget: int,
    threshold: int = 0,
) -> Facts:
    """Asks `/version` and `/metrics`; the limits of a step are not told there: `max_num_seqs`,
    `max_num_batched_tokens` and `long_prefill_token_threshold`.

    Raises EngineError naming what cannot be read.
    """
    version = await _get(session, replica, "/version")
    cache = _cache_config(replica, await _get(session, replica, "/metrics"))
    block_size = _number(replica, cache, "block_size")
    blocks = cache.get("num_gpu_blocks", "")
    tokens = cache.get("kv_cache_size_tokens", "")
    if not tokens.isdigit():
        tokens = str(int(blocks) * block_size) if blocks.isdigit() else ""
    kv_tokens = _number(replica, {"kv_cache_size_tokens": tokens}, "kv_cache_size_tokens")
    memory = cache.get("kv_cache_memory_bytes", "")
    limits = EngineLimits(
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=budget,
        kv_tokens=kv_tokens,
        block_size=block_size,
        max_model_len=replica.max_model_len or kv_tokens,
        long_prefill_token_threshold=threshold,
    )
    per_token = int(memory) // kv_tokens if memory.isdigit() else None
    return Facts(version, limits, per_token)


async def _get(session: aiohttp.ClientSession, replica: Replica, path: str) -> str:
    headers = {"authorization": f"Bearer {replica.api_key}"} if replica.api_key else {}
    url = f"{replica.url}{path}"
    try:
        async with session.get(url, headers=headers, timeout=_TIMEOUT) as response:
            if response.status != 200:
                raise EngineError(f"{url} answered {response.status}")
            if path == "/version":
                return str((await response.json())["version"])
            return await response.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise EngineError(f"{url}: {connect_errors.of_exception(error)}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{url} cannot be read: is it vLLM's?") from error


def _cache_config(replica: Replica, page: str) -> Mapping[str, str]:
    try:
        found = read_cache_config(page)
    except ValueError as error:
        raise EngineError(f"{replica.url}/metrics cannot be read: {error}") from error
    if found is None:
        raise EngineError(f"{replica.url}/metrics has no {CACHE_CONFIG}: is it vLLM?")
    return found


def _number(replica: Replica, labels: Mapping[str, str], name: str) -> int:
    value = labels.get(name, "")
    if not value.isdigit() or int(value) < 1:
        raise EngineError(
            f"{replica.url}/metrics: {CACHE_CONFIG}: {name} is {value!r}, not a number"
        )
    return int(value)
