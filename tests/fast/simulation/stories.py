"""Short ways to arrivals and outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cato_backend.requests import Target
from cato_backend.wire.headers import Task
from cato_lab.scoring.outcome import Ending, Outcome
from cato_lab.workloads import Arrival

TTFT = Target(ttft_s=1.0)
E2E = Target(e2e_s=3.0)


def arrival(
    name: str = "a",
    time: float = 0.0,
    *,
    target: Target = TTFT,
    task: Task = Task.GENERATION,
    prompt_tokens: int = 160,
    output_tokens: int = 11,
    cancel_after_s: float | None = None,
    blocks: tuple[int, ...] = (),
) -> Arrival:
    """A generation of eleven tokens, unless said otherwise."""
    return Arrival(
        id=name,
        time=time,
        task=task,
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        max_tokens=64,
        target=target,
        blocks=blocks,
        cancel_after_s=cancel_after_s,
    )


def outcome(
    asked: Arrival,
    ending: Ending = Ending.FINISHED,
    first_token_s: float | None = 0.5,
    ended_s: float = 1.5,
    reason: str = "",
) -> Outcome:
    """A whole answer that began after half a second, unless said otherwise."""
    return Outcome(asked, ending, ended_s, first_token_s, asked.output_tokens, reason=reason)


@dataclass(frozen=True, slots=True)
class Listed:
    """A workload of just these arrivals."""

    asked: tuple[Arrival, ...]
    duration_s: float = 10.0
    name: str = "listed"

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """The same whatever the seed."""
        return iter(self.asked)
