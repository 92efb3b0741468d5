"""What coding agents cost typing people, in virtual time: `python -m bench.agents_beside_typing`.

Developers type before two replicas, with agents beside them and without, by the same seeds. Agents
send prompts of up to 160,000 tokens, of which their replica can have 96% in its prefix cache. With
`--sessions FILE` the agents also repeat recorded sessions (`bench/recorded_agents.py`).
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from bench.agents import Agent, Agents, AgentStudy, sampled
from bench.long_prompts import CONTEXT, fleet
from bench.machine import save
from bench.recorded_agents import read_sessions, recorded
from cato_backend.commands.arguments import output_file
from cato_backend.scheduling import Setup, make_policy
from cato_backend.wire.headers import Task
from cato_lab.scoring.outcome import Outcome
from cato_lab.scoring.scores import score
from cato_lab.scoring.statistics import interval
from cato_lab.workloads import DeveloperWorkload

REPLICAS, DEVELOPERS, AGENTS = 2, 60, 8
DURATION_S, WARMUP_S = 90.0, 45.0
"""The agents' first prompts, which no cache has, fall into the time that does not count."""
SAMPLED = Agents(count=AGENTS, fresh=0.02)
"""Turns with the reuse of the recorded ones: 96% of prompt tokens."""
FLEETS = (("cato", True), ("cato", False))
"""Policies, and whether the engines have a threshold; the first is what `cato serve` starts."""
NONE, LIKE, RECORDED = "none", "sampled", "recorded"


@dataclass(frozen=True, slots=True)
class Case:
    """What is played with every seed."""

    policy: str
    threshold: bool
    """Whether the engines have a `long_prefill_token_threshold`."""
    agents: str


@dataclass(frozen=True, slots=True)
class Played:
    """What one seed came to: shares in percent, seconds."""

    completions: float
    others: float
    """Generations, summaries and translations."""
    agents: float | None
    agent_turns: int
    reuse: float | None
    """Of the agents' prompt tokens, how many were in the replica's prefix cache."""


def play(case: Case, seed: int, developers: int, sessions: Path | None) -> Played:
    """One run."""
    agents = agents_of(case.agents, sessions, seed)
    study = AgentStudy(
        make_policy(case.policy, Setup(seed)), fleet(case.threshold, REPLICAS), agents
    )
    study.begin(DURATION_S)
    gc.disable()  # A run makes no cycles, and its outcomes would be searched again and again.
    try:
        run = study.run(DeveloperWorkload(developers, DURATION_S), seed)
    finally:
        gc.enable()
    return judged([each for each in run.outcomes if each.arrival.time >= WARMUP_S])


def agents_of(kind: str, sessions: Path | None, seed: int) -> Sequence[Agent]:
    """The agents of one run."""
    if kind == NONE:
        return ()
    if kind == LIKE or sessions is None:
        return sampled(SAMPLED, seed)
    return recorded(read_sessions(sessions, CONTEXT), AGENTS, seed)


def judged(outcomes: Sequence[Outcome]) -> Played:
    """The figures of one run."""
    turns = [each for each in outcomes if each.arrival.task is Task.AGENT]
    people = [each for each in outcomes if each.arrival.task not in (Task.COMPLETION, Task.AGENT)]
    known = [each for each in turns if each.cached_tokens is not None]
    cached = sum(each.cached_tokens or 0 for each in known)
    prompts = sum(each.arrival.prompt_tokens for each in known)
    classes = score(outcomes, DURATION_S).classes
    return Played(
        completions=100 * classes[Task.COMPLETION].goodput,
        others=100 * score(people, DURATION_S).overall.goodput,
        agents=100 * classes[Task.AGENT].goodput if turns else None,
        agent_turns=sum(each.e2e_s is not None for each in turns),
        reuse=100 * cached / prompts if prompts else None,
    )


def table(played: Mapping[Case, Sequence[Played]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown; intervals of 95%, differences paired by seed."""
    yield (
        "| policy | threshold | agents | completions % | lost | other tasks % | agents % "
        "| reuse % | turns |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for case, seeds in played.items():
        alone = played[Case(case.policy, case.threshold, NONE)]
        lost = [a.completions - b.completions for a, b in zip(alone, seeds, strict=True)]
        yield (
            f"| {case.policy} | {'yes' if case.threshold else 'no'} | {case.agents} "
            f"| {_shown([each.completions for each in seeds])} | {_shown(lost, 2)} "
            f"| {_shown([each.others for each in seeds])} "
            f"| {_shown([each.agents for each in seeds])} "
            f"| {_shown([each.reuse for each in seeds])} "
            f"| {_shown([each.agent_turns for each in seeds], 0)} |"
        )


def _shown(values: Sequence[float | None], digits: int = 1) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    found = interval(known)
    return f"{found.mean:.{digits}f} ± {found.half:.{digits}f}"


def main() -> None:
    """Prints the table; `--json FILE` keeps it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--developers", type=int, default=DEVELOPERS)
    parser.add_argument("--sessions", type=Path, help="CSV of recorded sessions of agents")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    kinds = (NONE, LIKE, *((RECORDED,) if arguments.sessions else ()))
    seeds = range(1, arguments.seeds + 1)
    settings = {"developers": arguments.developers, "agents": AGENTS, "seeds": list(seeds)}
    played: dict[Case, list[Played]] = {}
    # Not by fork: numpy's threads would not survive it.
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        for fleet_of in FLEETS:
            one = partial(play, developers=arguments.developers, sessions=arguments.sessions)
            for case in (Case(*fleet_of, kind) for kind in kinds):
                played[case] = list(pool.map(partial(one, case), seeds))
            # Kept after each fleet, as all of them take long.
            if arguments.json:
                save(arguments.json, {"settings": settings, "rows": list(_kept(played))})
    print("\n".join(table(played)))


def _kept(played: Mapping[Case, Sequence[Played]]) -> Iterator[dict[str, Any]]:
    for case, seeds in played.items():
        yield {**asdict(case), "seeds": [asdict(each) for each in seeds]}


if __name__ == "__main__":
    main()
