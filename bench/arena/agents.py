"""Turns of coding agents: long prompts, most of which the turn before has sent already."""

from __future__ import annotations

from numpy.random import Generator

from bench.arena.demand import Demand
from cato_backend.wire.headers import Task
from cato_lab.workloads.arrival import Arrival
from cato_lab.workloads.lengths import SessionBlocks

_FIRST_SESSION = 100_000
"""People's block ids stay below those of agents."""
_NEW_TOKENS, _OUTPUT_TOKENS = (6.57, 1.2), (5.5, 0.92)
"""Tokens of a turn that the one before did not have, and of its answer: log-normal, fitted to
25,226 requests of recorded sessions (github.com/callanjfox/kv-cache-tester, Apache-2.0)."""
_LEAST_NEW, _MOST_NEW = 16, 8000
_LONGEST_OUTPUT = 1024


def clipped(value: float, most: int, least: int = 1) -> int:
    """The nearest whole number within both bounds."""
    return min(most, max(least, round(value)))


class Agent:
    """One coding agent: every prompt is the one before, its answer, and something new."""

    def __init__(self, demand: Demand, index: int) -> None:
        self._demand, self._name = demand, f"a{index}"
        self._blocks = SessionBlocks(_FIRST_SESSION + index)
        self._tokens = 0
        self._prompt: tuple[int, ...] = ()

    def turn(self, request_id: str, time: float, rng: Generator) -> Arrival:
        """The next turn."""
        agents = self._demand.agents
        output = clipped(rng.lognormal(*_OUTPUT_TOKENS), _LONGEST_OUTPUT)
        new = clipped(rng.lognormal(*_NEW_TOKENS), _MOST_NEW, _LEAST_NEW)
        if not self._tokens or self._tokens + new > agents.longest_tokens:
            first = agents.first_tokens * rng.lognormal(0, 0.4)
            self._tokens = clipped(first, agents.longest_tokens, 16)
            self._prompt = self._blocks.fresh(self._tokens)
        else:
            kept, self._tokens = self._tokens, self._tokens + new
            self._prompt = self._blocks.edited(self._prompt, kept, self._tokens)
        return Arrival(
            id=request_id,
            time=time,
            task=Task.AGENT,
            prompt_tokens=self._tokens,
            output_tokens=output,
            max_tokens=4096,
            target=self._demand.targets[Task.AGENT],
            blocks=self._prompt,
            session=self._name,
        )
