"""The closed loop in virtual time: keys make requests, and answers reach the screens."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.developers.clients import CLIENTS
from bench.developers.editor import Client
from bench.developers.scripts import Coding, File, Script
from bench.observed_clients import ObservedClients
from bench.typing.screen import LOOKS_S
from bench.typing.scripts import PAUSE_S
from cato_backend.profile_files.files import load_profile, shipped_folder
from cato_backend.scheduling import Setup, Submitted, make_policy
from cato_backend.scheduling.policies import Policy
from cato_lab.scoring.outcome import Ending, Outcome
from cato_lab.simulation.clients import Waiting
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.replica import SimulatedReplica
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads import Arrival, DeveloperWorkload

PROFILE = "a100-80gb/Qwen2.5-Coder-7B.json"


@dataclass(frozen=True, slots=True)
class System:
    """A client, a router and the engines' option."""

    client: str
    policy: str
    threshold: int
    """`long_prefill_token_threshold` of the engines; 0: none."""


@dataclass(frozen=True, slots=True)
class Span:
    """How long a run takes, and from when on it is counted. Seconds."""

    duration_s: float
    warmup_s: float = 60.0


@dataclass(slots=True)
class Seen:
    """What one run came to, all developers together, behind the warm-up."""

    keys: int = 0
    pauses: int = 0
    right_300: int = 0
    right_500: int = 0
    """Pauses with the right suggestion on the screen so many milliseconds after the last key."""
    questions: int = 0
    engine_s: float = 0.0
    """In which a replica computed, over all replicas."""


@dataclass(frozen=True, slots=True)
class _Commands:
    """What developers command besides typing, as the workload of a simulation."""

    people: DeveloperWorkload
    name: str = "commands"

    @property
    def duration_s(self) -> float:
        return self.people.duration_s

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        return self.people.commands(seed)


def play(system: System, scripts: Sequence[Script], span: Span, seed: int, replicas: int) -> Seen:
    """Make one run: all developers use one client in front of one fleet."""
    loop = ClosedLoop(
        make_policy(system.policy, Setup(seed)),
        fleet(replicas, system.threshold),
        CLIENTS[system.client],
        span,
    )
    loop.seat(scripts)
    gc.disable()  # A run makes hardly any cycles, and its outcomes would be searched again.
    try:
        loop.run(_Commands(DeveloperWorkload(len(scripts), span.duration_s)), seed)
    finally:
        gc.enable()
    return loop.seen


def fleet(replicas: int, threshold: int) -> Fleet:
    """Return replicas of the profile; the router knows their law."""
    profile = load_profile(shipped_folder() / PROFILE)
    limits = replace(profile.limits, long_prefill_token_threshold=threshold)
    return Fleet(replicas=replicas, profile=replace(profile, limits=limits))


def make_scripts(developers: int, span: Span, seed: int, coding: Coding) -> list[Script]:
    """Return what each of them types; the first ones are the same in a larger team."""
    return [Script(seed, index, span.duration_s, coding) for index in range(developers)]


class ClosedLoop(Simulator):
    """A simulation in which developers type at clients, besides the workload it is run with."""

    def __init__(self, policy: Policy, fleet: Fleet, client: type[Client], span: Span) -> None:
        super().__init__(policy, fleet)
        self.seen = Seen()
        self._model = fleet.model
        self._clients = ObservedClients(self._heard)
        self._make_client, self._span = client, span
        self._asked: dict[str, Client] = {}

    def seat(self, scripts: Sequence[Script]) -> None:
        """Put the developers' keys on the agenda, and the ends of warm-up and run."""
        for script in scripts:
            client = self._make_client(script, self)
            self._next_key((client, script, 0))
            for file in script.files[1:]:
                if file.opened_s < self._span.duration_s:
                    self._agenda.put(file.opened_s, self._open, (client, file))
        self._agenda.put(self._span.warmup_s, self._count_busy, -1)
        # Just before the end: the agenda runs what is due before it.
        self._agenda.put(self._span.duration_s - 1e-6, self._count_busy, 1)

    # -- what clients do -----------------------------------------------------------------------

    def at(self, time: float, action: Callable[[Any, float], None], argument: object) -> None:
        """As in `Desk`."""
        self._agenda.put(time, action, argument)

    def send(self, arrival: Arrival, client: Client, now: float) -> None:
        """As in `Desk`."""
        self.seen.questions += now >= self._span.warmup_s
        self._asked[arrival.id] = client
        self._ask(arrival, now)

    def warm(self, arrival: Arrival, now: float) -> None:
        """As in `Desk`: the gateway does not warm while requests wait."""
        if not self._scheduler.waiting(self._model):
            self._clients.ask(arrival)
            self._tell(Submitted(replace(arrival.request(self._model, now), warm=True)), now)

    def withdraw(self, request_id: str, now: float) -> None:
        """As in `Desk`."""
        self._asked.pop(request_id, None)
        self._cancel(request_id, now)

    def load(self) -> float:
        """As in `Desk`."""
        return self._scheduler.load(self._model)

    # -- developers ----------------------------------------------------------------------------

    def _next_key(self, seat: tuple[Client, Script, int]) -> None:
        _, script, typed = seat
        if typed < len(script.keys):
            self._agenda.put(script.keys[typed].time, self._key, seat)

    def _key(self, seat: tuple[Client, Script, int], now: float) -> None:
        client, script, typed = seat
        cursor = typed + 1
        client.typed(cursor, now)
        self._next_key((client, script, cursor))
        if now < self._span.warmup_s:
            return
        self.seen.keys += 1
        stays = script.file(cursor) is script.file(cursor + 1)
        ends = now + LOOKS_S[-1] >= self._span.duration_s
        if script.keys[typed].rest_s >= PAUSE_S and stays and not ends:
            self.seen.pauses += 1
            for look_s in LOOKS_S:
                self._agenda.put(now + look_s, self._look_at_screen, (client, look_s))

    def _open(self, opened: tuple[Client, File], now: float) -> None:
        client, file = opened
        client.opened(file, now)

    def _look_at_screen(self, look: tuple[Client, float], _now: float) -> None:
        client, look_s = look
        if look_s == LOOKS_S[0]:
            self.seen.right_300 += client.screen.is_right
        else:
            self.seen.right_500 += client.screen.is_right

    def _count_busy(self, sign: int, now: float) -> None:
        self.seen.engine_s += sign * sum(r.busy_s(now) for r in self._replicas.values())

    # -- what clients hear ---------------------------------------------------------------------

    def _begin(self, waiting: Waiting, replica: SimulatedReplica, now: float) -> None:
        super()._begin(waiting, replica, now)
        request_id = waiting.arrival.id
        if request_id in self._asked:
            self._asked[request_id].begun(request_id, now)

    def _heard(self, outcome: Outcome, now: float) -> None:
        client = self._asked.pop(outcome.arrival.id, None)
        if client is not None and outcome.ending is Ending.FINISHED:
            client.answered(outcome.arrival.id, now)
        elif client is not None:
            client.refused(outcome.arrival.id, now)
