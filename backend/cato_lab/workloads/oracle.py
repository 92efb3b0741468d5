"""The reference bound: the same requests, with what nobody can know told beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cato_lab.workloads.arrival import Arrival, Workload


@dataclass(frozen=True, slots=True)
class OracleWorkload:
    """True lengths as `max_tokens`, and no request that is taken back before its deadline.

    The same requests count as without the oracle, so that goodputs can be compared.
    """

    inner: Workload

    @property
    def name(self) -> str:
        """As without the oracle."""
        return f"{self.inner.name}, oracle"

    @property
    def duration_s(self) -> float:
        """As without the oracle."""
        return self.inner.duration_s

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """In the order of time."""
        for arrival in self.inner.arrivals(seed):
            if arrival.counts:
                yield arrival._replace(max_tokens=arrival.output_tokens)


@dataclass(frozen=True, slots=True)
class OracleLengths:
    """The true length of every answer, for a policy that can be told (`Setup.truth`)."""

    lengths: Mapping[str, int]

    @classmethod
    def of(cls, workload: Workload, seed: int) -> OracleLengths:
        """From the very requests that will be made."""
        return cls({arrival.id: arrival.output_tokens for arrival in workload.arrivals(seed)})

    def output_tokens(self, request_id: str) -> int:
        """Return the answer's true length. Raises KeyError."""
        return self.lengths[request_id]
