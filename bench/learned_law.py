"""How soon and how well the step laws of replicas are learned that nobody has seen before.

Virtual time: one replica of each of many sampled laws under the four tasks, told nothing, the
truth, or a law that is off by half or double; with and without the calibration that an idle
replica gets first. Every token is told, as it is live. Errors are of step
times and of first tokens, 1, 3, 10 and 60 s after the replica came up.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice, product
from math import log
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np

from bench.arena.hardware import draw_replica
from bench.machine import save
from bench.prediction import TOLD, Compared, Watched, percentiles, share, told_of
from cato_backend.commands.arguments import output_file
from cato_backend.prediction.calibration import LONGEST_S
from cato_backend.prediction.learned_law import LawBelief
from cato_backend.prediction.service import ReplicaState, ServiceModel, Work
from cato_backend.profile_files.profile import Profile, StepLaw
from cato_lab.simulation.fleet import Fleet, Member, Speed
from cato_lab.workloads import Arrival, MixWorkload, Poisson

CHECKED_AT_S = (1.0, 3.0, 10.0, 60.0)
"""After the replica's arrival."""
_WINDOWS = {1.0: (0.5, 2.0), 3.0: (2.0, 5.0), 10.0: (7.0, 15.0), 60.0: (40.0, 75.0)}
"""Requests that were sent then stand for the time."""
_RUN_S = 75.0
_NOISE = 0.05
"""Standard deviation of the logarithm of a step's duration."""
_LOAD = 0.5
"""Of what the replica could bear if its batches were of eight."""
_BATCH = 8
_SEQUENCES = (1, 4, 16, 32)
_PROMPTS = (0, 100, 500, 1500)
_CONTEXT = 1000
_USUAL = (408, 8, 8_000, 160_000.0)
"""The step that a belief's spread is told for (`learned_law.TYPICAL`): new tokens, sequences, KV
tokens, attention."""
_SURE = 1.645
"""Standard deviations of a normal distribution within which 90% lie."""


class Step(NamedTuple):
    """What the law is asked about."""

    new_tokens: int
    sequences: int
    kv_tokens: int
    attention: float


def steps_of(profile: Profile) -> Iterator[Step]:
    """Decoding alone and with one prompt, as far as the replica takes them."""
    limits = profile.limits
    for sequences, prompt in product(_SEQUENCES, _PROMPTS):
        new, count = sequences + prompt, sequences + (prompt > 0)
        if count <= limits.max_num_seqs and new <= limits.max_num_batched_tokens:
            yield Step(new, count, sequences * _CONTEXT + prompt, prompt**2 / 2)


def errors_of(true: StepLaw, learned: StepLaw, steps: Sequence[Step]) -> list[float]:
    """Logarithms of the ratios."""
    return [log(learned.seconds(*step) / true.seconds(*step)) for step in steps]


@dataclass(frozen=True, slots=True)
class Late:
    """A workload that begins when the replica has been calibrated."""

    workload: MixWorkload
    starts_s: float

    @property
    def name(self) -> str:
        """The same."""
        return self.workload.name

    @property
    def duration_s(self) -> float:
        """With the wait."""
        return self.workload.duration_s + self.starts_s

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """Each so much later."""
        for arrival in self.workload.arrivals(seed):
            yield arrival._replace(time=arrival.time + self.starts_s)


class Checked(Watched):
    """One replica whose belief is looked at now and then."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__("least-requests", fleet, seed=1)
        self.beliefs: dict[float, LawBelief] = {}
        for time in CHECKED_AT_S:
            self._agenda.put(time, self._look)

    def _look(self, _: object, now: float) -> None:
        self.beliefs[now] = self._scheduler.replicas[0].learned.belief


@dataclass(frozen=True, slots=True)
class World:
    """One sampled replica, what is told of it, and whether it is calibrated."""

    number: int
    told: str
    calibrated: bool

    def run(self) -> dict[str, Any]:
        """What was believed of it, and what was predicted, over time."""
        profile = draw_replica(False, np.random.default_rng(self.number))
        steps = list(steps_of(profile))
        checked = self._checked(profile)
        return {
            "world": self.number,
            "form": profile.law.form,
            "told": self.told,
            "calibrated": self.calibrated,
            "token_ms": round(1e3 * profile.law.seconds(1, 1, _CONTEXT), 1),
            "at": {f"{time:g}": _state(profile.law, checked, time, steps) for time in CHECKED_AT_S},
            "held": [c.held for c in checked.compared if c.sent_at > CHECKED_AT_S[0]],
        }

    def _checked(self, profile: Profile) -> Checked:
        step_s = profile.law.seconds(_BATCH, _BATCH, _BATCH * _CONTEXT)
        speed = Speed(noise=_NOISE, noise_step_s=step_s, seed=self.number)
        member = Member(profile, told_of(profile, self.told), profile.limits.max_num_seqs, speed)
        checked = Checked(Fleet(mixed=(member,), calibrates=self.calibrated, report_s=0.0))
        workload = MixWorkload(Poisson(_rate(profile)), _RUN_S, sessions=12)
        starts_s = LONGEST_S if self.calibrated else 0.0
        checked.run(Late(workload, starts_s), self.number)
        return checked


def _state(true: StepLaw, checked: Checked, time: float, steps: Sequence[Step]) -> dict[str, Any]:
    belief = checked.beliefs[time]
    errors = errors_of(true, belief.law, steps)
    low, high = _WINDOWS[time]
    sent = [c for c in checked.compared if low <= c.sent_at < high]
    return {
        "step_errors": [abs(np.expm1(error)) for error in errors],
        "within_90": abs(_usual_error(true, belief.law)) <= _SURE * belief.spread,
        "spread": belief.spread,
        "ttft_errors": [c.error_percent for c in sent if _is_ttft(c)],
        "held": [c.held for c in sent],
    }


def _usual_error(true: StepLaw, learned: StepLaw) -> float:
    return log(learned.seconds(*_USUAL) / true.seconds(*_USUAL))


def _is_ttft(compared: Compared) -> bool:
    return compared.task.value in ("completion", "generation")


def _rate(profile: Profile) -> float:
    """Requests per second that take a share of the replica's time."""
    service = ServiceModel.of(profile)
    workload = MixWorkload(Poisson(1.0), 1e6)
    some = list(islice(workload.arrivals(1), 300))
    token_s = service.token_s(_BATCH, _BATCH * _CONTEXT) / _BATCH
    idle = ReplicaState()
    seconds = [
        service.prefill_s(idle, Work(arrival.prompt_tokens)) + arrival.output_tokens * token_s
        for arrival in some
    ]
    return _LOAD / float(np.mean(seconds))


# -- all worlds --------------------------------------------------------------------------------


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each way of being told, with and without calibration."""
    found: list[dict[str, Any]] = []
    for told, calibrated in product(TOLD, (False, True)):
        of = [r for r in rows if r["told"] == told and r["calibrated"] == calibrated]
        if not of:
            continue
        row: dict[str, Any] = {"told": told, "calibrated": calibrated, "worlds": len(of)}
        for time in of[0]["at"]:
            row[f"step_error_percent_at_{time}"] = _steps(of, time)
            ttft = [error for r in of for error in r["at"][time]["ttft_errors"]]
            row[f"ttft_error_percent_at_{time}"] = percentiles(ttft) if ttft else None
            row[f"law_within_90_percent_at_{time}"] = _within(of, time)
        row["bounds_held_percent"] = share([held for r in of for held in r["held"]])
        found.append(row)
    return found


def _steps(rows: Sequence[dict[str, Any]], time: str) -> dict[str, float]:
    """Of worlds' mean errors: the mean, the P90 and the worst, with its world."""
    means = [100 * float(np.mean(row["at"][time]["step_errors"])) for row in rows]
    worst = int(np.argmax(means))
    return {
        "mean": round(float(np.mean(means)), 1),
        "p90": round(float(np.percentile(means, 90)), 1),
        "worst": round(means[worst], 1),
        "worst_world": rows[worst]["world"],
    }


def _within(rows: Sequence[dict[str, Any]], time: str) -> float:
    return share([row["at"][time]["within_90"] for row in rows])


def line(row: dict[str, Any]) -> str:
    """The same for people."""
    steps = [row[f"step_error_percent_at_{t:g}"] for t in CHECKED_AT_S]
    ttft = [row[f"ttft_error_percent_at_{t:g}"] for t in CHECKED_AT_S]
    shown = [f"{each['mean']} / {each['p90']} / {each['worst']}" for each in steps]
    first = [f"{each['p50']} / {each['p90']}" if each else "-" for each in ttft]
    calibrated = "yes" if row["calibrated"] else "no"
    within = " ".join(f"{row[f'law_within_90_percent_at_{t:g}']:.0f}" for t in CHECKED_AT_S)
    cells = [row["told"], calibrated, *shown, *first, within, f"{row['bounds_held_percent']}%"]
    return f"| {' | '.join(cells)} |"


def _compact(row: dict[str, Any]) -> dict[str, Any]:
    """A world's row for the file: means instead of lists."""
    at = {
        time: {
            "step_error_percent": round(100 * float(np.mean(state["step_errors"])), 1),
            "spread_percent": round(100 * state["spread"], 1),
            "ttft_error_percent": percentiles(state["ttft_errors"]) if state["ttft_errors"] else {},
        }
        for time, state in row["at"].items()
    }
    return {**row, "at": at, "held": share(row["held"])}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, nargs="+", default=list(range(1, 21)))
    parser.add_argument("--told", nargs="+", default=list(TOLD), choices=TOLD)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    options = product(arguments.worlds, arguments.told, (False, True))
    worlds = [World(*option) for option in options]
    with ProcessPoolExecutor(arguments.jobs, get_context("spawn")) as pool:
        rows = list(pool.map(World.run, worlds))
    found = summary(rows)
    for row in found:
        print(line(row))
    if arguments.json:
        save(arguments.json, {"summary": found, "worlds": [_compact(row) for row in rows]})


if __name__ == "__main__":
    main()
