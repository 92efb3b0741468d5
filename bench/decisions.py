"""What a decision costs: `python -m bench.decisions`. See bench/README.md.

1,000 replicas with 10,000 requests in flight. In turn, one of these ends (or is taken back), a new
one comes, and streams go on; every call of `Scheduler.handle` is timed by kind of event, in the
process's own CPU time and on the wall. The CPU time is what the policy costs; what the wall shows
on top of it is whatever else ran on the machine.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import sys
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path

from cato_backend.profile_files.law import StepLaw
from cato_backend.profile_files.profile import Profile
from cato_backend.requests import Origin, Request, Target
from cato_backend.scheduling import (
    POLICIES,
    Abort,
    Cancelled,
    Decision,
    Dispatch,
    Event,
    Finished,
    Limits,
    Progressed,
    Reject,
    ReplicaUp,
    Scheduler,
    Submitted,
    make_policy,
)
from cato_backend.wire.headers import Task

PROFILE = Profile("m", "emulated", StepLaw("additive", base=0.020, per_new_token=0.0001))
TARGETS = {
    Task.COMPLETION: Target(ttft_s=0.25, worthless_after_s=0.5),
    Task.GENERATION: Target(ttft_s=1.0),
    Task.SUMMARIZATION: Target(e2e_s=3.0),
    Task.TRANSLATION: Target(e2e_s=8.0),
}
TASKS = list(TARGETS)
SHARE_TAKEN_BACK = 0.3
TOKENS_PER_TURN = 4
UNSTARTED = 400
"""Prompts that are being computed, on the whole fleet."""
WORK_PER_S = 4000.0
"""Requests that the whole fleet ends in a second of the scheduler's clock."""


@dataclass(slots=True)
class Clocked:
    """A scheduler, and how long each event took it, in microseconds."""

    scheduler: Scheduler
    cpu_us: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wall_us: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    running: dict[str, int] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    unstarted: deque[str] = field(default_factory=deque)

    def tell(self, event: Event, now: float) -> None:
        """Times the event and follows what was decided."""
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        decisions = self.scheduler.handle(event, now)
        cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
        kind = type(event).__name__
        self.cpu_us[kind].append(cpu / 1000)
        self.wall_us[kind].append(wall / 1000)
        for decision in decisions:
            self._follow(decision)

    def _follow(self, decision: Decision) -> None:
        match decision:
            case Dispatch(request_id, _, attempt):
                self.running[request_id] = attempt
                self.names.append(request_id)
                self.unstarted.append(request_id)
            case Abort(request_id) | Reject(request_id):
                self.running.pop(request_id, None)
            case _:
                pass

    def pick(self, rng: random.Random) -> str:
        """One of those that run."""
        while True:
            place = rng.randrange(len(self.names))
            self.names[place], self.names[-1] = self.names[-1], self.names[place]
            if self.names[-1] in self.running:
                return self.names[-1]
            self.names.pop()


def request(number: int, now: float, rng: random.Random) -> Request:
    """One of four tasks, from one of 2,000 people, most of them back at the file of before."""
    person, task = rng.randrange(2000), TASKS[rng.choices(range(4), (0.55, 0.15, 0.2, 0.1))[0]]
    length = rng.randrange(4, 30)
    blocks = tuple(hash((person, place)) for place in range(length))
    return Request(
        id=f"r{number}",
        task=task,
        model="m",
        arrival=now,
        target=TARGETS[task],
        prompt_tokens=80 * length,
        max_tokens=256,
        origin=Origin("t", f"s{person}", f"d{person}"),
        prompt_blocks=blocks if task is Task.COMPLETION else (),
    )


def measure(policy: str, replicas: int, in_flight: int, turns: int, seed: int) -> Clocked:
    """Fills the fleet, forgets what that cost, and then measures `turns` turns."""
    rng = random.Random(seed)
    scheduler = Scheduler(
        make_policy(policy), Limits(max_waiting=100_000, max_waiting_per_session=10_000)
    )
    clocked, now = Clocked(scheduler), 0.0
    for number in range(replicas):
        clocked.tell(ReplicaUp(f"r{number:04d}", "m", 64, PROFILE), now)
    number = 0
    while len(clocked.running) < in_flight and number < 3 * in_flight:
        number, now = number + 1, now + 1 / WORK_PER_S
        clocked.tell(Submitted(request(number, now, rng)), now)
        if clocked.running:
            go_on(clocked, now, rng)
    clocked.cpu_us.clear()
    clocked.wall_us.clear()
    for _ in range(turns):
        number, now = number + 1, now + 1 / WORK_PER_S
        go_on(clocked, now, rng)
        end_one(clocked, now, rng)
        clocked.tell(Submitted(request(number, now, rng)), now)
    return clocked


def go_on(clocked: Clocked, now: float, rng: random.Random) -> None:
    """The oldest prompts that are not yet computed bring a first token, some streams another."""
    while len(clocked.unstarted) > UNSTARTED:
        name = clocked.unstarted.popleft()
        if name in clocked.running:
            clocked.tell(Progressed(name, clocked.running[name], 1), now)
    for _ in range(TOKENS_PER_TURN):
        name = clocked.pick(rng)
        clocked.tell(Progressed(name, clocked.running[name], 1), now)


def end_one(clocked: Clocked, now: float, rng: random.Random) -> None:
    """One answer ends, or its client takes it back."""
    name = clocked.pick(rng)
    if rng.random() < SHARE_TAKEN_BACK:
        clocked.tell(Cancelled(name), now)
    else:
        clocked.tell(Finished(name, clocked.running.pop(name)), now)


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def row(clocked: Clocked) -> dict[str, float]:
    """Microseconds: all events together, and the slowest kind."""
    cpu = [value for values in clocked.cpu_us.values() for value in values]
    wall = [value for values in clocked.wall_us.values() for value in values]
    return {
        "cpu p50": percentile(cpu, 0.5),
        "cpu p99": percentile(cpu, 0.99),
        "wall p99": percentile(wall, 0.99),
        "submitted, cpu p99": percentile(clocked.cpu_us["Submitted"], 0.99),
        "progressed, cpu p50": percentile(clocked.cpu_us["Progressed"], 0.5),
        "in flight": float(len(clocked.running)),
        "waiting": float(clocked.scheduler.waiting("m")),
    }


def main() -> int:
    """Measures and prints a table; with --out, writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--policies", default=",".join(POLICIES), help="comma-separated names")
    parser.add_argument("--replicas", type=int, default=1000)
    parser.add_argument("--in-flight", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a JSON file")
    arguments = parser.parse_args()
    gc.disable()  # The gateway freezes its start-up objects; here the garbage would be the bench's.
    rows: dict[str, dict[str, float]] = {}
    for policy in arguments.policies.split(","):
        print(f"{policy} ...", file=sys.stderr, flush=True)
        rows[policy] = row(
            measure(
                policy, arguments.replicas, arguments.in_flight, arguments.turns, arguments.seed
            )
        )
        gc.collect()
        print(f"{policy:28s} " + "  ".join(f"{k} {v:.0f}" for k, v in rows[policy].items()))
    if arguments.out:
        about = {
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "replicas": arguments.replicas,
            "in_flight": arguments.in_flight,
            "turns": arguments.turns,
            "seed": arguments.seed,
            "unit": "microseconds a call of Scheduler.handle",
        }
        arguments.out.write_text(json.dumps({"about": about, "policies": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
