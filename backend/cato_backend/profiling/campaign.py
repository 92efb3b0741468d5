"""Runs the plan round by round, and makes one sample of a cell's readings."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cato_backend.clock import monotonic
from cato_backend.errors import EngineError
from cato_backend.profiling.cells import CampaignPlan, CellSetup
from cato_backend.profiling.fit import Sample
from cato_backend.profiling.measure import Prompts, Reading, measure
from cato_backend.profiling.stream import ReplicaClient


@dataclass(frozen=True, slots=True)
class CampaignProgress:
    """Progress of a campaign."""

    round: int
    rounds: int
    done: int
    total: int
    elapsed_s: float

    @property
    def left_s(self) -> float:
        """At the pace so far."""
        return self.elapsed_s * (self.total - self.done) / max(1, self.done)


@dataclass(frozen=True, slots=True)
class Campaign:
    """Results of a campaign."""

    samples: tuple[Sample, ...]
    spread_percent: float
    """Half the interquartile range of a cell's readings over their median, averaged over cells."""


def save_samples(campaign: Campaign, path: Path) -> None:
    """Write what was measured as JSON: a list of cells with their `seconds`."""
    rows = [{**asdict(sample.cell), "seconds": sample.seconds} for sample in campaign.samples]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", encoding="utf-8")


async def run_campaign(
    client: ReplicaClient,
    prompts: Prompts,
    plan: CampaignPlan,
    on_progress: Callable[[CampaignProgress], None],
) -> Campaign:
    """Return every setup once a round, so that what changes with time hits all alike."""
    began, total = monotonic(), plan.rounds * len(plan.setups)
    readings: dict[CellSetup, list[list[Reading]]] = {setup: [] for setup in plan.setups}
    await measure(client, prompts, plan.setups[0], plan.window)  # The first one warms up.
    for number in range(plan.rounds):
        for index, setup in enumerate(plan.setups):
            readings[setup].append(await measure(client, prompts, setup, plan.window))
            done = number * len(plan.setups) + index + 1
            elapsed = monotonic() - began
            on_progress(CampaignProgress(number + 1, plan.rounds, done, total, elapsed))
    return summarised(list(readings.values()))


def summarised(setups: Sequence[Sequence[Sequence[Reading]]]) -> Campaign:
    """From readings by setup, round and position (plain decoding first) to one sample a cell."""
    samples: list[Sample] = []
    spreads: list[float] = []
    for rounds in setups:
        by_cell = list(zip(*rounds, strict=True))
        step_s = _typical(by_cell[0])
        samples += [_sample(readings, step_s) for readings in by_cell]
        spreads += [_spread(readings) for readings in by_cell]
    return Campaign(tuple(samples), 100 * statistics.mean(spreads))


def _sample(readings: Sequence[Reading], step_s: float) -> Sample:
    """Return the reading of a setting, without the plain steps that were timed with it."""
    first = readings[0]
    seconds = _typical(readings) - first.beside * step_s
    cell = replace(
        first.cell,
        new_tokens=round(statistics.mean(reading.cell.new_tokens for reading in readings)),
        kv_tokens=statistics.mean(reading.cell.kv_tokens for reading in readings),
        attention=statistics.mean(reading.cell.attention for reading in readings),
    )
    # Readings vary; but a step with a chunk never takes less than the same one without it.
    return Sample(cell, max(seconds, step_s) if first.beside else seconds)


def _told(readings: Sequence[Reading]) -> list[float]:
    """Their seconds. A reading of nothing, whose tokens came all at once, tells nothing."""
    return [reading.seconds for reading in readings if reading.seconds > 0]


def _typical(readings: Sequence[Reading]) -> float:
    """Return what a client meets, which is the middle.

    By the lower quartile an engine on a CPU came out a tenth too fast.
    """
    told = _told(readings)
    if not told:
        raise EngineError(
            "the tokens of a setting came all at once in every round: the machine is too busy;"
            " profile when nothing else runs on it"
        )
    return statistics.median(told)


def _spread(readings: Sequence[Reading]) -> float:
    told = _told(readings)
    if len(told) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(told, n=4, method="inclusive")
    return (high - low) / 2 / middle
