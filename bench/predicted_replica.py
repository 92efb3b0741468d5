"""An emulated replica in virtual time, as a gateway sees it; all is predicted when it is sent."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from cato_backend.engine_model import Engine, Job, Passed, Timeline
from cato_backend.prediction.conformal import Conformal
from cato_backend.prediction.lengths import OutputLengths
from cato_backend.prediction.replica import ReplicaPredictor
from cato_backend.prediction.service import ReplicaState, Work
from cato_backend.profile_files.profile import Profile
from cato_backend.simulation.workloads.arrival import Arrival
from cato_backend.wire.headers import Task

USUAL_S = 30.0
"""Seconds that the batch and the incoming prompt tokens are averaged over."""

Bounds: TypeAlias = dict[tuple[str, Task], Conformal]
"""Of `ttft` and `e2e` of each task."""


@dataclass(slots=True)
class Flight:
    """A request under way, as a gateway knows it."""

    arrival: Arrival
    state: ReplicaState
    law_ttft_s: float
    ttft_s: float
    e2e_known_s: float
    e2e_s: float
    bounds: tuple[float, float]
    emitted: int = 0
    first_at: float | None = None


@dataclass(slots=True)
class Watched:
    """One emulated replica, and what can be known of it from its streams."""

    profile: Profile
    predictor: ReplicaPredictor
    timeline: Timeline
    flights: dict[str, Flight] = field(default_factory=dict[str, Flight])
    sent: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    last_token_at: float | None = None
    usual_decoding: float | None = None
    looked_at: float = 0.0

    @classmethod
    def of(cls, profile: Profile) -> Watched:
        """A fresh replica of this profile."""
        engine = Engine(profile.law, profile.limits, "fcfs")
        return cls(profile, ReplicaPredictor(profile), Timeline(engine, most=1))

    @property
    def outstanding(self) -> int:
        """Requests that have not ended."""
        return len(self.flights)

    def state(self, now: float) -> ReplicaState:
        """What is ahead of a request that would be sent now."""
        waiting = [f for f in self.flights.values() if f.first_at is None]
        started = [f for f in self.flights.values() if f.first_at is not None]
        self._average(len(started), now)
        since = None if self.last_token_at is None else now - self.last_token_at
        computing = [f for f in waiting if self._in_step(f)]
        return ReplicaState(
            decoding=len(started),
            kv_tokens=sum(f.arrival.prompt_tokens + self._emitted(f, now) for f in started),
            pending_prefill=sum(f.arrival.prompt_tokens for f in waiting),
            unstarted=len(waiting),
            prefill_rate=self._rate(now),
            usual_decoding=self.usual_decoding,
            computing=sum(f.arrival.prompt_tokens for f in computing),
            since_step_s=since if started or waiting else None,
        )

    def _average(self, decoding: int, now: float) -> None:
        share = 1 - math.exp(-(now - self.looked_at) / USUAL_S)
        before = decoding if self.usual_decoding is None else self.usual_decoding
        self.usual_decoding, self.looked_at = before + share * (decoding - before), now

    def _in_step(self, flight: Flight) -> bool:
        return self.last_token_at is not None and flight.arrival.time < self.last_token_at

    def _emitted(self, flight: Flight, now: float) -> int:
        return self.timeline.emitted(flight.arrival.id, now)

    def _rate(self, now: float) -> float:
        self.sent = [(at, tokens) for at, tokens in self.sent if at > now - USUAL_S]
        return sum(tokens for _, tokens in self.sent) / USUAL_S

    def send(self, arrival: Arrival, lengths: OutputLengths, bounds: Bounds) -> None:
        """Predicts the request's times, and sends it."""
        state, task = self.state(arrival.time), arrival.task
        known = Work(arrival.prompt_tokens, output=arrival.output_tokens)
        middle = lengths.quantile(task, arrival.prompt_tokens, arrival.max_tokens, 0.5)
        guessed = Work(arrival.prompt_tokens, output=middle)
        ttft_s, e2e_s = self.predictor.ttft_s(state, known), self.predictor.e2e_s(state, guessed)
        self.flights[arrival.id] = Flight(
            arrival,
            state,
            self.predictor.service.ttft_s(state, known),
            ttft_s,
            self.predictor.e2e_s(state, known),
            e2e_s,
            (bounds["ttft", task].bound(ttft_s), bounds["e2e", task].bound(e2e_s)),
        )
        self.sent.append((arrival.time, arrival.prompt_tokens))
        job = Job(arrival.id, arrival.prompt_tokens, arrival.output_tokens)
        self.timeline.submit(job, arrival.time)

    def advance(self, now: float) -> Iterator[tuple[Flight, float]]:
        """What has ended until now: flights and when."""
        for passed in self.timeline.advance(now):
            if passed.end.tokens:
                self.last_token_at = passed.time
            yield from self._note(passed)

    def _note(self, passed: Passed) -> Iterator[tuple[Flight, float]]:
        for request_id in passed.end.prefilled:
            flight = self.flights[request_id]
            flight.first_at = passed.time
            observed = passed.time - flight.arrival.time
            self.predictor.observe_first(flight.law_ttft_s, observed)
        for request_id in passed.end.finished:
            yield self.flights.pop(request_id), passed.time
