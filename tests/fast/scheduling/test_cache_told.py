"""What the engine says of its prefix cache is believed, also when it comes with the usage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.requests import Request
from cato_backend.scheduling import Finished, Progressed, ReplicaUp, Scheduler, Submitted
from cato_backend.scheduling.policies.base import FleetView, Place, Policy
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from tests.fast.scheduling.stories import MODEL, request

BLOCKS = tuple(range(60))
PROFILE = Profile(MODEL, "test", StepLaw("additive", 0.02), EngineLimits(kv_tokens=6_000))


class Expecting(Policy):
    """Remembers how many cached tokens were expected each time."""

    def __init__(self) -> None:
        self.expected: list[int] = []

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        self.expected.append(fleet.cached_tokens(waiting.request, "a"))
        return Place("a")


def ask(scheduler: Scheduler, asked: Request, found: int) -> None:
    """A stream whose usage comes last, as vLLM sends it."""
    scheduler.handle(Submitted(asked), 0.0)
    scheduler.handle(Progressed(asked.id, 1, 1), 0.1)
    scheduler.handle(Progressed(asked.id, 1, 0, asked.prompt_tokens, found), 0.2)
    scheduler.handle(Finished(asked.id, 1), 0.2)


def expectations(found: int) -> list[int]:
    policy = Expecting()
    scheduler = Scheduler(policy)
    scheduler.handle(ReplicaUp("a", MODEL, 8, PROFILE), 0.0)
    for turn in range(30):
        asked = replace(
            request(f"r{turn}", prompt_tokens=5000), prompt_blocks=BLOCKS, arrival=float(turn)
        )
        ask(scheduler, asked, found)
    return policy.expected


def test_an_engine_that_finds_what_is_expected_is_trusted() -> None:
    trusted = expectations(found=4900)
    assert trusted[0] == 0
    assert trusted[1] == trusted[-1] > 4500


def test_an_engine_that_finds_nothing_is_trusted_with_less_and_less() -> None:
    doubted = expectations(found=0)
    assert doubted[1] > 4500
    assert doubted[-1] < doubted[1] / 2
