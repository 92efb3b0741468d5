"""Worlds by number: everything that differs between deployments, drawn at random.

The same number gives the same world, everywhere. Worlds 1 to 1000 are for development; others
judge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import exp, log

import numpy as np
from numpy.random import Generator

from bench.arena.demand import Demand, draw_demand, shortened, with_targets
from bench.arena.hardware import (
    Alike,
    Told,
    Trouble,
    draw_kind,
    draw_members,
    member,
    slower,
    told_of,
)
from bench.arena.idle import alone, prompt_s, throughput
from bench.arena.traffic import PUBLISHED, Traffic
from cato_backend.profile_files.profile import Profile
from cato_backend.requests import Target
from cato_backend.wire.headers import Task
from cato_lab.simulation.fleet import Fleet, Slowdown, Speed
from cato_lab.workloads import Arrival

_MOST_REPLICAS = 32
_LOADS = (0.3, 2.0)
"""Of the knee."""
_SAMPLE = 250
"""Requests by which a world's replicas are judged before it is played."""
_FEASIBLE = 0.95
"""Share of each class that an idle replica must be able to meet, ..."""
_SPARE = 1.3
"""... with so many times the time that it takes."""
_BATCH = (8, 8, 12_000)
"""New tokens, sequences and tokens of context in a step by which the TPOT target can be met."""
_LONGEST_STEP_S = 0.08
"""Of such a step, as far as replicas are made slower."""
_NOISE_STEP_S = 0.02
"""Steps shorter than this share their noise."""
_LONGEST_S = 20.0
"""Seconds for the longest prompt of a world on an idle replica, ..."""
_ALWAYS_SENT = 8000
"""... where it has more tokens than this."""
_LEAST_RATE = 12.0
"""Requests per second: fewer in a minute or two would tell nothing."""
_MOST_PACED = 4.0
"""Replicas are made slower by at most this factor; beyond it there are fewer of them."""


@dataclass(frozen=True, slots=True)
class World:
    """Replicas, what the router is told of them, what is asked of them, and how much of it."""

    number: int
    fleet: Fleet
    demand: Demand
    load: float
    """Share of the knee: 0.3 to 2."""
    capacity: float
    """Requests per second that the replicas bear where all come at once: above the knee."""
    told: Told
    limits_told: bool
    alike: Alike
    trouble: Trouble


def world(number: int) -> World:
    """The world of this number."""
    rng = np.random.default_rng([number, 20_261_129])
    count = round(exp(rng.uniform(0, log(_MOST_REPLICAS))))
    long_context = bool(rng.random() < 0.12)
    alike = list(Alike)[int(rng.choice(3, p=(0.6, 0.25, 0.15)))]
    kind = draw_kind(_most_rate(count) / count, long_context, rng)
    kinds = draw_members(kind, alike, count, long_context, rng)
    demand = draw_demand(min(k.limits.kv_tokens for k in kinds), long_context, _published(), rng)
    demand = shortened(demand, _longest_prompt(kinds, demand.longest_prompt))
    kinds, capacity = _paced(kinds, _sample(demand, number))
    demand = with_targets(demand, _targets(demand, _median(kinds), number, rng))
    count = len(kinds)
    told = list(Told)[int(rng.choice(5, p=(0.25, 0.3, 0.1, 0.1, 0.25)))]
    trouble = _trouble(count, rng)
    limits_told = told is not Told.NOTHING and bool(rng.random() < 0.7)
    known = told_of(kinds, told, limits_told, rng)
    fleet = _fleet(kinds, {} if told is Told.NOTHING else known, trouble, rng)
    load = float(rng.uniform(*_LOADS))
    return World(number, fleet, demand, load, capacity, told, limits_told, alike, trouble)


def _published() -> Mapping[Task, Target]:
    return {task: PUBLISHED.of(task) for task in Task}


def _sample(demand: Demand, number: int) -> Sequence[Arrival]:
    return list(islice(Traffic(demand, 10.0, 1e6).arrivals(number), _SAMPLE))


def _longest_prompt(kinds: Sequence[Profile], wanted: int) -> int:
    """Tokens of the longest prompt up to `wanted` that every replica computes in a reasonable time:
    longer ones are not sent to such hardware."""
    while wanted > _ALWAYS_SENT and max(prompt_s(kind, wanted) for kind in kinds) > _LONGEST_S:
        wanted = round(0.8 * wanted)
    return wanted


def _paced(
    kinds: tuple[Profile, ...], sample: Sequence[Arrival]
) -> tuple[tuple[Profile, ...], float]:
    """As many of the replicas, and so much faster or slower, all of them alike, that a run of a
    minute or two has some hundreds to two thousand requests; and their throughput."""
    wanted = [arrival for arrival in sample if arrival.counts]
    share = len(wanted) / len(sample)  # What the next key takes back costs little.
    each = {kind: throughput(wanted, kind) / share for kind in dict.fromkeys(kinds)}
    slowest_s = max(kind.law.seconds(*_BATCH) for kind in kinds)
    most = max(1.0, min(_MOST_PACED, _LONGEST_STEP_S / slowest_s))
    while sum(each[kind] for kind in kinds) > most * _most_rate(len(kinds)) and len(kinds) > 1:
        kinds = kinds[:-1]
    capacity = sum(each[kind] for kind in kinds)
    within = min(_most_rate(len(kinds)), max(_LEAST_RATE, capacity))
    return tuple(slower(kind, capacity / within) for kind in kinds), within


def _most_rate(replicas: int) -> float:
    """Requests per second that a simulation of this many replicas can follow for a minute."""
    return 26.0 + 1.8 * replicas


def _median(kinds: Sequence[Profile]) -> Profile:
    """The replica in the middle by the time that a mixed step takes."""
    ordered = sorted(kinds, key=lambda kind: kind.law.seconds(516, 17, 17_000, 125_000))
    return ordered[len(ordered) // 2]


def _targets(
    demand: Demand, profile: Profile, number: int, rng: Generator
) -> Mapping[Task, Target]:
    """The published targets, halved or doubled, or longer where the hardware could not meet them:
    where even an idle replica misses, every router does."""
    wanted = (0.5, 0.75, 1.0, 1.5, 2.0)[int(rng.choice(5, p=(0.2, 0.1, 0.5, 0.1, 0.1)))]
    sample = _sample(demand, number)
    needed: defaultdict[Task, list[float]] = defaultdict(list)
    for arrival, took in zip(sample, alone(sample, profile), strict=True):
        by_last = arrival.target.ttft_s is None
        spent_s = took.last_token_s if by_last else took.first_token_s
        needed[arrival.task].append(_SPARE * spent_s / arrival.target.budget_s)
    step_s = profile.law.seconds(*_BATCH)
    tpot_times = max(wanted, _SPARE * step_s / _tpot_s())
    return {
        task: target.scaled(max(wanted, _quantile(needed[task])), tpot_times)
        for task, target in demand.targets.items()
    }


def _tpot_s() -> float:
    return PUBLISHED.of(Task.GENERATION).tpot_s or 1.0


def _quantile(values: Iterable[float]) -> float:
    ascending = sorted(values)
    return ascending[int(_FEASIBLE * (len(ascending) - 1))] if ascending else 0.0


def _trouble(count: int, rng: Generator) -> Trouble:
    """Noise in most worlds; neighbours, throttling, pauses, deaths and starts in some."""
    noise = float(
        (0.0, rng.uniform(0.03, 0.15), rng.uniform(0.15, 0.4))[rng.choice(3, p=(0.3, 0.5, 0.2))]
    )
    slowed: list[tuple[int, Slowdown]] = []
    index = int(rng.integers(count))
    match rng.choice(4, p=(0.6, 0.2, 0.1, 0.1)):
        case 1:
            begin = float(rng.uniform(5.0, 30.0))
            few = max(1, count // 4) if rng.random() < 0.5 else 1
            length = float(rng.uniform(10.0, 60.0))
            slowed = [
                ((index + i) % count, Slowdown(begin, begin + length, 0.5)) for i in range(few)
            ]
        case 2:
            begin, speed = float(rng.uniform(10.0, 30.0)), float(rng.uniform(0.6, 0.9))
            slowed = [(i, Slowdown(begin, 1e6, speed)) for i in range(count)]
        case 3:
            slowed = [(i, pause) for i in range(count) for pause in _pauses(rng)]
        case _:
            pass
    kills = _times(count, 0.15, rng) if count > 1 else ()
    starts = _times(count, 0.15, rng) if count > 1 else ()
    return Trouble(noise, tuple(slowed), kills, starts)


def _pauses(rng: Generator) -> Iterable[Slowdown]:
    """The replica stands still for a moment, every ten seconds or so."""
    now = float(rng.exponential(10.0))
    while now < 180.0:
        length = float(rng.uniform(0.1, 0.5))
        yield Slowdown(now, now + length, 0.02)
        now += length + float(rng.exponential(10.0))


def _times(count: int, chance: float, rng: Generator) -> tuple[tuple[float, int], ...]:
    """For up to a third of the replicas, in some worlds."""
    if rng.random() >= chance:
        return ()
    few = int(rng.integers(1, max(2, count // 3 + 1)))
    chosen = rng.choice(count - 1, size=min(few, count - 1), replace=False)
    return tuple((float(rng.uniform(5.0, 40.0)), int(index)) for index in sorted(chosen))


def _fleet(
    kinds: Sequence[Profile], known: Mapping[Profile, Profile], trouble: Trouble, rng: Generator
) -> Fleet:
    ready = {index: time for time, index in trouble.starts}
    step_s = max(_NOISE_STEP_S, _median(kinds).law.seconds(16, 16, 16_000))
    members = [
        member(
            kind,
            known.get(kind),
            _speed(index, trouble, step_s, int(rng.integers(1 << 31))),
            ready.get(index, 0.0),
        )
        for index, kind in enumerate(kinds)
    ]
    return Fleet(mixed=tuple(members), kills=trouble.kills)


def _speed(index: int, trouble: Trouble, step_s: float, seed: int) -> Speed:
    slowed = tuple(slowdown for i, slowdown in trouble.slowed if i == index)
    return Speed(trouble.noise, step_s, slowed, seed)
