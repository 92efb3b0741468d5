"""What kept-apart prefix caches cost, in virtual time: `python -m bench.isolation`.

Each row plays the same requests, with prefix caches for all, for each team, and for each person.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import blake2b

from bench.machine import save
from cato_backend.commands.arguments import output_file
from cato_backend.scheduling import make_policy
from cato_backend.team.terms import Isolation
from cato_backend.wire.headers import Task
from cato_lab.scoring.outcome import Outcome
from cato_lab.scoring.scores import score
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads import Arrival, MixWorkload
from cato_lab.workloads.arrival import BLOCK_TOKENS
from cato_lab.workloads.processes import Poisson

PEOPLE, TEAMS, REPLICAS = 40, 8, 4
SYSTEM_TOKENS = 8000
_SYSTEM = tuple(range(1 << 60, (1 << 60) + SYSTEM_TOKENS // BLOCK_TOKENS))


@dataclass(frozen=True, slots=True)
class Isolated:
    """The requests of people whose prefix caches are kept apart."""

    base: MixWorkload
    isolation: Isolation
    system_tokens: int = 0
    """What every prompt begins with, the same for all people."""
    name: str = "isolated"

    @property
    def duration_s(self) -> float:
        return self.base.duration_s

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        for arrival in self.base.arrivals(seed):
            blocks = (_SYSTEM if self.system_tokens else ()) + arrival.blocks
            tokens = arrival.prompt_tokens + self.system_tokens
            salted = tuple(_salted(self._scope(arrival), block) for block in blocks)
            yield arrival._replace(blocks=salted, prompt_tokens=tokens, tenant=arrival.session)

    def _scope(self, arrival: Arrival) -> str:
        person = int(arrival.session.removeprefix("s"))
        match self.isolation:
            case Isolation.NONE:
                return ""
            case Isolation.TEAM:
                return f"team {person % TEAMS}"
            case Isolation.PERSON:
                return f"person {person}"


@dataclass(frozen=True, slots=True)
class Row:
    """Percent, over all seeds."""

    workload: str
    isolation: Isolation
    hit_rate: float
    """Prompt tokens that the engine found in its prefix cache."""
    goodput: float


def _salted(scope: str, block: int) -> int:
    return int.from_bytes(blake2b(f"{scope} {block}".encode(), digest_size=7).digest())


def workloads(seconds: float) -> dict[str, tuple[MixWorkload, int]]:
    """What is asked, and how many tokens of system message are in front of each prompt."""
    agents = {Task.GENERATION: 1.0}
    return {
        "editors": (MixWorkload(Poisson(20), seconds, sessions=PEOPLE), 0),
        "agents": (MixWorkload(Poisson(4), seconds, agents, sessions=PEOPLE), SYSTEM_TOKENS),
    }


def measure(name: str, isolation: Isolation, seeds: int, seconds: float) -> Row:
    """One row, over all seeds."""
    base, system_tokens = workloads(seconds)[name]
    found = list[Outcome]()
    for seed in range(seeds):
        simulator = Simulator(make_policy("cato"), Fleet(replicas=REPLICAS))
        found += simulator.run(Isolated(base, isolation, system_tokens), seed).outcomes
    known = [each for each in found if each.cached_tokens is not None]
    cached = sum(each.cached_tokens or 0 for each in known)
    prompts = sum(each.arrival.prompt_tokens for each in known)
    goodput = score(found, seconds).overall.goodput
    return Row(name, isolation, round(100 * cached / prompts, 1), round(100 * goodput, 1))


def main() -> None:
    """Prints the table; `--json FILE` keeps it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    print("| requests | prefix caches kept apart by | hits | goodput |\n|---|---|---|---|")
    rows = list[Row]()
    for name in workloads(arguments.seconds):
        for isolation in (Isolation.NONE, Isolation.TEAM, Isolation.PERSON):
            row = measure(name, isolation, arguments.seeds, arguments.seconds)
            rows.append(row)
            print(f"| {name} | {isolation} | {row.hit_rate} | {row.goodput} |", flush=True)
    if arguments.json:
        settings = {"seeds": arguments.seeds, "people": PEOPLE, "teams": TEAMS}
        save(arguments.json, {"settings": settings, "rows": [asdict(row) for row in rows]})


if __name__ == "__main__":
    main()
