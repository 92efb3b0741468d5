"""Coding agents in a simulation: each sends its next turn a while after the answer to the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Protocol

import numpy as np

from bench.observed_clients import ObservedClients
from cato_backend.config import TargetsConfig
from cato_backend.scheduling.policies import Policy
from cato_backend.wire.headers import Task
from cato_lab.scoring.outcome import Outcome
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads.arrival import Arrival
from cato_lab.workloads.lengths import SessionBlocks

LONG = "long-"
"""How the ids of requests begin whose prompt is new as a whole."""
_SESSIONS = 1_000_000
"""Ids of prompt blocks from here on belong to agents."""
_SHORTEST, _LONGEST = 20_000, 150_000
_MOST_OUTPUT = 1024
_FIRST_TURNS_S = 30.0
"""Agents begin within the first so many seconds."""


@dataclass(frozen=True, slots=True)
class Agents:
    """How many, and what a turn is like: medians of recorded agents, callanjfox/kv-cache-tester."""

    count: int
    fresh: float = 0.05
    """Chance that a turn shares nothing with the one before. Its prompt is then log-uniform from
    20,000 to 150,000 tokens."""
    new_tokens: float = 731.0
    new_sigma: float = 1.2
    output_tokens: float = 217.0
    output_sigma: float = 0.9
    gap_s: float = 2.0
    """From an answer to the next turn: what the agent's tools take."""
    gap_sigma: float = 1.2


class Agent(Protocol):
    """One agent; its turns are the same whatever the fleet does, only later."""

    @property
    def name(self) -> str:
        """The session of its turns."""
        ...

    @property
    def begins_s(self) -> float:
        """When its first turn is sent."""
        ...

    def turn(self, now: float) -> Arrival | None:
        """The next turn; None after the last."""
        ...

    def gap_s(self) -> float:
        """From an answer to the next turn."""
        ...


def sampled(agents: Agents, seed: int) -> list[Agent]:
    """Agents whose turns are drawn at random."""
    return [_Sampled(agents, seed, index) for index in range(agents.count)]


class AgentStudy(Simulator):
    """A simulation with agents beside the workload that it is run with."""

    def __init__(self, policy: Policy, fleet: Fleet, agents: Sequence[Agent]) -> None:
        super().__init__(policy, fleet)
        self._clients = ObservedClients(self._heard)
        self._last_turn_s = 0.0
        self._agents = {agent.name: agent for agent in agents}

    def begin(self, duration_s: float) -> None:
        """Puts the agents' first turns on the agenda; none begins a turn after `duration_s`."""
        self._last_turn_s = duration_s
        for agent in self._agents.values():
            self._agenda.put(agent.begins_s, self._turn, agent)

    def _turn(self, agent: Agent, now: float) -> None:
        turn = agent.turn(now) if now < self._last_turn_s else None
        if turn is not None:
            self._ask(turn, now)

    def _heard(self, outcome: Outcome, now: float) -> None:
        agent = self._agents.get(outcome.arrival.session)
        if agent is not None:
            self._agenda.put(now + agent.gap_s(), self._turn, agent)


class _Sampled:
    def __init__(self, agents: Agents, seed: int, index: int) -> None:
        self.name = f"agent{index}"
        self._agents = agents
        self._rng = np.random.default_rng([seed, _SESSIONS, index])
        self._blocks = SessionBlocks(_SESSIONS + index)
        self._number = 0
        self._tokens = 0
        self._prompt: tuple[int, ...] = ()
        self.begins_s = float(self._rng.uniform(0, _FIRST_TURNS_S))

    def gap_s(self) -> float:
        """Until the next turn."""
        agents = self._agents
        return float(agents.gap_s * self._rng.lognormal(0, agents.gap_sigma))

    def turn(self, now: float) -> Arrival:
        """The next turn."""
        agents, rng = self._agents, self._rng
        new = max(16, round(agents.new_tokens * rng.lognormal(0, agents.new_sigma)))
        output = round(agents.output_tokens * rng.lognormal(0, agents.output_sigma))
        fresh = rng.random() < agents.fresh
        begins = fresh or not self._tokens or self._tokens + new > _LONGEST
        if begins:
            self._tokens = round(exp(rng.uniform(log(_SHORTEST), log(_LONGEST))))
            self._prompt = self._blocks.fresh(self._tokens)
        else:
            kept, self._tokens = self._tokens, self._tokens + new
            self._prompt = self._blocks.edited(self._prompt, kept, self._tokens)
        self._number += 1
        return Arrival(
            id=f"{LONG if begins else ''}{self.name}-{self._number}",
            time=now,
            task=Task.AGENT,
            prompt_tokens=self._tokens,
            output_tokens=min(_MOST_OUTPUT, max(1, output)),
            max_tokens=4096,
            target=TargetsConfig().of(Task.AGENT),
            blocks=self._prompt,
            session=self.name,
        )
