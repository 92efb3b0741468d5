"""Profiles one live replica: reads its description, measures its steps, and writes the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import aiohttp

from cato_backend.clock import Clock, monotonic
from cato_backend.errors import ConfigError, EngineError
from cato_backend.profile_files.document import (
    Check,
    EngineData,
    LawData,
    LimitsData,
    ProfileFile,
    Provenance,
)
from cato_backend.profile_files.profile import EngineLimits, StepLaw
from cato_backend.profiling.campaign import Campaign, CampaignProgress, run_campaign
from cato_backend.profiling.cells import plan
from cato_backend.profiling.fit import Fit, fit
from cato_backend.profiling.measure import prompts_for
from cato_backend.profiling.stream import ReplicaClient
from cato_backend.replicas import connect_errors
from cato_backend.replicas.core_waits import engine_clock
from cato_backend.replicas.engine_metrics import CACHE_CONFIG, read_cache_config
from cato_backend.replicas.replica import Replica

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_WARM_UP_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about one replica."""

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
    """Ask `/version` and `/metrics`.

    The limits of a step are not told there: `max_num_seqs`, `max_num_batched_tokens` and
    `long_prefill_token_threshold`.

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


@dataclass(frozen=True, slots=True)
class Subject:
    """The replica to profile, with facts that it does not report."""

    replica: Replica
    model: str
    hardware: str
    max_num_seqs: int
    max_num_batched_tokens: int
    start_s: float
    long_prefill_token_threshold: int = 0
    flags: tuple[str, ...] = ()
    engine_pid: int | None = None
    """Where it runs on this machine's CPU."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a measurement."""

    facts: Facts
    campaign: Campaign
    fit: Fit


async def run_profile(
    session: aiohttp.ClientSession,
    subject: Subject,
    on_progress: Callable[[CampaignProgress], None],
    *,
    quick: bool,
    rounds: int | None = None,
    seed: int = 0,
) -> Outcome:
    """Measure and fit; `rounds` overrides the plan's.

    Raises EngineError, ConfigError naming what stands in the way.
    """
    replica = subject.replica
    budget, seqs = subject.max_num_batched_tokens, subject.max_num_seqs
    facts = await ask_facts(session, replica, seqs, budget, subject.long_prefill_token_threshold)
    prompts = await prompts_for(session, replica, seed)
    await ReplicaClient(session, replica).complete(prompts.fresh(_WARM_UP_TOKENS), _WARM_UP_TOKENS)
    grid = plan(facts.limits, quick=quick)
    if not any(setup.held_out for setup in grid.setups):
        raise ConfigError.of("max_num_seqs", seqs, "room for more than two sequences")
    client = ReplicaClient(session, replica, _clock(subject))
    grid = replace(grid, rounds=rounds or grid.rounds)
    campaign = await run_campaign(client, prompts, grid, on_progress)
    return Outcome(facts, campaign, fit(campaign.samples))


def _clock(subject: Subject) -> Clock:
    return monotonic if subject.engine_pid is None else engine_clock(subject.engine_pid)


def profile_file(subject: Subject, outcome: Outcome, made: Provenance) -> ProfileFile:
    """Return the file's content."""
    facts, law = outcome.facts, outcome.fit.law
    return ProfileFile(
        schema_version=1,
        model=subject.model,
        hardware=subject.hardware,
        law=LawData.of(_rounded(law)),
        limits=LimitsData.of(facts.limits),
        kv_bytes_per_token=facts.kv_bytes_per_token,
        start_s=round(subject.start_s, 1),
        engine=EngineData(name="vllm", version=facts.version, flags=subject.flags),
        made=made,
        validation=(_check(outcome),),
    )


def _check(outcome: Outcome) -> Check:
    errors = outcome.fit.held_out[outcome.fit.law.form]
    return Check(
        quantity="step",
        against="batches, contexts and prompts between those of the fit, on the same replica",
        cells=errors.cells,
        mean_error_percent=round(errors.mean, 2),
        p90_error_percent=round(errors.p90, 2),
        spread_percent=round(outcome.campaign.spread_percent, 2),
    )


def _rounded(law: StepLaw) -> StepLaw:
    """Four significant digits: more would only look exact."""
    values = (law.base, law.weights, law.per_new_token, law.per_sequence, law.per_kv_token)
    rounded = [float(f"{value:.4g}") for value in (*values, law.per_attention)]
    return StepLaw(law.form, *rounded)
