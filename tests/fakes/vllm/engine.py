"""The engine's side of time: slots, queue by priority, prefix cache, punctual steps."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

from tests.fakes.vllm.script import Script
from tests.fakes.vllm.state import State

_BLOCK = 16


class Slots:
    """At most `max_num_seqs` run; the others wait, lower `priority` first, then by arrival."""

    def __init__(self, state: State, changed: Callable[[], None]) -> None:
        self._state, self._changed = state, changed
        self._arrivals = count()
        self._queue: list[tuple[int, int, asyncio.Future[None]]] = []

    async def take(self, priority: int, limit: int) -> None:
        """Returns when a slot is held. Cancelling the wait leaves the queue."""
        if self._state.running < limit:
            self._start()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (priority, next(self._arrivals), turn))
        self._state.waiting += 1
        self._changed()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.free(limit)
            else:
                self._state.waiting -= 1
                self._changed()
            raise

    def free(self, limit: int) -> None:
        """Gives the slot back, and to the next in the queue if there is room."""
        self._state.running -= 1
        while self._queue and self._state.running < limit:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                self._state.waiting -= 1
                self._start()
                turn.set_result(None)
        self._changed()

    def _start(self) -> None:
        self._state.running += 1
        self._changed()


class PrefixCache:
    """Which prompt blocks were seen before; unbounded, which suits a test's length."""

    def __init__(self) -> None:
        self._blocks: set[int] = set()

    def cached_tokens(self, prompt: list[int]) -> int:
        """How many leading tokens are cached; remembers the prompt. vLLM computes the last one."""
        cached, key, hit = 0, 0, True
        for start in range(0, len(prompt) - _BLOCK + 1, _BLOCK):
            key = hash((key, *prompt[start : start + _BLOCK]))
            hit = hit and key in self._blocks and start + _BLOCK < len(prompt)
            cached += _BLOCK if hit else 0
            self._blocks.add(key)
        return cached


class Pace:
    """When each token is due: prefill, then one every ITL, counted from the start: no drift."""

    def __init__(self, script: Script, cold_tokens: int) -> None:
        self._clock = asyncio.get_running_loop().time
        prefill_ms = script.ttft_ms + script.prefill_ms_per_1k_tokens * cold_tokens / 1000
        self._first_s = self._clock() + prefill_ms / 1000
        self._itl_s = script.itl_ms / 1000

    async def wait_for_token(self, number: int) -> None:
        """Returns when token `number` (from 0) is due. Always lets other tasks run."""
        late_s = self._first_s + number * self._itl_s - self._clock()
        await asyncio.sleep(max(0.0, late_s))
