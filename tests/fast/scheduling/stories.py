"""Short ways to tell the scheduler a story."""

from __future__ import annotations

from cato_backend.requests import Origin, Request, Target
from cato_backend.scheduling import (
    Decision,
    Event,
    Limits,
    ReplicaUp,
    Scheduler,
    WakeAt,
    make_policy,
)
from cato_backend.wire.headers import Task

MODEL = "m"


def request(
    name: str,
    *,
    arrival: float = 0.0,
    ttft_s: float = 10.0,
    worthless_after_s: float | None = None,
    document: str = "",
    session: str = "s",
    tenant: str = "t",
    supersede: bool = False,
    resumable: bool = True,
    prompt_tokens: int = 100,
    max_tokens: int = 10,
) -> Request:
    """A generation of ten tokens, unless said otherwise."""
    return Request(
        id=name,
        task=Task.GENERATION,
        model=MODEL,
        arrival=arrival,
        target=Target(ttft_s=ttft_s, worthless_after_s=worthless_after_s),
        prompt_tokens=prompt_tokens,
        max_tokens=max_tokens,
        origin=Origin(tenant, session, document),
        supersede=supersede,
        resumable=resumable,
    )


class Story:
    """A scheduler with replicas `a`, `b`, ... of one model."""

    def __init__(
        self,
        replicas: int = 1,
        *,
        max_running: int = 1,
        policy: str = "round-robin",
        limits: Limits | None = None,
    ) -> None:
        self.scheduler = Scheduler(make_policy(policy), limits)
        for index in range(replicas):
            self.tell(ReplicaUp("abcdef"[index], MODEL, max_running))

    def tell(self, event: Event, now: float = 0.0) -> list[Decision]:
        """What is decided, without the alarms."""
        decisions = self.scheduler.handle(event, now)
        return [decision for decision in decisions if not isinstance(decision, WakeAt)]
