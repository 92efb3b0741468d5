"""How true the gateway's own predictions come: its code over its ledger, replicas in virtual time.

Of each request that is dispatched, the time to the token that its target names is predicted: the
first or the last. Lengths of answers are not known, as they never are.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from cato_backend.metrics import Metrics
from cato_backend.requests import Request
from cato_backend.runtime.calls import Call, Kind
from cato_backend.runtime.flight import Flight
from cato_backend.runtime.predictions import Predictions
from cato_backend.scheduling import (
    Decision,
    Dispatch,
    Event,
    Finished,
    Progressed,
    ReplicaUp,
    Setup,
    Submitted,
    make_policy,
)
from cato_backend.simulation.fleet import Fleet
from cato_backend.simulation.simulator import Simulator
from cato_backend.simulation.workloads import MixWorkload, Poisson
from cato_backend.wire.headers import Task

WARM_UP_S = 30.0
"""What is learned online is learned by then."""


class Watched(Simulator):
    """A simulation whose events the gateway's predictions see, as they do live."""

    def __init__(self, policy: str, seed: int) -> None:
        super().__init__(make_policy(policy, Setup(seed=seed)), Fleet(4))
        self._predictions = Predictions(Metrics())
        self._flights: dict[str, Flight] = {}
        self.errors: dict[Task, list[float]] = defaultdict(list)
        self.held: list[bool] = []

    def _tell(self, event: Event, now: float) -> None:
        decisions = self._scheduler.handle(event, now)
        self._note(event, now)
        for decision in decisions:
            self._predict(decision, now)
            self._carry_out(decision, now)

    def _note(self, event: Event, now: float) -> None:
        match event:
            case ReplicaUp():
                self._predictions.replica_up(self._scheduler.replicas[-1])
            case Submitted(request):
                call = Call(request, Kind.COMPLETION, {"prompt": "x"})
                self._flights[request.id] = Flight(call)
            case Progressed(request_id, _, tokens):
                flight = self._flights[request_id]
                flight.answer.tokens += tokens
                if flight.first_token_at is None:
                    flight.first_token_at = now
            case Finished(request_id):
                self._compare(self._flights.pop(request_id), now)
            case _:
                pass

    def _predict(self, decision: Decision, now: float) -> None:
        if isinstance(decision, Dispatch):
            for load in self._scheduler.replicas:  # Live, each token tells when a step ended.
                began = self._replicas[load.replica_id].step_began(now)
                load.last_token_at = began if load.decoding else load.last_token_at
            flight = self._flights[decision.request_id]
            flight.dispatched_at = now
            flight.predicted = self._predictions.of(flight.call.request, decision.replica_id)

    def _compare(self, flight: Flight, now: float) -> None:
        self._predictions.observe(flight, now)
        predicted, sent = flight.predicted, flight.dispatched_at
        assert sent is not None
        assert flight.first_token_at is not None
        if predicted is None or sent < WARM_UP_S:
            return
        observed_s = _promised(flight.call.request, flight.first_token_at, now) - sent
        off = 100 * abs(predicted.service_s / observed_s - 1)
        self.errors[flight.call.request.task].append(off)
        self.held.append(observed_s <= predicted.bound_s)


def _promised(request: Request, first: float, last: float) -> float:
    return first if request.target.e2e_s is None else last


def row(policy: str, rate: float, duration_s: float, seeds: Sequence[int]) -> str:
    """One line of the table: median and P90 of the absolute errors in percent, and coverage."""
    errors: dict[Task, list[float]] = defaultdict(list)
    held: list[bool] = []
    for seed in seeds:
        watched = Watched(policy, seed)
        watched.run(MixWorkload(Poisson(rate), duration_s), seed)
        held += watched.held
        for task, found in watched.errors.items():
            errors[task] += found
    cells = [" / ".join(f"{each:.1f}" for each in np.percentile(errors[t], [50, 90])) for t in Task]
    return f"| {policy} | {rate:g} | {' | '.join(cells)} | {100 * np.mean(held):.1f}% |"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=float, nargs="+", default=[8, 16, 26])
    parser.add_argument("--policies", nargs="+", default=["cato", "least-requests"])
    parser.add_argument("--duration-s", type=float, default=120.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    print(f"| policy | requests/s | {' | '.join(Task)} | bounds held |")
    for policy in arguments.policies:
        for rate in arguments.rates:
            print(row(policy, rate, arguments.duration_s, arguments.seeds), flush=True)


if __name__ == "__main__":
    main()
