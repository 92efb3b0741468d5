"""Claims on whole tasks: what they cost the completions beside them, and what answers are worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from bench.report.claims import Claim, Target, lead, mean, single

Document = Mapping[str, Any]
Run = Mapping[str, Any]
BySeed = dict[int, float]
_OURS, _SPLIT = "cato", "split by quantiles"
_MOST_LOST = Target(most=1)


def beside(document: Document) -> Iterator[Claim]:
    """Yield what completions lose beside tasks, and how many tasks are met, paired by seed."""
    runs = document["runs"]
    rates = ((r["completions_per_s"], r["tasks_per_s"]) for r in runs if r["tasks_per_s"])
    for rate, tasks in dict.fromkeys(rates):
        here = [r for r in runs if (r["completions_per_s"], r["tasks_per_s"]) == (rate, tasks)]
        alone = [r for r in runs if (r["completions_per_s"], r["tasks_per_s"]) == (rate, 0)]
        yield from _at(f"{rate:g} completions/s beside {tasks:g} tasks/s", here, alone)


def _at(place: str, here: list[Run], alone: list[Run]) -> Iterator[Claim]:
    policies = list(dict.fromkeys(run["policy"] for run in here))
    completions = {policy: _of(here, policy, "completions") for policy in policies}
    for policy, ours in completions.items():
        before = _of(alone, policy, "completions")
        lost = [100 * (before[seed] - ours[seed]) for seed in sorted(ours.keys() & before.keys())]
        target = _MOST_LOST if policy == _OURS else None
        yield mean(f"{place}: lost by completions, {policy}", lost, "points", target)
    tasks = {policy: _of(here, policy, "tasks") for policy in policies}
    for what, found in (("completions", completions), ("tasks", tasks)):
        others = {policy: found[policy] for policy in policies if policy != _OURS}
        yield lead(f"{place}: lead of cato in {what} met", found[_OURS], others)
    ours = tasks[_OURS]
    yield mean(f"{place}: tasks met, {_OURS}", [100 * value for value in ours.values()], "%")
    for kind in dict.fromkeys(run["deadlines"] for run in here):
        if kind != _SPLIT:
            others = {kind: _of(here, _OURS, "tasks", kind)}
            yield lead(f"{place}: tasks met, {_SPLIT}", ours, others)


def _of(runs: list[Run], policy: str, what: str, kind: str = _SPLIT) -> BySeed:
    """Return seed to share; a task that there was none of is left out."""
    return {
        run["seed"]: run[what] / 100
        for run in runs
        if (run["policy"], run["deadlines"]) == (policy, kind) and run[what] is not None
    }


def quality(document: Document) -> Iterator[Claim]:
    """Yield how many answers of each class are right, and what became of the others."""
    for row in document["rows"]:
        counts = Counter(answer["verdict"] for answer in row["answers"])
        right = counts.pop("right", 0)
        rest = "".join(f"; {count} {verdict}" for verdict, count in sorted(counts.items()))
        figure = f"{right} of {len(row['answers'])} right{rest}"
        yield Claim(f"{row['model']}, {row['class']}", figure)


def speculation(document: Document) -> Iterator[Claim]:
    """Yield what n-gram speculation would bring each class, by what was answered."""
    for row in document["classes"]:
        place = f"{row['class']}, {row['answers']} answers"
        yield single(f"{place}: tokens per step", row["tokens_per_step"], "", None, 2)
        figure = f"{row['gain']:.2f} (worst {row['worst']:.2f}, best {row['best']:.2f})"
        yield Claim(f"{place}: time without it by time with it", figure)
