"""Completions beside long prompts, in virtual time: `python -m bench.long_prompts`.

Developers type before four replicas, and agents ask them prompts of 20,000 to 150,000 tokens: new
ones each time, or turns of sessions, most of whose prompt is cached where the turn before was. The
engines have a `long_prefill_token_threshold`, or none.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from math import isfinite
from multiprocessing import get_context
from statistics import fmean

from bench.agents import Agents, AgentStudy, sampled
from bench.machine import save
from cato_backend.commands.arguments import output_file
from cato_backend.config import TargetsConfig
from cato_backend.fleet.engine_limits import choose_step_limits
from cato_backend.profile_files.files import load_profile, shipped_folder
from cato_backend.scheduling import Setup, make_policy
from cato_backend.wire.headers import Task
from cato_lab.scoring.outcome import Outcome
from cato_lab.scoring.scores import score
from cato_lab.scoring.statistics import interval, percentile
from cato_lab.simulation.fleet import Fleet
from cato_lab.workloads import DeveloperWorkload

PROFILE = "h100/Qwen2.5-Coder-7B.json"
CONTEXT = 160_000
"""Tokens of context: the longest prompt with its answer. The model's own is shorter; one of its
size with a longer context takes as long."""
REPLICAS, DEVELOPERS = 4, 160
DURATION_S, WARMUP_S = 60.0, 20.0
DEMANDS = {
    "agents": Agents(count=16),
    "new long prompts": Agents(count=4, fresh=1.0),
}
POLICIES = (
    ("cato", ()),
    ("cato", ("long-prompts",)),
    ("prefix-affinity-priorities", ()),
    ("llm-d-sticky", ()),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the table, with all seeds."""

    demand: str
    threshold: bool
    policy: str
    without: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the policy."""
        return " without ".join((self.policy, *self.without))


@dataclass(frozen=True, slots=True)
class Played:
    """What one seed came to: goodput in percent, seconds."""

    completions: float
    completion_ttft_p99_s: float
    others: float
    """Generations, summaries and translations."""
    agents: float
    agent_ttft_p50_s: float
    agent_ttft_p90_s: float
    agent_turns: int
    """That were answered: with a slow fleet, agents ask less."""


def fleet(threshold: bool, replicas: int = REPLICAS) -> Fleet:
    """Replicas that take long prompts, with the step limits that `cato serve` chooses or vLLM's."""
    profile = load_profile(shipped_folder() / PROFILE)
    limits = replace(profile.limits, max_num_seqs=256, max_model_len=CONTEXT)
    if threshold:
        targets = TargetsConfig()
        completion, generation = targets.of(Task.COMPLETION), targets.of(Task.GENERATION)
        limits = choose_step_limits(profile.law, limits, completion, generation)
    return Fleet(replicas=replicas, profile=replace(profile, limits=limits))


def play(cell: Cell, developers: int, seed: int) -> Played:
    """One run."""
    policy = make_policy(cell.policy, Setup(seed, cell.without))
    study = AgentStudy(policy, fleet(cell.threshold), sampled(DEMANDS[cell.demand], seed))
    study.begin(DURATION_S)
    gc.disable()  # A run makes no cycles, and its outcomes would be searched again and again.
    try:
        run = study.run(DeveloperWorkload(developers, DURATION_S), seed)
    finally:
        gc.enable()
    return _judged([o for o in run.outcomes if o.arrival.time >= WARMUP_S])


def _judged(outcomes: Sequence[Outcome]) -> Played:
    classes = score(outcomes, DURATION_S).classes
    people = [o for o in outcomes if o.arrival.task not in (Task.COMPLETION, Task.AGENT)]
    agents = classes[Task.AGENT]
    return Played(
        completions=100 * classes[Task.COMPLETION].goodput,
        completion_ttft_p99_s=classes[Task.COMPLETION].ttft.at(99),
        others=100 * score(people, DURATION_S).overall.goodput,
        agents=100 * agents.goodput,
        agent_ttft_p50_s=agents.ttft.at(50),
        agent_ttft_p90_s=agents.ttft.at(90),
        agent_turns=sum(o.e2e_s is not None for o in outcomes if o.arrival.task is Task.AGENT),
    )


def rows(cells: Sequence[Cell], played: Sequence[Sequence[Played]]) -> Iterator[str]:
    """A table in Markdown; intervals of 95%."""
    yield (
        "| beside typing | threshold | policy | completions % | their TTFT P99, s "
        "| other tasks % | agents % | their TTFT P50 / P90, s | turns |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for cell, seeds in zip(cells, played, strict=True):
        yield (
            f"| {cell.demand} | {'yes' if cell.threshold else 'no'} | {cell.name} "
            f"| {_percent([p.completions for p in seeds])} "
            f"| {_mean([p.completion_ttft_p99_s for p in seeds])} "
            f"| {_percent([p.others for p in seeds])} | {_percent([p.agents for p in seeds])} "
            f"| {_mean([p.agent_ttft_p50_s for p in seeds])} / "
            f"{_mean([p.agent_ttft_p90_s for p in seeds])} "
            f"| {fmean(p.agent_turns for p in seeds):.0f} |"
        )


def _percent(values: Sequence[float]) -> str:
    found = interval(values)
    return f"{found.mean:.1f} ± {found.half:.1f}"


def _mean(values: Sequence[float]) -> str:
    """The median over seeds where one of them has no end."""
    middle = fmean(values) if all(map(isfinite, values)) else percentile(sorted(values), 0.5)
    return f"{middle:.2f}"


def main() -> None:
    """Prints the table; `--json FILE` keeps it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--developers", type=int, default=DEVELOPERS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--policies", default="", help="only these, by their names in the table")
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    cells = [
        Cell(demand, threshold, policy, without)
        for demand in DEMANDS
        for threshold in (False, True)
        for policy, without in POLICIES
    ]
    if arguments.policies:
        cells = [cell for cell in cells if cell.name in arguments.policies.split(",")]
    seeds = range(1, arguments.seeds + 1)
    # Not by fork: numpy's threads would not survive it.
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        futures = [
            [pool.submit(play, cell, arguments.developers, seed) for seed in seeds]
            for cell in cells
        ]
        played = [[future.result() for future in each] for each in futures]
    lines = list(rows(cells, played))
    print("\n".join(lines))
    if arguments.json:
        found = [
            {**asdict(cell), "seeds": [asdict(each) for each in seeds]}
            for cell, seeds in zip(cells, played, strict=True)
        ]
        save(arguments.json, {"cells": found})


if __name__ == "__main__":
    main()
