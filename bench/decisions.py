"""What a decision costs: `python -m bench.decisions`. See bench/README.md.

1,000 replicas with 10,000 requests in flight. In turn, one of these ends (or is taken back), a new
one comes, and streams go on; every call of `Scheduler.handle` is timed. The scheduler being
deterministic, the same story is told several times, and each event counts with its shortest time:
what it took longer in another telling was something else on the machine.

`--sessions 100000` lets as many editors ask in turns before anything is timed, and tells how much
memory the process has at the end.
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
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from cato_backend.commands.arguments import output_file
from cato_backend.profile_files.profile import Profile, StepLaw
from cato_backend.requests import Origin, Request, Target
from cato_backend.scheduling import (
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
    policy_names,
)
from cato_backend.wire.headers import Task

PROFILE = Profile("m", "emulated", StepLaw("additive", base=0.020, per_new_token=0.0001))
TARGETS = {
    Task.COMPLETION: Target(ttft_s=0.25, worthless_after_s=0.5),
    Task.GENERATION: Target(ttft_s=1.0, tpot_s=0.04),
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
    """A scheduler, and how long each event took it: its kind, and microseconds."""

    scheduler: Scheduler
    took: list[tuple[str, float]] = field(default_factory=list)
    running: dict[str, int] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    unstarted: deque[str] = field(default_factory=deque)

    def tell(self, event: Event, now: float) -> None:
        """Times the event and follows what was decided."""
        began = time.perf_counter_ns()
        decisions = self.scheduler.handle(event, now)
        self.took.append((type(event).__name__, (time.perf_counter_ns() - began) / 1000))
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


def request(number: int, now: float, rng: random.Random, person: int) -> Request:
    """One of four tasks, from one person, who asks about the same file each time."""
    task = TASKS[rng.choices(range(4), (0.55, 0.15, 0.2, 0.1))[0]]
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


def measure(
    policy: str, replicas: int, in_flight: int, turns: int, sessions: int, seed: int
) -> Clocked:
    """Fills the fleet, lets every session ask, forgets what that cost, and then measures `turns`
    turns."""
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
        clocked.tell(Submitted(request(number, now, rng, number % sessions)), now)
        if clocked.running:
            go_on(clocked, now, rng)
    for turn in range(max(0, sessions - number) + turns):
        if turn == max(0, sessions - number):
            clocked.took.clear()
        number, now = number + 1, now + 1 / WORK_PER_S
        go_on(clocked, now, rng)
        end_one(clocked, now, rng)
        person = number if number < sessions else rng.randrange(sessions)
        clocked.tell(Submitted(request(number, now, rng, person)), now)
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


def shortest(tellings: list[Clocked]) -> list[tuple[str, float]]:
    """Each event with its shortest time."""
    together = zip(*(telling.took for telling in tellings), strict=True)
    return [(times[0][0], min(took for _, took in times)) for times in together]


def row(tellings: list[Clocked]) -> dict[str, float]:
    """Microseconds: all events together, and by kind."""
    took = shortest(tellings)
    found = {"p50": percentile([t for _, t in took], 0.5)}
    found["p99"] = percentile([t for _, t in took], 0.99)
    found["max"] = max(t for _, t in took)
    for kind in ("Submitted", "Finished", "Progressed"):
        found[f"{kind} p99"] = percentile([t for k, t in took if k == kind], 0.99)
    found["in flight"] = float(len(tellings[0].running))
    found["waiting"] = float(tellings[0].scheduler.waiting("m"))
    found["process MiB"] = resident_mib()
    return found


def resident_mib() -> float:
    """Memory of this process. Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    """Measures and prints a table; with --out, writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--policies", default=",".join(policy_names()), help="comma-separated names"
    )
    parser.add_argument("--replicas", type=int, default=1000)
    parser.add_argument("--in-flight", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=1500)
    parser.add_argument("--sessions", type=int, default=2000, help="editors that ask in turns")
    parser.add_argument("--tellings", type=int, default=3, help="of the same story")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=output_file, help="a JSON file")
    arguments = parser.parse_args()
    gc.disable()  # The gateway freezes its start-up objects; here the garbage would be the bench's.
    rows: dict[str, dict[str, float]] = {}
    for policy in arguments.policies.split(","):
        print(f"{policy} ...", file=sys.stderr, flush=True)
        about = (arguments.replicas, arguments.in_flight, arguments.turns, arguments.sessions)
        tellings = [measure(policy, *about, arguments.seed) for _ in range(arguments.tellings)]
        rows[policy] = row(tellings)
        gc.collect()
        print(f"{policy:28s} " + "  ".join(f"{k} {v:.0f}" for k, v in rows[policy].items()))
    if arguments.out:
        conditions = {
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "replicas": arguments.replicas,
            "in_flight": arguments.in_flight,
            "turns": arguments.turns,
            "sessions": arguments.sessions,
            "seed": arguments.seed,
            "tellings": arguments.tellings,
            "unit": "microseconds a call of Scheduler.handle",
        }
        arguments.out.write_text(
            json.dumps({"about": conditions, "policies": rows}, indent=1) + "\n"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
