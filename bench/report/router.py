"""Claims on the router: policies in virtual time, other routers, sampled worlds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from bench.report.claims import Claim, Target, lead, mean, single

Document = Mapping[str, Any]
Run = Mapping[str, Any]
BySeed = dict[int, float]
OURS = "cato"
CLASSES = ("completion", "generation", "summarization", "translation")


def policies(document: Document) -> Iterator[Claim]:
    """Yield goodput and leads of each load of `cato simulate`."""
    for load in sorted({run["load"] for run in document["runs"]}):
        yield from _at(f"{load:g}/s", [run for run in document["runs"] if run["load"] == load])


def developers(document: Document) -> Iterator[Claim]:
    """Yield the same where the load is a number of developers who type."""
    for load in sorted({run["load"] for run in document["runs"]}):
        runs = [run for run in document["runs"] if run["load"] == load]
        if any(run["policy"] == OURS for run in runs):
            yield from _at(f"{load:g} developers", runs)
            usable = [100 * run["usable"] for run in runs if run["policy"] == OURS]
            yield mean(f"{load:g} developers: completions usable within 0.5 s", usable, "%")


def ablation(document: Document) -> Iterator[Claim]:
    """Yield what each mechanism brings: the policy's lead over itself without it."""
    runs = document["runs"]
    ours = _goodput(runs, OURS)
    for name in dict.fromkeys(run["policy"] for run in runs):
        if name.startswith(f"{OURS} without "):
            without = name.removeprefix(f"{OURS} ")
            statement = f"with {without.removeprefix('without ')}"
            yield lead(statement, ours, {name: _goodput(runs, name)})


def peers(document: Document) -> Iterator[Claim]:
    """Yield goodput and leads beside other routers. Void runs are left out, and counted."""
    records = [_flat(run) for run in document["runs"] if not run["void"]]
    for load in sorted({run["load"] for run in records}):
        yield from _at(f"{load:g}/s", [run for run in records if run["load"] == load])
    void = sum(run["void"] for run in document["runs"])
    yield single("runs that were void, because a replica or the client was late", void, digits=0)


def long_prompts(document: Document) -> Iterator[Claim]:
    """Yield completions beside long prompts and agents, and the leads."""
    cells = document["cells"]
    for demand, threshold in dict.fromkeys((c["demand"], c["threshold"]) for c in cells):
        here = [c for c in cells if (c["demand"], c["threshold"]) == (demand, threshold)]
        engine = "engines with a threshold" if threshold else "engines without a threshold"
        of = {_cell_name(cell): _completions(cell) for cell in here}
        ours = of.pop(OURS)
        bounded = of.pop(f"{OURS} without long-prompts")
        place = f"beside {demand}, {engine}"
        yield mean(f"{place}: completions met", [100 * v for v in ours.values()], "%")
        yield lead(f"{place}: lead of completions", ours, of)
        yield lead(f"{place}: what the bounds bring", ours, {"no bounds": bounded})


def agents_beside_typing(document: Document) -> Iterator[Claim]:
    """Yield what agents cost completions, paired by seed."""
    rows = document["rows"]
    for policy, threshold in dict.fromkeys((row["policy"], row["threshold"]) for row in rows):
        here = {
            row["agents"]: row["seeds"]
            for row in rows
            if (row["policy"], row["threshold"]) == (policy, threshold)
        }
        alone = [seed["completions"] for seed in here.pop("none")]
        engine = "engines with a threshold" if threshold else "engines without a threshold"
        for kind, seeds in here.items():
            beside = [seed["completions"] for seed in seeds]
            lost = [before - after for before, after in zip(alone, beside, strict=True)]
            place = f"{policy}, {engine}, {kind} agents"
            target = Target(most=1) if policy == OURS else None
            yield mean(f"{place}: completions lost", lost, "points", target, digits=2)
            reuse = [seed["reuse"] for seed in seeds]
            yield mean(f"{place}: prompt tokens found in the prefix cache", reuse, "%")


def fair_shares(document: Document) -> Iterator[Claim]:
    """Yield what a flood of 50 times one user's load costs the others."""
    for row in document["rows"]:
        group = row["group"]
        statement = (
            f"lost by {group['users']} users at {group['rate']:g}/s on {group['replicas']} "
            f"replicas beside a flood of {row['flood']}"
        )
        yield single(statement, row["alone"] - row["beside"], "points", Target(most=2))


def workflows(document: Document) -> Iterator[Claim]:
    """Yield what deadlines split by quantiles bring beside others, paired by seed."""
    rows = document["rows"]
    for policy, rate in dict.fromkeys((row["policy"], row["rate"]) for row in rows):
        here = {
            row["deadlines"]: {n: v / 100 for n, v in enumerate(row["workflows"])}
            for row in rows
            if (row["policy"], row["rate"]) == (policy, rate)
        }
        ours = here.pop("split by quantiles")
        place = f"{policy}, {rate:g}/s beside"
        yield mean(f"{place}: workflows met", [100 * v for v in ours.values()], "%")
        for name, other in here.items():
            yield lead(f"{place}: split by quantiles, {name}", ours, {name: other})


def _at(place: str, runs: Sequence[Run]) -> Iterator[Claim]:
    """Of one load: our goodput, our lead, and that of the class where it is smallest."""
    ours = _goodput(runs, OURS)
    yield mean(f"{place}: goodput", [100 * value for value in ours.values()], "%")
    rivals = [name for name in dict.fromkeys(r["policy"] for r in runs) if not _is_ours(name)]
    yield lead(f"{place}: lead", ours, {name: _goodput(runs, name) for name in rivals})
    yield _smallest_class_lead(place, runs, rivals)


def _smallest_class_lead(place: str, runs: Sequence[Run], rivals: Sequence[str]) -> Claim:
    """Of the class in which our mean is least above, or most below, the best other's mean."""
    of_class = {
        task: (ours, {name: found for name in rivals if (found := _goodput(runs, name, task))})
        for task in CLASSES
        if (ours := _goodput(runs, OURS, task))
    }
    task = min(of_class, key=lambda task: _mean_lead(*of_class[task]))
    return lead(f"{place}: smallest lead of a class, {task}", *of_class[task])


def _mean_lead(ours: BySeed, others: Mapping[str, BySeed]) -> float:
    return fmean(ours.values()) - max(fmean(found.values()) for found in others.values())


def _goodput(runs: Sequence[Run], policy: str, task: str | None = None) -> BySeed:
    """Return seed to goodput, of one class or of all."""
    return {
        run["seed"]: value
        for run in runs
        if run["policy"] == policy
        if (value := run["classes"].get(task) if task else run["goodput"]) is not None
    }


def _is_ours(policy: str) -> bool:
    return policy == OURS or policy.startswith((f"{OURS},", f"{OURS} without"))


def _flat(run: Run) -> Run:
    classes = run["score"]["classes"]
    met = {task: _met(task, found) for task, found in classes.items()}
    counted = {task: found["counted"] for task, found in classes.items()}
    return {
        **run,
        "policy": run["router"],
        "goodput": sum(met.values()) / sum(counted.values()),
        "classes": {task: met[task] / counted[task] for task in met if counted[task]},
    }


def _met(task: str, found: Mapping[str, Any]) -> int:
    """Generations have a pace to keep, which older files counted apart."""
    name = "met_with_tpot" if task == "generation" and "met_with_tpot" in found else "met"
    met: int = found[name]
    return met


def _cell_name(cell: Run) -> str:
    return " without ".join((cell["policy"], *cell["without"]))


def _completions(cell: Run) -> BySeed:
    return {n: seed["completions"] / 100 for n, seed in enumerate(cell["seeds"])}
