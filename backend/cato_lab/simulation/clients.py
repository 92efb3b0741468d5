"""The clients of a simulated run: the requests that they wait for, and their outcomes."""

from __future__ import annotations

from dataclasses import dataclass

from cato_backend.engine_model import Job
from cato_backend.scheduling import Dispatch
from cato_lab.scoring.outcome import Ending, Outcome
from cato_lab.workloads.arrival import Arrival


@dataclass(slots=True)
class Waiting:
    """A request whose client waits. Times are absolute."""

    arrival: Arrival
    attempt: int = 0
    replica_id: str = ""
    dispatched: float | None = None
    first_token: float | None = None
    resumed: int = 0
    """Output tokens of earlier attempts."""
    told: int = 0
    """Output tokens of all attempts that the scheduler has been told of."""
    cached_tokens: int | None = None
    relegated: bool = False

    @property
    def job_id(self) -> str:
        """The attempt's own id on its engine."""
        return job_id(self.arrival.id, self.attempt)

    def job(self, priority: int) -> Job:
        """Return what the attempt asks of its engine."""
        return Job(
            id=self.job_id,
            prompt_tokens=self.arrival.prompt_tokens + self.resumed,
            output_tokens=self.arrival.output_tokens - self.resumed,
            block_hashes=self.arrival.blocks,
            priority=priority,
        )

    def dispatch(self, decision: Dispatch, now: float) -> None:
        """Record that it is on its way to a replica."""
        self.attempt, self.replica_id = decision.attempt, decision.replica_id
        self.dispatched = now
        self.resumed = self.told
        self.cached_tokens = None
        self.relegated |= decision.relegated


def job_id(request_id: str, attempt: int) -> str:
    """Return a name for an attempt; an engine may still hold an earlier one of the request."""
    return request_id if attempt == 1 else f"{request_id}#{attempt}"


class Clients:
    """Clients that wait, and the outcomes of requests that have ended."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._waiting: dict[str, Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def ask(self, arrival: Arrival) -> None:
        """Record that a request has been sent."""
        self._waiting[arrival.id] = Waiting(arrival)

    def get(self, request_id: str) -> Waiting | None:
        """Return the request, if its client still waits."""
        return self._waiting.get(request_id)

    def end(self, request_id: str, ending: Ending, now: float, reason: str = "") -> None:
        """Record that the request is over for its client; nothing happens if it was before."""
        waiting = self._waiting.pop(request_id, None)
        if waiting is None:
            return
        arrival, first = waiting.arrival, waiting.first_token
        begun = arrival.time
        self.outcomes.append(
            Outcome(
                arrival=arrival._replace(blocks=()),  # Half a run's memory, and not needed again.
                ending=ending,
                ended_s=now - begun,
                first_token_s=None if first is None else first - begun,
                tokens=waiting.told,
                queue_s=None if waiting.dispatched is None else waiting.dispatched - begun,
                cached_tokens=waiting.cached_tokens,
                reason=reason,
                relegated=waiting.relegated,
            )
        )

    def give_up(self, now: float) -> None:
        """End the run: requests that still wait have not been served."""
        for request_id in list(self._waiting):
            self.end(request_id, Ending.FAILED, now, "unfinished")
