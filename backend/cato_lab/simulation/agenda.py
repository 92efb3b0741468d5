"""The scheduled actions of a simulation, in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

Action = Callable[[Any, float], None]


class Agenda:
    """A heap of (time, action, argument); equal times keep the order in which they were put."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Action, Any]] = []
        self._order = count()

    def put(self, time: float, action: Action, argument: Any = None) -> None:
        """`action(argument, time)` will be called at `time`."""
        heapq.heappush(self._heap, (time, next(self._order), action, argument))

    def run(self, until: float) -> bool:
        """Call everything due before `until`; False if nothing is left."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] < until:
            time, _, action, argument = pop(heap)
            action(argument, time)
        return bool(heap)
