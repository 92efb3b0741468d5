"""Processes that run the cells of a study side by side."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from threading import Thread

from cato_lab.simulation.study import Cell, CellResult, run_cell


class CellPool:
    """Processes that make runs; with one job the runs are made in this process."""

    def __init__(self, jobs: int) -> None:
        # Not by fork: numpy's threads would not survive it.
        context = get_context("spawn")
        self._others = frozenset(active_children())
        self._pool = (
            ProcessPoolExecutor(jobs, mp_context=context, initializer=_end_with_parent)
            if jobs > 1
            else None
        )

    def __enter__(self) -> CellPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if self._pool is None:
            return
        if kind is not None:
            # A run may take a minute, and its result is no longer wanted.
            for process in set(active_children()) - self._others:
                process.terminate()
        self._pool.shutdown(cancel_futures=True)

    def run(
        self, cells: Sequence[Cell], progress: Callable[[int, int], None] = lambda done, of: None
    ) -> list[CellResult]:
        """Make all runs and return them in the order of `cells`.

        `progress`: how many are done, of how many.
        """
        if self._pool is None:
            results: list[CellResult] = []
            for cell in cells:
                results.append(run_cell(cell))
                progress(len(results), len(cells))
            return results
        with _interrupts_held():
            futures = [self._pool.submit(run_cell, cell) for cell in cells]
        for done in _completions(futures):
            progress(done, len(cells))
        return [future.result() for future in futures]


@contextmanager
def _interrupts_held() -> Generator[None]:
    """Hold SIGINT back, in the processes that are started here for as long as they live.

    A terminal sends it to all of them. This process ends them, and none prints a traceback.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _end_with_parent() -> None:
    """End this process when the one that started it has ended, however it did."""
    Thread(target=_await_parent, daemon=True).start()


def _await_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def run_cells(
    cells: Sequence[Cell], jobs: int, progress: Callable[[int, int], None]
) -> list[CellResult]:
    """Make all runs, `jobs` at a time, and return them in the order of `cells`.

    `progress`: how many are done, of how many.
    """
    with CellPool(1 if len(cells) == 1 else jobs) as pool:
        return pool.run(cells, progress)


def _completions(futures: Sequence[Future[CellResult]]) -> Iterator[int]:
    pending, done = set(futures), 0
    while pending:
        finished, pending = wait(pending, return_when="FIRST_COMPLETED")
        done += len(finished)
        yield done
