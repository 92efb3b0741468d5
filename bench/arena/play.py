"""One world, played by every policy with the same requests."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing import get_context
from time import process_time

from bench.arena.demand import BURSTS
from bench.arena.knee import knee
from bench.arena.traffic import Traffic
from bench.arena.worlds import World, world
from cato_backend.errors import ConfigError
from cato_backend.scheduling import Setup, make_policy
from cato_backend.wire.headers import Task
from cato_lab.scoring.outcome import Outcome
from cato_lab.scoring.scores import Score, score
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads import Arrival

START_S = 60.0
"""The first minute after replicas have come up is scored on its own, too."""
_REQUESTS, _REQUESTS_PER_REPLICA = 1200, 30
_SHORTEST_S, _LONGEST_S = 20.0, 150.0


@dataclass(frozen=True, slots=True)
class Share:
    """Requests that counted, and those of them that met their target."""

    met: int
    counted: int

    @property
    def percent(self) -> float | None:
        """Goodput in percent; None of none."""
        return 100 * self.met / self.counted if self.counted else None

    def __add__(self, other: Share) -> Share:
        return Share(self.met + other.met, self.counted + other.counted)


@dataclass(frozen=True, slots=True)
class Played:
    """What a policy came to in a world, over all seeds."""

    overall: Share
    classes: Mapping[Task, Share]
    start: Share
    """Requests of the first minute after any replica has come up."""
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Known:
    """What an earlier report says of a world."""

    knee: float
    duration_s: float
    requests: int
    played: Mapping[str, Played]


@dataclass(frozen=True, slots=True)
class Match:
    """A world, and what every policy came to in it."""

    world: World
    knee: float
    rate: float
    duration_s: float
    requests: int
    played: Mapping[str, Played]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Requests that were drawn once, for every policy."""

    asked: Sequence[Arrival]
    duration_s: float
    name: str = "recorded"

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """The same whatever the seed."""
        return iter(self.asked)


def play(
    number: int, policies: Sequence[str], seeds: Sequence[int], known: Known | None = None
) -> Match:
    """Plays the world of this number at its load. Raises ConfigError where `known` is of a world
    that had other requests."""
    found = world(number)
    if known is None:
        bearable = knee(found)
        return play_at(found, bearable, _duration_s(found, bearable), policies, seeds)
    match = play_at(found, known.knee, known.duration_s, policies, seeds)
    if match.requests != known.requests:
        wanted = f"{match.requests}, as this code draws them: play all policies again"
        raise ConfigError.of(f"requests of world {number} in the report", known.requests, wanted)
    return replace(match, played={**match.played, **known.played})


def _duration_s(found: World, bearable: float) -> float:
    """For about as many requests in every world, whatever their rate. Arrivals in bursts are
    followed until there were enough of them."""
    most = _REQUESTS + _REQUESTS_PER_REPLICA * len(found.fleet.members)
    rate = found.load * bearable
    duration_s = most / rate
    if found.demand.arrivals in BURSTS:
        times = Traffic(found.demand, rate, _LONGEST_S).arrivals(1)
        duration_s = next((a.time for a in islice(times, most, None)), _LONGEST_S)
    return min(_LONGEST_S, max(_SHORTEST_S, duration_s))


def play_at(
    found: World, bearable: float, duration_s: float, policies: Sequence[str], seeds: Sequence[int]
) -> Match:
    """Plays a world whose knee is known: `bearable` requests per second."""
    rate = found.load * bearable
    traffic = Traffic(found.demand, rate, duration_s)
    recorded = {seed: Recorded(list(traffic.arrivals(seed)), duration_s) for seed in seeds}
    return Match(
        world=found,
        knee=bearable,
        rate=rate,
        duration_s=duration_s,
        requests=sum(len(each.asked) for each in recorded.values()),
        played={policy: _played(policy, found, recorded) for policy in policies},
    )


def play_all(
    numbers: Sequence[int],
    policies: Sequence[str],
    seeds: Sequence[int],
    known: Mapping[int, Known],
    jobs: int,
    done: Callable[[Match], None],
) -> list[Match]:
    """Plays all worlds, `jobs` at a time, and returns them in the order of their numbers.

    `done` is called after each, in the order in which they end.
    """
    matches: list[Match] = []
    # Not by fork: numpy's threads would not survive it.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(play, n, policies, seeds, known.get(n)) for n in numbers]
        for future in as_completed(futures):
            matches.append(future.result())
            done(matches[-1])
    return sorted(matches, key=lambda match: match.world.number)


def _played(policy: str, found: World, recorded: Mapping[int, Recorded]) -> Played:
    began = process_time()
    try:
        outcomes = [_outcomes(policy, found, seed, each) for seed, each in recorded.items()]
    except Exception as error:
        error.add_note(f"{policy} in world {found.number}")
        raise
    scores = [score(each, 1.0) for each in outcomes]
    starts = [score([o for o in each if _at_a_start(found, o)], 1.0) for each in outcomes]
    return Played(
        overall=_total(scores, None),
        classes={t: share for t in Task if (share := _total(scores, t)).counted},
        start=_total(starts, None),
        cpu_s=process_time() - began,
    )


def _outcomes(policy: str, found: World, seed: int, recorded: Recorded) -> Sequence[Outcome]:
    gc.collect()
    gc.disable()  # A run makes no cycles, and its outcomes would be searched again and again.
    try:
        simulator = Simulator(make_policy(policy, Setup(seed)), found.fleet)
        return simulator.run(recorded, seed).outcomes
    finally:
        gc.enable()


def _at_a_start(found: World, outcome: Outcome) -> bool:
    members = found.fleet.members
    back = [time + members[index].profile.start_s for time, index in found.fleet.kills]
    starts = [member.ready_s for member in members] + back
    return any(0 <= outcome.arrival.time - start < START_S for start in starts)


def _total(scores: Sequence[Score], task: Task | None) -> Share:
    found = [s.overall if task is None else s.classes.get(task) for s in scores]
    shares = [Share(each.met, each.counted) for each in found if each is not None]
    return sum(shares, Share(0, 0))
