"""What whole tasks cost the completions beside them: `python -m bench.beside_tasks`.

In virtual time, the same completions are played without tasks and beside them, on four reference
replicas. The tasks are summaries of files of 3 to 10 and of 30 to 48 functions, and checked
translations, in equal parts. `least-requests` is first come, first served.
`prefix-affinity-priorities` is vLLM's priority scheduling alone: a fixed priority for each class.
`cato` has every kind of deadline for the calls of a task; the others take no notice of deadlines.
A result file is added to: what it has already is not played again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from bench.machine import save
from bench.workflows import (
    DEADLINES,
    Study,
    checked_translation,
    file_summary,
    large_file_summary,
)
from cato_backend.commands.arguments import output_file
from cato_backend.scheduling import make_policy
from cato_backend.wire.headers import Task
from cato_lab.scoring.outcome import Outcome
from cato_lab.scoring.statistics import interval
from cato_lab.simulation.fleet import Fleet
from cato_lab.workloads import MixWorkload, Poisson

OURS = "cato"
POLICIES = (OURS, "least-requests", "prefix-affinity-priorities")
SHAPES = (file_summary, large_file_summary, checked_translation)
SPLIT = next(iter(DEADLINES))
_WARMUP_S = 10.0


@dataclass(frozen=True, slots=True)
class Setting:
    """Who decides, what is asked in a second, and which of it."""

    policy: str
    deadlines: str
    completions_per_s: float
    tasks_per_s: float
    seed: int


@dataclass(frozen=True, slots=True)
class Shares:
    """What came in time, in percent. `tasks`: None where there were none."""

    completions: float
    tasks: float | None


def settings(arguments: argparse.Namespace) -> Iterator[Setting]:
    """Yield every policy at every load; kinds of deadlines only where they matter."""
    for seed in range(1, arguments.seeds + 1):
        for policy in arguments.policies:
            for rate in arguments.completions:
                yield Setting(policy, SPLIT, rate, 0.0, seed)
                for tasks in arguments.tasks:
                    for kind in DEADLINES if policy == OURS else (SPLIT,):
                        yield Setting(policy, kind, rate, tasks, seed)


def play(setting: Setting, duration_s: float) -> Shares:
    """Play one setting."""
    deadline = DEADLINES[setting.deadlines]
    study = Study(make_policy(setting.policy), Fleet(), deadline, setting.seed)
    study.begin_workflows(duration_s, setting.tasks_per_s, SHAPES)
    workload = MixWorkload(Poisson(setting.completions_per_s), duration_s, {Task.COMPLETION: 1.0})
    outcomes = study.run(workload, setting.seed).outcomes
    met = [workflow.is_met for workflow in study.workflows if workflow.begun >= _WARMUP_S]
    completions = [each.met for each in outcomes if _is_judged(each)]
    return Shares(_percent(completions), _percent(met) if met else None)


def _is_judged(outcome: Outcome) -> bool:
    arrival = outcome.arrival
    return arrival.task is Task.COMPLETION and arrival.counts and arrival.time >= _WARMUP_S


def _percent(met: Sequence[bool]) -> float:
    return round(100 * sum(met) / len(met), 2)


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the rows as Markdown: means over the seeds with half of the 95% interval."""
    yield "| completions/s | tasks/s | policy | deadlines | completions % | tasks % |"
    yield "|---|---|---|---|---|---|"
    names = ("completions_per_s", "tasks_per_s", "policy", "deadlines")
    for where in dict.fromkeys(tuple(row[name] for name in names) for row in rows):
        here = [row for row in rows if tuple(row[name] for name in names) == where]
        tasks = [row["tasks"] for row in here if row["tasks"] is not None]
        figures = (_cell([row["completions"] for row in here]), _cell(tasks) if tasks else "")
        yield f"| {' | '.join(map(str, (*where, *figures)))} |"


def _cell(values: list[float]) -> str:
    found = interval(values)
    return f"{found.mean:.1f} ± {found.half:.1f}"


def _kept(file: Path | None) -> list[dict[str, Any]]:
    if file is None or not file.is_file() or not file.stat().st_size:
        return []
    return list(json.loads(file.read_text(encoding="utf-8"))["runs"])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", nargs="+", default=POLICIES)
    parser.add_argument("--completions", type=float, nargs="+", default=[60.0], help="a second")
    parser.add_argument("--tasks", type=float, nargs="*", default=[0.5, 1.0], help="a second")
    parser.add_argument("--seconds", type=float, default=50.0)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=output_file, help="write the raw results there")
    arguments = parser.parse_args()
    runs = _kept(arguments.json)
    done = {tuple(run[name] for name in Setting.__slots__) for run in runs}
    for setting in settings(arguments):
        if astuple(setting) in done:
            continue
        runs.append({**asdict(setting), **asdict(play(setting, arguments.seconds))})
        print(f"{setting}: done", file=sys.stderr)
        if arguments.json:
            save(arguments.json, {"seconds": arguments.seconds, "runs": runs})
    print("\n".join(table(runs)))


if __name__ == "__main__":
    main()
