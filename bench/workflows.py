"""Splitting one end-to-end budget over the stages of a workflow: `python -m bench.workflows`.

In virtual time: workflows of two shapes among single requests of all four tasks, on four reference
replicas. A file summary is 3 to 10 summaries side by side and one overview of them, within 6 s; a
checked translation is a long call and a short one after it, within 10 s. What differs is only the
deadline of each call: split by the quantiles of what remains, the whole budget, the task's own
target, or fixed equal shares.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator

from bench.machine import save
from bench.observed_clients import ObservedClients
from cato_backend.commands.arguments import output_file
from cato_backend.prediction.workflows import LearnedTimes, PlannedCall, stage_budget_s
from cato_backend.requests import Target
from cato_backend.scheduling import make_policy
from cato_backend.scheduling.policies import Policy
from cato_backend.wire.headers import Task
from cato_lab.scoring.outcome import Ending, Outcome
from cato_lab.scoring.statistics import interval
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads import MixWorkload, Poisson
from cato_lab.workloads.arrival import Arrival, Workload

WORKFLOWS_PER_S = 0.5
WARMUP_S = 20.0
SIDE_BY_SIDE = 16
"""Calls of one task at once, as in the gateway."""

Stage = tuple[PlannedCall, ...]
Deadline = Callable[["Workflow", float, LearnedTimes], float]
"""Seconds that the calls of a workflow's next stage are given."""


@dataclass
class Workflow:
    """One end-to-end budget for stages of calls; lengths are drawn when the calls are made."""

    id: str
    begun: float
    budget_s: float
    stages: list[Stage]
    at: int = 0
    due: float = 0.0
    """Of the calls of the stage that runs."""
    waiting: list[tuple[int, PlannedCall]] = field(default_factory=list[tuple[int, PlannedCall]])
    """Calls of that stage that are not sent yet, by number."""
    open: int = 0
    failed: bool = False
    ended: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether it ended within its budget."""
        return self.ended is not None and self.ended <= self.begun + self.budget_s

    def left_s(self, now: float) -> float:
        """Of the budget; never below a millisecond."""
        return max(0.001, self.begun + self.budget_s - now)


def split(workflow: Workflow, now: float, times: LearnedTimes) -> float:
    """What `/v1/tasks` does."""
    return stage_budget_s(workflow.stages[workflow.at :], workflow.left_s(now), times)


def whole(workflow: Workflow, now: float, times: LearnedTimes) -> float:
    """Every call is due when the workflow is."""
    return workflow.left_s(now)


def per_call(workflow: Workflow, now: float, times: LearnedTimes) -> float:
    """Every call has its task's own target, as if it stood alone."""
    return 3.0 if workflow.stages[workflow.at][0].task is Task.SUMMARIZATION else 15.0


def equal(workflow: Workflow, now: float, times: LearnedTimes) -> float:
    """Fixed weights: every stage has the same share of the budget."""
    share = workflow.budget_s * (workflow.at + 1) / len(workflow.stages)
    return max(0.001, workflow.begun + share - now)


DEADLINES: dict[str, Deadline] = {
    "split by quantiles": split,
    "whole budget for each call": whole,
    "a deadline per call": per_call,
    "fixed equal weights": equal,
}


def file_summary(id: str, now: float, rng: Generator) -> Workflow:
    """Map-reduce: a file's functions side by side, then the whole from their summaries."""
    units = int(rng.integers(3, 11))
    each = [PlannedCall(Task.SUMMARIZATION, int(rng.integers(150, 700)), 160) for _ in range(units)]
    return Workflow(
        id, now, 6.0, [tuple(each), (PlannedCall(Task.SUMMARIZATION, 80 * units, 160),)]
    )


def large_file_summary(id: str, now: float, rng: Generator) -> Workflow:
    """A file of 30 to 48 functions, the most that a task may have."""
    units = int(rng.integers(30, 49))
    each = [PlannedCall(Task.SUMMARIZATION, int(rng.integers(150, 700)), 160) for _ in range(units)]
    overview = PlannedCall(Task.SUMMARIZATION, 80 * units, 160)
    return Workflow(id, now, 8.0, [tuple(each), (overview,)])


def checked_translation(id: str, now: float, rng: Generator) -> Workflow:
    """A chain of unlike stages: a long translation, then a short note of what to check in it."""
    first = PlannedCall(Task.TRANSLATION, int(rng.integers(200, 500)), 512)
    return Workflow(id, now, 10.0, [(first,), (PlannedCall(Task.SUMMARIZATION, 700, 160),)])


Shape = Callable[[str, float, Generator], Workflow]
"""Makes a workflow of this name that begins at this time."""


class Study(Simulator):
    """A simulation whose workflows go on when their calls end."""

    def __init__(self, policy: Policy, fleet: Fleet, deadline: Deadline, seed: int) -> None:
        super().__init__(policy, fleet)
        self._clients = ObservedClients(self._heard)
        self._deadline = deadline
        self._rng = np.random.default_rng([seed, 7])
        self._times = LearnedTimes()
        self._calls: dict[str, tuple[Workflow, PlannedCall]] = {}
        self.workflows: list[Workflow] = []

    def begin_workflows(
        self,
        duration_s: float,
        rate: float = WORKFLOWS_PER_S,
        shapes: Sequence[Shape] = (file_summary, checked_translation),
    ) -> None:
        """Puts the beginnings of all workflows on the agenda, `rate` in a second."""
        now = 0.0
        while rate and (now := now + float(self._rng.exponential(1 / rate))) < duration_s:
            shape = shapes[int(self._rng.random() * len(shapes))]
            workflow = shape(f"w{len(self.workflows)}", now, self._rng)
            self.workflows.append(workflow)
            self._agenda.put(now, self._next_stage, workflow)

    def _next_stage(self, workflow: Workflow, now: float) -> None:
        workflow.due = now + self._deadline(workflow, now, self._times)
        workflow.waiting = list(enumerate(workflow.stages[workflow.at]))
        workflow.open = len(workflow.waiting)
        for _ in range(min(SIDE_BY_SIDE, workflow.open)):
            self._send_next(workflow, now)

    def _send_next(self, workflow: Workflow, now: float) -> None:
        if not workflow.waiting:
            return
        number, call = workflow.waiting.pop(0)
        name = f"{workflow.id}.{workflow.at}.{number}"
        self._calls[name] = (workflow, call)
        target = Target(e2e_s=max(0.001, workflow.due - now))
        # Lengths are a matter of the workflow alone, the same under every kind of deadline.
        rng = np.random.default_rng([int(workflow.id[1:]), workflow.at, number])
        self._ask(_arrival(name, now, call, target, rng), now)

    def _heard(self, outcome: Outcome, now: float) -> None:
        found = self._calls.pop(outcome.arrival.id, None)
        if found is None:
            return
        workflow, call = found
        if outcome.ending is Ending.FINISHED and outcome.first_token_s is not None:
            self._times.observe(call, outcome.tokens, outcome.first_token_s, outcome.ended_s)
        else:
            workflow.failed = True
        workflow.open -= 1
        # At the same instant, but after the scheduler has heard of the end.
        self._agenda.put(now, self._send_next, workflow)
        if workflow.open == 0 and not workflow.failed:
            workflow.at += 1
            if workflow.at == len(workflow.stages):
                workflow.ended = now
            else:
                self._agenda.put(now, self._next_stage, workflow)


def _arrival(id: str, now: float, call: PlannedCall, target: Target, rng: Generator) -> Arrival:
    median = 70 if call.task is Task.SUMMARIZATION else 230
    length = int(np.clip(rng.lognormal(np.log(median), 0.35), 8, call.max_tokens))
    return Arrival(
        id=id,
        time=now,
        task=call.task,
        prompt_tokens=call.prompt_tokens,
        output_tokens=length,
        max_tokens=call.max_tokens,
        target=target,
        session=id.partition(".")[0],
    )


@dataclass(frozen=True, slots=True)
class Shares:
    """Of one run, in percent."""

    workflows: float
    others: dict[str, float] = field(default_factory=dict[str, float])


def run(policy: str, kind: str, rate: float, duration_s: float, seed: int) -> Shares:
    """Workflows met, and goodput of the single requests beside them by class."""
    study = Study(make_policy(policy), Fleet(), DEADLINES[kind], seed)
    study.begin_workflows(duration_s)
    workload: Workload = MixWorkload(Poisson(rate), duration_s)
    outcomes = study.run(workload, seed).outcomes
    met = [w.is_met for w in study.workflows if w.begun >= WARMUP_S]
    others: defaultdict[str, list[bool]] = defaultdict(list)
    for outcome in outcomes:
        arrival = outcome.arrival
        if not arrival.id.startswith("w") and arrival.time >= WARMUP_S and arrival.counts:
            others[arrival.task].append(outcome.met)
    return Shares(
        100 * sum(met) / len(met),
        {task: 100 * sum(each) / len(each) for task, each in sorted(others.items())},
    )


def study(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Every policy, rate and kind of deadline over all seeds."""
    for policy in arguments.policies:
        for rate in arguments.rates:
            for kind in DEADLINES:
                seeds = range(1, arguments.seeds + 1)
                runs = [run(policy, kind, rate, arguments.seconds, seed) for seed in seeds]
                print(f"{policy} {rate:g}/s {kind}: done", file=sys.stderr)
                yield {
                    "policy": policy,
                    "rate": rate,
                    "deadlines": kind,
                    "workflows": [one.workflows for one in runs],
                    "others": [one.others for one in runs],
                }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """As Markdown: mean over the seeds and half of its 95% confidence interval."""
    tasks = sorted(rows[0]["others"][0])
    lines = [
        "| policy | other requests/s | deadlines | workflows met % | split is ahead by (paired) | "
        f"{' | '.join(tasks)} |",
        f"|---|---|---|---|---|{'---|' * len(tasks)}",
    ]
    best = next(iter(DEADLINES))
    split_of = {(r["policy"], r["rate"]): r["workflows"] for r in rows if r["deadlines"] == best}
    for row in rows:
        classes = [_cell([one[task] for one in row["others"]]) for task in tasks]
        ours = split_of[row["policy"], row["rate"]]
        less = [one - other for one, other in zip(ours, row["workflows"], strict=True)]
        cells = [row["policy"], f"{row['rate']:g}", row["deadlines"], _cell(row["workflows"])]
        cells.append("" if row["deadlines"] == best else _cell(less))
        lines.append(f"| {' | '.join([*cells, *classes])} |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    found = interval(values)
    return f"{found.mean:.1f} ± {found.half:.1f}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policies", nargs="+", default=["cato", "edf"])
    parser.add_argument("--rates", type=float, nargs="+", default=[10.0, 14.0, 18.0, 22.0])
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=output_file, help="write the raw results there")
    arguments = parser.parse_args()
    rows = list(study(arguments))
    if arguments.json:
        save(arguments.json, {"rows": rows})
    print(table(rows))


if __name__ == "__main__":
    main()
