"""Many users with a token each, and one of them who asks as much as fifty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import merge
from operator import attrgetter

from cato_backend.wire.headers import Task
from cato_lab.workloads.arrival import Arrival
from cato_lab.workloads.mix import DEFAULT_SHARES, MixWorkload
from cato_lab.workloads.processes import Poisson

FLOOD = "flood"
"""The token of the one; the others' are named by their sessions."""
_OTHER_SEED = 1000


@dataclass(frozen=True, slots=True)
class FloodWorkload:
    """The same requests of the others, whatever the flood asks."""

    users: int = 20
    rate: float = 0.5
    """Requests per second of each user."""
    times: float = 50.0
    """What the flood asks, in users; 0 for none."""
    duration_s: float = 60.0
    flood_sessions: int = 1
    flood_is_named: bool = True
    """Whether the flood's requests name their session."""
    flood_shares: Mapping[Task, float] = field(default_factory=lambda: DEFAULT_SHARES)
    name: str = "flood"

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """In the order of time."""
        streams = [self._others(seed)]
        if self.times:
            streams.append(self._flood(seed))
        return merge(*streams, key=attrgetter("time"))

    def _others(self, seed: int) -> Iterator[Arrival]:
        rate = self.users * self.rate
        mix = MixWorkload(Poisson(rate), self.duration_s, sessions=self.users)
        for arrival in mix.arrivals(seed):
            yield arrival._replace(id=f"user-{arrival.id}", tenant=arrival.session)

    def _flood(self, seed: int) -> Iterator[Arrival]:
        mix = MixWorkload(
            Poisson(self.times * self.rate),
            self.duration_s,
            shares=self.flood_shares,
            sessions=self.flood_sessions,
        )
        for arrival in mix.arrivals(seed + _OTHER_SEED):
            own = arrival._replace(id=f"{FLOOD}-{arrival.id}", tenant=FLOOD)
            yield own if self.flood_is_named else own._replace(session="", document="")
