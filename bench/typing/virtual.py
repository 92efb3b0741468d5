"""A clock that jumps to the next thing that happens, so that a minute of typing takes seconds.

Nothing of a busy machine shows in what is measured on it. It is right where everything that waits
does so on this loop: the replicas here compute in no time, and say when they would have.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar
from unittest import mock

T = TypeVar("T")
P = ParamSpec("P")


class _AtOnce(ThreadPoolExecutor):
    """Runs what is meant for another thread at once: a thread would take no time of this clock."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class _Selector(selectors.DefaultSelector):
    """Does not wait: it moves the clock."""

    now_s = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not ready and timeout is not None:
            self.now_s += max(timeout, 0)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    """Its time is the selector's."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now_s


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` to its end; clocks that are read meanwhile are the loop's."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.get_loop().set_default_executor(_AtOnce())
        clock = runner.get_loop().time
        with mock.patch.multiple(time, perf_counter=clock, monotonic=clock):
            return runner.run(work)
