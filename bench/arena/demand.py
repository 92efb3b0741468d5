"""What a world's clients ask for, and how much of it they tell the router."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import exp, log
from typing import TypeVar

from numpy.random import Generator

from cato_backend.requests import Target
from cato_backend.wire.headers import TASKS_OF_PEOPLE, Task
from cato_lab.workloads import ArrivalProcess, DayCurve, Gamma, Mmpp, Poisson
from cato_lab.workloads.lengths import Context

LONG_PROMPT = 20_000
"""Tokens from which on a prompt is a long one."""
_Choice = TypeVar("_Choice")


class Headers(StrEnum):
    """Which headers the clients send."""

    OURS = "ours"
    """Class, target, session and document; some also an estimate of their output tokens."""
    PEERS = "others'"
    """A session; the gateway reads the class from the shape of the request."""
    NONE = "none"


class Arrivals(StrEnum):
    """The process of arrivals."""

    POISSON = "poisson"
    GAMMA_2 = "gamma, cv 2"
    GAMMA_5 = "gamma, cv 5"
    AZURE = "mmpp of the azure code trace"
    DAY = "day"

    def at(self, rate: float) -> ArrivalProcess:
        """The process at this mean rate, requests per second."""
        match self:
            case Arrivals.POISSON:
                return Poisson(rate)
            case Arrivals.GAMMA_2:
                return Gamma(rate, 2.0)
            case Arrivals.GAMMA_5:
                return Gamma(rate, 5.0)
            case Arrivals.AZURE:
                return Mmpp(rate)
            case Arrivals.DAY:
                return DayCurve(rate)


BURSTS = (Arrivals.GAMMA_5, Arrivals.AZURE)
"""Those with silences of tens of seconds."""


class Withdrawal(StrEnum):
    """How clients take back what they no longer want."""

    NEVER = "never"
    CLOSE = "close"
    """They close the connection at the next key."""
    SUPERSEDE = "supersede"
    """The next request of the document replaces the older ones; connections stay open."""
    BOTH = "close and supersede"


@dataclass(frozen=True, slots=True)
class Typing:
    """Completions: one that is wanted, and those before it that the next key takes back."""

    withdrawal: Withdrawal
    taken_back: float
    """Completions that are taken back for each one that is not, in the mean."""
    context: Context
    repeat: float
    """Chance that a completion continues the document of the one before."""
    suffix_share: float
    """Of the prompt behind the cursor, sent again after each key; 0 with suffix-first prompts."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Factors on the published distributions of lengths."""

    prompt: float
    output: float
    tail: float
    """Standard deviation of the logarithm of a further factor for each request."""
    whole_files: bool
    common_tokens: int
    """Of a system prompt with which every generation begins."""


@dataclass(frozen=True, slots=True)
class Agents:
    """Coding agents, whose prompts grow turn by turn."""

    sessions: int
    first_tokens: int
    """Median of an agent's first prompt."""
    longest_tokens: int
    """An agent whose prompt would become longer begins a new session."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Everything about the requests but their rate."""

    shares: Mapping[Task, float]
    arrivals: Arrivals
    sessions: int
    typing: Typing
    lengths: Lengths
    agents: Agents
    long_share: float
    """Of generations: prompts of 20,000 tokens and more."""
    longest_prompt: int
    headers: Headers
    estimates: bool
    """Whether clients with our headers tell the output tokens that they expect."""
    flat_translations: bool
    """Whether translations promise a flat 15 s, or 2 s and 30 ms for each expected token."""
    targets: Mapping[Task, Target]
    """What is promised. Of translations: times how much of the published promise, see `scale`."""
    configured: bool
    """Whether the operator has configured these targets, for clients that tell none."""

    def scale(self, task: Task, published: Target) -> float:
        """How many times the published budget the world's target is."""
        return self.targets[task].budget_s / published.budget_s


def draw_demand(
    kv_tokens: int, long_context: bool, published: Mapping[Task, Target], rng: Generator
) -> Demand:
    """A demand that replicas with so many KV tokens can serve, its targets as published."""
    longest = min(kv_tokens // 3, 150_000 if long_context else 16_000)
    headers = _one(list(Headers), (0.5, 0.25, 0.25), rng)
    return Demand(
        shares=_shares(rng),
        arrivals=_one(list(Arrivals), (0.35, 0.15, 0.15, 0.2, 0.15), rng),
        sessions=round(exp(rng.uniform(log(10), log(300)))),
        typing=_typing(headers, rng),
        lengths=_lengths(rng),
        agents=_agents(longest, long_context, rng),
        long_share=float(rng.uniform(0.02, 0.15)) if long_context else 0.0,
        longest_prompt=longest,
        headers=headers,
        estimates=bool(rng.random() < 0.5),
        flat_translations=bool(rng.random() < 0.5),
        targets=published,
        configured=bool(rng.random() < 0.5),
    )


def shortened(demand: Demand, longest: int) -> Demand:
    """The same demand with prompts of at most so many tokens."""
    agents = replace(
        demand.agents,
        first_tokens=min(demand.agents.first_tokens, longest // 2),
        longest_tokens=min(demand.agents.longest_tokens, longest),
    )
    long_share = demand.long_share if longest > LONG_PROMPT else 0.0
    return replace(demand, agents=agents, longest_prompt=longest, long_share=long_share)


def with_targets(demand: Demand, targets: Mapping[Task, Target]) -> Demand:
    """The same requests under these targets."""
    return replace(demand, targets=targets)


def _shares(rng: Generator) -> Mapping[Task, float]:
    """10 to 90% completions; agents in a third of the worlds."""
    completions = float(rng.uniform(0.1, 0.9))
    agents = float(rng.uniform(0.02, 0.2)) if rng.random() < 0.35 else 0.0
    rest = rng.dirichlet((2.0, 1.0, 1.0)) * (1 - completions)
    people = (completions, *(float(share) for share in rest))
    shares = {t: (1 - agents) * s for t, s in zip(TASKS_OF_PEOPLE, people, strict=True)}
    return {**shares, Task.AGENT: agents}


def _typing(headers: Headers, rng: Generator) -> Typing:
    withdrawal = _one(list(Withdrawal), (0.35, 0.25, 0.15, 0.25), rng)
    if headers is not Headers.OURS and withdrawal is not Withdrawal.NEVER:
        withdrawal = Withdrawal.CLOSE
    return Typing(
        withdrawal=withdrawal,
        taken_back=0.0 if withdrawal is Withdrawal.NEVER else float(rng.uniform(0.3, 4.0)),
        context=Context.RICH if rng.random() < 0.5 else Context.LEAN,
        repeat=0.0 if rng.random() < 0.15 else float(rng.uniform(0.5, 0.95)),
        suffix_share=0.0 if rng.random() < 0.6 else float(rng.uniform(0.2, 0.6)),
    )


def _lengths(rng: Generator) -> Lengths:
    return Lengths(
        prompt=float(rng.lognormal(0, 0.3)),
        output=float(rng.lognormal(0, 0.3)),
        tail=float(rng.uniform(0.4, 0.9)) if rng.random() < 0.25 else 0.0,
        whole_files=bool(rng.random() < 0.3),
        common_tokens=0 if rng.random() < 0.5 else 16 * int(rng.integers(10, 120)),
    )


def _agents(longest: int, long_context: bool, rng: Generator) -> Agents:
    first = exp(rng.uniform(log(20_000), log(100_000))) if long_context else 4000.0
    return Agents(int(rng.integers(2, 13)), round(min(first, longest / 2)), longest)


def _one(choices: list[_Choice], shares: tuple[float, ...], rng: Generator) -> _Choice:
    return choices[int(rng.choice(len(choices), p=shares))]
