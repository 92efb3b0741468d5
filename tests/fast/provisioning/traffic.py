"""Requests and answers for tests of provisioning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning import Bounds, FleetState, Plan, Provisioner, ScalingRule
from cato_backend.provisioning.rules.base import AnsweredRequest
from cato_backend.requests import Request, Target
from cato_backend.scheduling import Decision, Event, Finished, Progressed, Submitted
from cato_backend.wire.headers import Task
from cato_lab.simulation.fleet import REFERENCE

PROFILE: Profile = replace(REFERENCE, start_s=20.0)
NO_DECISIONS: list[Decision] = []


def request(number: int, now: float, **changed: object) -> Request:
    """A completion of 1,000 tokens: 0.12 s on an idle reference replica."""
    values = {
        "id": str(number),
        "task": Task.COMPLETION,
        "model": PROFILE.model,
        "arrival": now,
        "target": Target(ttft_s=0.25),
        "prompt_tokens": 1000,
        "max_tokens": 64,
    }
    return Request(**(values | changed))  # type: ignore[arg-type]


def answer(asked: Request, ttft_s: float, met: bool | None = True) -> AnsweredRequest:
    """An answer of ten tokens."""
    return AnsweredRequest(asked, ttft_s + 0.2, ttft_s, asked.prompt_tokens, 10, met)


class Fleet:
    """A fleet that does as it is told at once, and answers every request in time."""

    def __init__(self, rule: ScalingRule, bounds: Bounds | None = None, ready: int = 1) -> None:
        self.provisioner = Provisioner(PROFILE.model, bounds or Bounds(1, 32), rule)
        self.ready = ready
        self.plans: list[tuple[float, Plan]] = []
        self._number = 0
        self._now = 0.0

    def serve(self, rate: float, seconds: float, ttft_s: float = 0.1) -> list[int]:
        """So many requests per second, evenly; the targets of every second."""
        end, targets = self._now + seconds, []
        while self._now < end:
            for part in range(round(rate)):
                self._ask(self._now + part / rate, ttft_s)
            self._now += 1.0
            plan = self.provisioner.decide(FleetState(self.ready), self._now)
            self.plans.append((self._now, plan))
            self.ready = plan.target
            targets.append(plan.target)
        return targets

    def _ask(self, now: float, ttft_s: float) -> None:
        self._number += 1
        asked = request(self._number, now)
        for event, time in _story(asked, now, ttft_s):
            self.provisioner.observe(event, NO_DECISIONS, time)


def _story(asked: Request, now: float, ttft_s: float) -> Iterator[tuple[Event, float]]:
    yield Submitted(asked), now
    yield Progressed(asked.id, 1, 1, asked.prompt_tokens, 0), now + ttft_s
    yield Progressed(asked.id, 1, 9), now + ttft_s + 0.2
    yield Finished(asked.id, 1), now + ttft_s + 0.2
