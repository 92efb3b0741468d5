"""How true the gateway's predictions come: its code over its ledger, replicas in virtual time.

Of each request that is dispatched, the time to the token that its target names is predicted: the
first or the last. Lengths of answers are not known, as they never are.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.machine import save
from cato_backend.commands.arguments import output_file
from cato_backend.metrics import Metrics
from cato_backend.profile_files.files import load_profile
from cato_backend.profile_files.profile import Profile, StepLaw
from cato_backend.requests import Request
from cato_backend.runtime.calls import ApiKind, Call
from cato_backend.runtime.in_flight import InFlightRequest
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
from cato_backend.wire.headers import Task
from cato_lab.simulation.fleet import REFERENCE, Fleet, Member
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads import MixWorkload, Poisson

WARM_UP_S = 30.0
"""What is learned online is learned by then."""
REPLICAS = 4
TOLD = ("truth", "half", "double", "terms", "form", "nothing")
"""`terms`: each term off by a factor of its own; `form`: the other form with the same terms."""
_TERMS_OFF = 0.6
"""Standard deviation of the logarithms of these factors."""


class Compared(NamedTuple):
    """One prediction and its error."""

    task: Task
    sent_at: float
    error_percent: float
    """Absolute."""
    held: bool
    """Its bound."""


class Watched(Simulator):
    """A simulation whose events the gateway's predictions see, as they do live."""

    def __init__(self, policy: str, fleet: Fleet, seed: int) -> None:
        super().__init__(make_policy(policy, Setup(seed=seed)), fleet)
        self._predictions = Predictions(Metrics())
        self._network_s = fleet.network_s
        self._flights: dict[str, InFlightRequest] = {}
        self.compared: list[Compared] = []

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
                call = Call(request, ApiKind.COMPLETION, {"prompt": "x"})
                self._flights[request.id] = InFlightRequest(call)
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
                if load.decoding and began is not None:
                    load.last_token_at = min(now, began + self._network_s)
            flight = self._flights[decision.request_id]
            flight.dispatched_at = now
            flight.predicted = self._predictions.of(flight.call.request, decision.replica_id)

    def _compare(self, flight: InFlightRequest, now: float) -> None:
        self._predictions.observe(flight, now)
        predicted, sent = flight.predicted, flight.dispatched_at
        assert sent is not None
        assert flight.first_token_at is not None
        if predicted is None:
            return
        observed_s = _promised(flight.call.request, flight.first_token_at, now) - sent
        off = 100 * abs(predicted.service_s / observed_s - 1)
        held = observed_s <= predicted.bound_s
        self.compared.append(Compared(flight.call.request.task, sent, off, held))


def _promised(request: Request, first: float, last: float) -> float:
    return first if request.target.e2e_s is None else last


def told_of(profile: Profile, how: str) -> Profile | None:
    """What the router is told of a replica; `half`: that its steps take half as long."""
    if how == "nothing":
        return None
    law = profile.law
    if how == "form":
        law = replace(law, form="additive" if law.form == "max" else "max")
    factors = [{"half": 0.5, "double": 2.0}.get(how, 1.0)] * 6
    if how == "terms":
        factors = np.random.default_rng(7).lognormal(0, _TERMS_OFF, 6).tolist()
    return replace(profile, law=_scaled(law, factors))


def _scaled(law: StepLaw, factors: Sequence[float]) -> StepLaw:
    terms = (law.base, law.weights, law.per_new_token, law.per_sequence, law.per_kv_token)
    pairs = zip(factors, (*terms, law.per_attention), strict=True)
    return StepLaw(law.form, *(factor * term for factor, term in pairs))


@dataclass(frozen=True, slots=True)
class Study:
    """One row of the table."""

    policy: str
    profile: Profile
    rate: float
    told: str

    def run(self, duration_s: float, seeds: Sequence[int]) -> dict[str, object]:
        """All seeds together."""
        errors: dict[Task, list[float]] = defaultdict(list)
        held: dict[Task, list[bool]] = defaultdict(list)
        told = told_of(self.profile, self.told)
        member = Member(self.profile, told, self.profile.limits.max_num_seqs)
        for seed in seeds:
            watched = Watched(self.policy, Fleet(mixed=(member,) * REPLICAS), seed)
            watched.run(MixWorkload(Poisson(self.rate), duration_s), seed)
            for each in watched.compared:
                if each.sent_at >= WARM_UP_S:
                    errors[each.task].append(each.error_percent)
                    held[each.task].append(each.held)
        every = [each for tasks in held.values() for each in tasks]
        return {
            "policy": self.policy,
            "profile": f"{self.profile.model} on {self.profile.hardware}",
            "told": self.told,
            "requests_per_s": self.rate,
            "requests": len(every),
            "error_percent": {task.value: percentiles(errors[task]) for task in errors},
            "held_percent": {task.value: share(held[task]) for task in held},
            "held_percent_all": share(every),
        }


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Median and P90."""
    p50, p90 = np.percentile(values, [50, 90])
    return {"p50": round(float(p50), 1), "p90": round(float(p90), 1)}


def share(values: Sequence[bool]) -> float:
    """In percent."""
    return round(100 * float(np.mean(values)), 1)


def _studies(arguments: argparse.Namespace) -> Iterator[Study]:
    profiles = [REFERENCE, *(load_profile(path) for path in arguments.profile)]
    options = product(arguments.policies, profiles, arguments.rates, arguments.told)
    return (Study(*option) for option in options)


def _line(row: dict[str, object]) -> str:
    errors = row["error_percent"]
    assert isinstance(errors, dict)
    cells = [f"{name} {each['p50']} / {each['p90']}" for name, each in sorted(errors.items())]
    return (
        f"{row['policy']}, {row['profile']}, told {row['told']}, {row['requests_per_s']:g}/s: "
        f"{'; '.join(cells)}; bounds held {row['held_percent_all']}%"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", type=Path, nargs="*", default=[], help="beside the reference")
    parser.add_argument("--rates", type=float, nargs="+", default=[8, 16, 26, 32])
    parser.add_argument("--policies", nargs="+", default=["cato", "least-requests"])
    parser.add_argument("--told", nargs="+", default=["truth", "nothing"], choices=TOLD)
    parser.add_argument("--duration-s", type=float, default=120.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    for study in _studies(arguments):
        rows.append(study.run(arguments.duration_s, arguments.seeds))
        print(_line(rows[-1]), flush=True)
    if arguments.json:
        save(arguments.json, {"rows": rows})


if __name__ == "__main__":
    main()
