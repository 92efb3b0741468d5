"""Finds the fleet of each GPU for a demand, or the demand for a fleet."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from math import ceil

from cato_backend.profile_files.document import ProfileFile
from cato_lab.commands.plan_text import Demand, Plan
from cato_lab.simulation.cell_pool import CellPool
from cato_lab.simulation.searching import estimate, fewest_replicas, most_people, slice_of
from cato_lab.simulation.sizing import Candidate, Judge
from cato_lab.simulation.study import Contender
from cato_lab.workloads import DeveloperWorkload, MixWorkload, Poisson
from cato_lab.workloads.arrival import Workload

MOST_DEVELOPERS = 120
"""In one simulated run; a larger team is simulated in equal parts."""
_PART_REPLICAS = 2
"""Least number of replicas, approximately, that a part needs: parts share no replicas."""

Say = Callable[[str], None]


class Planner:
    """A planner for all GPUs and for both directions, so that their answers agree.

    A fleet is simulated once for a demand, whichever form asks for it.
    """

    def __init__(self, arguments: argparse.Namespace, pool: CellPool, say: Say) -> None:
        self._arguments = arguments
        self._pool = pool
        self._say = say
        self._judged: dict[tuple[str, str], _JudgedFleets] = {}
        """By GPU and demand."""
        self._needed: dict[str, int] = {}
        """Replicas for `MOST_DEVELOPERS` by the estimate, by GPU."""

    def plan(self, file: ProfileFile) -> Plan:
        """Return the plan that the arguments ask for, on this GPU."""
        arguments = self._arguments
        if arguments.replicas is not None:
            return self.people_on(file, arguments.replicas)
        if arguments.developers is not None:
            return self.for_people(file, arguments.developers)
        mix = MixWorkload(Poisson(arguments.rate), arguments.duration)
        text = f"{arguments.rate:g} requests/s of the four tasks"
        return self._fewest(file, Demand(mix, arguments.rate, 1, text))

    def for_people(self, file: ProfileFile, developers: int) -> Plan:
        """Return the smallest fleet for this number of developers."""
        return self._fewest(file, self._team(file, developers))

    def people_on(self, file: ProfileFile, replicas: int) -> Plan:
        """Return the largest team for which `for_people` needs at most this number of replicas."""
        guess = max(1, MOST_DEVELOPERS * replicas // self._estimated(file))
        most = self._part_size(file) * replicas
        found = most_people(guess, most, lambda people: self._on(file, replicas, people))
        chosen = None
        for each in sorted((each for each in found if each.enough), key=_load, reverse=True):
            count = self.for_people(file, round(each.load)).count
            if count is not None and count <= replicas:
                chosen = each
                break
        people = 0 if chosen is None else round(chosen.load)
        demand = self._team(file, max(1, people))
        start = self._fleets_for(file, demand).start * demand.parts
        text = demand.text if people else f"{_counted(0)} typing"
        return Plan(file, replace(demand, parts=1, text=text), start, tuple(found), chosen)

    def _fewest(self, file: ProfileFile, demand: Demand) -> Plan:
        fleets = self._fleets_for(file, demand)
        found = fewest_replicas(fleets.start, fleets.judge)
        chosen = next((each for each in found if each.enough), None)
        return Plan(file, demand, fleets.start, tuple(found), chosen)

    def _on(self, file: ProfileFile, replicas: int, people: int) -> Candidate:
        """Return the judged fleet of `replicas` replicas for a team of `people`."""
        demand = self._team(file, people)
        found = self._fleets_for(file, demand).judge(replicas // demand.parts)
        return replace(found, replicas=replicas, load=people)

    def _team(self, file: ProfileFile, developers: int) -> Demand:
        few = developers <= MOST_DEVELOPERS
        most = MOST_DEVELOPERS if few else self._part_size(file)
        people, parts = slice_of(developers, most)
        text = f"{_counted(developers)} typing"
        if parts > 1:
            text += f", simulated as {parts} parts of {people}"
        return Demand(DeveloperWorkload(people, self._arguments.duration), people, parts, text)

    def _part_size(self, file: ProfileFile) -> int:
        """Return how many people of a large team are simulated together."""
        return MOST_DEVELOPERS * ceil(_PART_REPLICAS / self._estimated(file))

    def _estimated(self, file: ProfileFile) -> int:
        if file.hardware not in self._needed:
            typing = DeveloperWorkload(MOST_DEVELOPERS, self._arguments.duration)
            self._needed[file.hardware] = self._estimate(file, typing)
        return self._needed[file.hardware]

    def _estimate(self, file: ProfileFile, workload: Workload) -> int:
        self._say(f"{file.hardware}: estimating")
        return estimate(workload, file.profile(), self._arguments.goodput)

    def _start(self, file: ProfileFile, demand: Demand) -> int:
        """Return the number from which a search begins. One estimate does for all teams."""
        if isinstance(demand.workload, DeveloperWorkload):
            return ceil(self._estimated(file) * demand.load / MOST_DEVELOPERS)
        return self._estimate(file, demand.workload)

    def _fleets_for(self, file: ProfileFile, demand: Demand) -> _JudgedFleets:
        key = (file.hardware, demand.text)
        if key not in self._judged:
            start, asked = self._start(file, demand), self._arguments
            contender, profile = Contender(asked.policy), file.profile()
            judge = Judge(
                contender, profile, asked.goodput, _ample(start), asked.seeds, self._pool.run
            )
            self._judged[key] = _JudgedFleets(file.hardware, demand, start, judge, self._say)
        return self._judged[key]


class _JudgedFleets:
    """The fleets of one GPU for one demand, or for one of its parts; each is simulated once."""

    def __init__(self, hardware: str, demand: Demand, start: int, judge: Judge, say: Say) -> None:
        self._hardware = hardware
        self._demand = demand
        self.start = start
        """The number from which a search begins."""
        self._judge = judge
        self._say = say
        self._found: dict[int, Candidate] = {}

    def judge(self, replicas: int) -> Candidate:
        """Return the results of runs with this number of replicas."""
        if replicas not in self._found:
            demand = self._demand
            whole = _replicas(replicas * demand.parts)
            self._say(f"{self._hardware}: simulating {demand.text} on {whole}")
            self._found[replicas] = self._judge.judge(replicas, demand.workload, demand.load)
        return self._found[replicas]


def _ample(replicas: int) -> int:
    """Return replicas that show what is in reach: far more than are needed."""
    return 3 * replicas + 4


def _load(candidate: Candidate) -> float:
    return candidate.load


def _counted(developers: int) -> str:
    return "1 developer" if developers == 1 else f"{developers} developers"


def _replicas(count: int) -> str:
    return "1 replica" if count == 1 else f"{count} replicas"
