"""What the size of the store of people costs a request: `python -m bench.team_size`.

A store of 10 people with 100 tokens, and one of 10,000 people with 100,000 tokens, each read by a
running server's own `LiveTeams`; of the large one, 10 people send requests, or all do. For each
request it is timed who sends it and on which terms, together with its budget; and then what the
scheduler takes to decide on it. The cases take turns, and each request counts with its shortest
time.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import secrets
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from bench.decisions import PROFILE, WORK_PER_S, Clocked, end_one, go_on, percentile, request
from bench.machine import save
from cato_backend.commands.arguments import output_file
from cato_backend.scheduling import Limits, ReplicaUp, Scheduler, Submitted, make_policy
from cato_backend.team.budgets import Used
from cato_backend.team.database import transaction
from cato_backend.team.live import LiveTeams, TeamSettings
from cato_backend.team.records import Team, UsageLimits, token_hash
from cato_backend.team.store import TeamStore
from cato_backend.team.terms import Terms

TOKENS_EACH = 10
CASES = ((10, 10), (10_000, 10), (10_000, 10_000))
"""People in the store, and how many of them send requests."""
TEAMS = 10
REPLICAS, IN_FLIGHT = 100, 1000
_SESSIONS = 2000
_LIMITS = UsageLimits(requests_per_minute=1_000_000, output_tokens_per_day=1_000_000_000)


Case: TypeAlias = tuple[int, int]


@dataclass(slots=True)
class Timed:
    """Microseconds of each request, and seconds that the store took."""

    identified: list[float] = field(default_factory=list)
    decided: list[float] = field(default_factory=list)
    loaded_s: float = 0.0
    refreshed_s: float = 0.0
    """Until the server knew of one new token."""


def fill(path: Path, people: int) -> list[str]:
    """Make a store with so many people; return their tokens' secrets, person by person."""
    with closing(TeamStore(path)) as store:
        for number in range(TEAMS):
            store.create_team(Team(f"team{number}", limits=_LIMITS))
        kept, rows, persons = list[str](), list[tuple[object, ...]](), list[tuple[object, ...]]()
        for number in range(people):
            persons.append((f"person{number}", f"team{number % TEAMS}"))
            for token in range(TOKENS_EACH):
                secret = f"cato_{secrets.token_urlsafe(32)}"
                token_id = f"tok_{number}_{token}"
                rows.append((token_id, f"t{token}", f"person{number}", token_hash(secret)))
                kept.append(secret)
        with transaction(store.connection, path) as connection:
            connection.executemany(
                "INSERT INTO people (name, team, role, weight, requests_per_minute, revision)"
                f" VALUES (?, ?, 'user', 1, {_LIMITS.requests_per_minute}, 1)",
                persons,
            )
            connection.executemany(
                "INSERT INTO tokens (id, name, person, most_role, hash, starts, created, revision)"
                " VALUES (?, ?, ?, 'user', ?, 'cato_000000', 1, 1)",
                rows,
            )
            connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'revision'")
    return kept


class Server:
    """Who sends requests, and what is decided, as in a running server."""

    def __init__(self, store: Path, known: list[str], seed: int) -> None:
        began = time.perf_counter()
        self.teams = LiveTeams(TeamSettings(path=store))
        self.timed = Timed(loaded_s=time.perf_counter() - began)
        self._known = known
        self._rng = random.Random(seed)
        scheduler = Scheduler(make_policy("cato"), Limits(max_waiting=100_000))
        self._clocked, self._number = Clocked(scheduler), 0
        for number in range(REPLICAS):
            self._clocked.tell(ReplicaUp(f"r{number:04d}", "m", 64, PROFILE), 0.0)

    def ask(self) -> None:
        """One more request of somebody; one that runs ends where there are enough."""
        rng, clocked = self._rng, self._clocked
        self._number += 1
        now = self._number / WORK_PER_S
        if len(clocked.running) >= IN_FLIGHT:
            go_on(clocked, now, rng)
            end_one(clocked, now, rng)
        tenant, terms = self._identified(rng.choice(self._known))
        asked = request(self._number, now, rng, rng.randrange(_SESSIONS))
        origin = replace(asked.origin, tenant=tenant, team=terms.team)
        clocked.tell(Submitted(replace(asked, origin=origin, share=terms.share)), now)
        self.timed.decided.append(clocked.took[-1][1])
        clocked.took.clear()

    def refresh(self, store: TeamStore) -> None:
        """Time until the server knows of one new token."""
        secret = store.create_token("new", "person0").secret
        began = time.perf_counter()
        asyncio.run(self.teams.do(lambda *_: None))
        self.timed.refreshed_s = time.perf_counter() - began
        if self.teams.find(secret) is None:
            raise LookupError("the server does not know the new token")

    def _identified(self, secret: str) -> tuple[str, Terms]:
        began = time.perf_counter_ns()
        requester = self.teams.find(secret)
        if requester is None:
            raise LookupError("the server does not know a token of its store")
        with self.teams.admitted(requester.tenant):
            terms = self.teams.terms(requester.tenant)
            held = self.teams.reserve(requester.tenant, 64, may_refuse=True)
        self.teams.release(held, "completion", Used(1, 20, 0.1))
        self.teams.ended(requester.token_id)
        self.timed.identified.append((time.perf_counter_ns() - began) / 1000)
        return requester.tenant, terms


def told(folder: Path, requests: int, tellings: int, seed: int) -> dict[Case, list[Timed]]:
    """Tell the same story to a server of each case in turns, several times."""
    found: dict[Case, list[Timed]] = {case: [] for case in CASES}
    sizes = {people for people, _ in CASES}
    known = {people: fill(folder / f"{people}.sqlite3", people) for people in sizes}
    for _ in range(tellings):
        for people, active in CASES:
            path = folder / f"{people}.sqlite3"
            with closing(TeamStore(path)) as store:
                server = Server(path, known[people][: active * TOKENS_EACH], seed)
                for _ in range(requests):
                    server.ask()
                server.refresh(store)
                store.revoke(store.find_token("new", "person0").id)
                server.teams.close()
            found[people, active].append(server.timed)
    return found


def row(tellings: list[Timed], warmup: int) -> dict[str, float]:
    """Microseconds of a request, each with its shortest time; seconds of the store."""
    figures: dict[str, float] = {}
    for name in ("identified", "decided"):
        together = zip(*(getattr(each, name)[warmup:] for each in tellings), strict=True)
        shortest = [min(times) for times in together]
        figures |= {f"{name} p50": percentile(shortest, 0.5)}
        figures |= {f"{name} p99": percentile(shortest, 0.99)}
    figures["loaded s"] = min(each.loaded_s for each in tellings)
    figures["refreshed s"] = min(each.refreshed_s for each in tellings)
    return {name: round(value, 4) for name, value in figures.items()}


def main() -> None:
    """Prints a row for each size; `--json FILE` keeps them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=6000)
    parser.add_argument("--tellings", type=int, default=5, help="of the same story")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    gc.disable()  # The gateway freezes its start-up objects; here the garbage would be the bench's.
    with tempfile.TemporaryDirectory() as folder:
        found = told(Path(folder), arguments.requests, arguments.tellings, arguments.seed)
    rows = {case: row(of, arguments.requests // 3) for case, of in found.items()}
    for (people, active), figures in rows.items():
        shown = "  ".join(f"{name} {value:g}" for name, value in figures.items())
        print(f"{people} people, {people * TOKENS_EACH} tokens, {active} active: {shown}")
    if arguments.json:
        settings = {
            "requests": arguments.requests,
            "tellings": arguments.tellings,
            "seed": arguments.seed,
            "unit": "microseconds a request, seconds for the store",
        }
        kept = [
            {"people": people, "tokens": people * TOKENS_EACH, "active": active, **figures}
            for (people, active), figures in rows.items()
        ]
        save(arguments.json, {"settings": settings, "rows": kept})


if __name__ == "__main__":
    main()
