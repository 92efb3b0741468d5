"""What one user's flood costs the others, in virtual time: `python -m bench.fair_shares`.

Each row plays the same requests of the others, with the flood and without.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench.machine import about
from cato_backend.commands.arguments import output_file
from cato_backend.scheduling import make_policy, policy_names
from cato_backend.wire.headers import Task
from cato_lab.scoring.outcome import Outcome
from cato_lab.scoring.scores import score
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads import FLOOD, FloodWorkload


@dataclass(frozen=True, slots=True)
class Group:
    """Users with a token each, before a fleet that they load to about half its knee."""

    users: int
    rate: float
    replicas: int


GROUPS = (Group(20, 0.5, 4), Group(5, 1.0, 4), Group(8, 0.5, 2))
FLOODS: dict[str, FloodWorkload] = {
    "all tasks": FloodWorkload(),
    "all tasks, 50 sessions": FloodWorkload(flood_sessions=50),
    "all tasks, no session named": FloodWorkload(flood_is_named=False),
    "generations": FloodWorkload(flood_shares={Task.GENERATION: 1.0}),
    "translations": FloodWorkload(flood_shares={Task.TRANSLATION: 1.0}),
    "completions": FloodWorkload(flood_shares={Task.COMPLETION: 1.0}),
}


@dataclass(frozen=True, slots=True)
class Row:
    """Goodput in percent, over all seeds."""

    group: Group
    flood: str
    alone: float
    beside: float
    of_flood: float
    requests: int
    """Of the others, that counted."""


def measure(group: Group, flood: str, policy: str, seeds: int, duration_s: float) -> Row:
    """The others alone and beside the flood."""
    workload = replace(FLOODS[flood], users=group.users, rate=group.rate, duration_s=duration_s)
    fleet = Fleet(replicas=group.replicas)
    alone, beside, own = list[Outcome](), list[Outcome](), list[Outcome]()
    for seed in range(seeds):
        alone += (
            Simulator(make_policy(policy), fleet).run(replace(workload, times=0), seed).outcomes
        )
        for outcome in Simulator(make_policy(policy), fleet).run(workload, seed).outcomes:
            (own if outcome.arrival.tenant == FLOOD else beside).append(outcome)
    scores = [score(each, duration_s).overall for each in (alone, beside, own)]
    of_alone, of_beside, of_flood = (round(100 * each.goodput, 1) for each in scores)
    return Row(group, flood, of_alone, of_beside, of_flood, scores[0].counted)


def table(rows: list[Row]) -> Iterator[str]:
    """As Markdown."""
    yield "| others | flood, 50 times one of them | others alone | beside it | lost | flood |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        group = row.group
        yield (
            f"| {group.users} users at {group.rate:g}/s, {group.replicas} replicas | {row.flood} "
            f"| {row.alone} | {row.beside} | {row.alone - row.beside:.1f} | {row.of_flood} |"
        )


def main() -> None:
    """Prints the table; `--json FILE` keeps it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", choices=sorted(policy_names()), default="cato")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    rows = [
        measure(group, flood, arguments.policy, arguments.seeds, arguments.seconds)
        for group in GROUPS
        for flood in FLOODS
    ]
    lines = list(table(rows))
    print("\n".join(lines))
    if arguments.json:
        result = {"about": about(), "policy": arguments.policy, "table": lines}
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
