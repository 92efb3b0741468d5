"""The waiting queue."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Literal

from cato_backend.engine_model.jobs import SequenceState

Order = Literal["priority", "fcfs"]


class EngineQueue:
    """Sequences that wait, by (priority, arrival) or by arrival alone."""

    def __init__(self, order: Order) -> None:
        self._heap: list[tuple[int, int, SequenceState]] = []
        self._members: dict[str, SequenceState] = {}
        self._rank: Callable[[SequenceState], int] = (
            (lambda state: state.job.priority) if order == "priority" else (lambda state: 0)
        )

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._members

    def add(self, state: SequenceState) -> None:
        """Queues it; one that was preempted takes its old place."""
        self._members[state.job.id] = state
        heapq.heappush(self._heap, (self._rank(state), state.arrival, state))

    def discard(self, job_id: str) -> SequenceState | None:
        """Takes it out, wherever it stands; None if it does not wait."""
        return self._members.pop(job_id, None)

    def head(self) -> SequenceState | None:
        """Who is next."""
        while self._heap:
            state = self._heap[0][2]
            if self._members.get(state.job.id) is state:
                return state
            heapq.heappop(self._heap)  # It was taken out earlier.
        return None

    def pop(self) -> None:
        """Takes the head out."""
        _, _, state = heapq.heappop(self._heap)
        del self._members[state.job.id]
