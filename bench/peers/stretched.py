"""The same workload in slow motion, for a machine that cannot keep its pace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cato_lab.scoring.outcome import Outcome
from cato_lab.workloads.arrival import Arrival, Workload


@dataclass(frozen=True, slots=True)
class Stretched:
    """All times and targets `factor` times as long; replicas are slowed by the same."""

    workload: Workload
    factor: float

    @property
    def name(self) -> str:
        """That of the workload."""
        return self.workload.name

    @property
    def duration_s(self) -> float:
        """In real seconds."""
        return self.workload.duration_s * self.factor

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """The same requests, later."""
        for arrival in self.workload.arrivals(seed):
            cancel = arrival.cancel_after_s
            yield arrival._replace(
                time=arrival.time * self.factor,
                target=arrival.target.scaled(self.factor),
                cancel_after_s=None if cancel is None else cancel * self.factor,
            )


def compressed(outcome: Outcome, factor: float) -> Outcome:
    """Return the outcome with its times divided by the factor, in the workload's own time."""

    def shorter(seconds: float | None) -> float | None:
        return None if seconds is None else seconds / factor

    arrival = outcome.arrival
    return outcome._replace(
        arrival=arrival._replace(
            time=arrival.time / factor,
            target=arrival.target.scaled(1 / factor),
            cancel_after_s=shorter(arrival.cancel_after_s),
        ),
        ended_s=outcome.ended_s / factor,
        first_token_s=shorter(outcome.first_token_s),
        queue_s=shorter(outcome.queue_s),
    )
