"""Reads the `/metrics` of replicas, for what the scheduler's ledger cannot know.

What other clients do there, and how many requests the engine holds at once.

The ledger is the truth about our own requests; nothing here changes it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import aiohttp

from cato_backend.replicas.engine_metrics import EngineLoad, Problem, read_load
from cato_backend.replicas.probe import read_bounded
from cato_backend.runtime.facts import Endpoint
from cato_backend.runtime.runtime import Runtime
from cato_backend.scheduling import LoadReported

_LOOKS = 3
"""In a row that must show others: one alone may have caught ours as they came or went."""
_TIMEOUT = aiohttp.ClientTimeout(total=2)
_PAGE = "/metrics"


class Others:
    """Number of requests of other clients on a replica, over several samples."""

    def __init__(self) -> None:
        self._looks: deque[int] = deque([0], maxlen=_LOOKS)

    def look(self, there: int | None, ours: int) -> int:
        """Record that the engine has `there` requests, None where it does not say.

        At most `ours` are ours.

        The fewest of the last looks; none where one of them failed.
        """
        self._looks.append(0 if there is None else max(0, there - ours))
        return min(self._looks)


class Scraper:
    """Reads the metrics of each replica that is a vLLM, every `interval_s` seconds."""

    def __init__(
        self,
        runtime: Runtime,
        session: aiohttp.ClientSession,
        on_note: Callable[[str, str], None],
        interval_s: float,
    ) -> None:
        self._runtime = runtime
        self._session = session
        self._on_note = on_note
        self._interval_s = interval_s
        self._others: dict[str, Others] = {}
        self._warned: set[tuple[str, str, Problem]] = set()

    async def run(self) -> None:
        """Until cancelled; the replicas are asked one after the other, evenly over the interval."""
        async with asyncio.TaskGroup() as looks:
            while True:
                endpoints = [e for e in self._runtime.members.endpoints() if e.speaks_vllm]
                self._forget_others_than({e.replica_id for e in endpoints})
                for endpoint in endpoints:
                    looks.create_task(self._look(endpoint))
                    await asyncio.sleep(self._interval_s / len(endpoints))
                if not endpoints:
                    await asyncio.sleep(self._interval_s)

    async def _look(self, endpoint: Endpoint) -> None:
        before = self._ours(endpoint.replica_id)
        load = await engine_load(self._session, endpoint)
        after = self._ours(endpoint.replica_id)
        if before is None or after is None:
            return
        self._report(endpoint.replica_id, load)
        if load.running is not None and load.waiting is not None:
            shown = (load.running, load.waiting, load.kv_usage, load.kv_tokens)
            self._runtime.load_reported(LoadReported(endpoint.replica_id, *shown))
        others = self._others.setdefault(endpoint.replica_id, Others())
        self._runtime.others_running(
            endpoint.replica_id, others.look(load.requests, max(before, after))
        )

    def _report(self, replica_id: str, load: EngineLoad) -> None:
        metrics = self._runtime.metrics
        if load.kv_usage is not None:
            metrics.kv_usage.labels(replica_id).set(load.kv_usage)
        for name, problem in load.problems:
            metrics.scrape_problems.labels(replica_id, problem).inc()
            if (replica_id, name, problem) not in self._warned:
                self._warned.add((replica_id, name, problem))
                text = f"{name}: {problem}: what others do there is not known"
                self._on_note(replica_id, text)

    def _ours(self, replica_id: str) -> int | None:
        load = self._runtime.replica(replica_id)
        return None if load is None else load.running + len(load.probes)

    def _forget_others_than(self, replica_ids: set[str]) -> None:
        for replica_id in self._others.keys() - replica_ids:
            del self._others[replica_id]
            self._runtime.metrics.kv_usage.remove(replica_id)


async def engine_load(session: aiohttp.ClientSession, endpoint: Endpoint) -> EngineLoad:
    """Return what a replica that speaks as vLLM does says of its own load."""
    headers = {"authorization": f"Bearer {endpoint.token}"} if endpoint.token else {}
    try:
        async with session.get(endpoint.url + _PAGE, headers=headers, timeout=_TIMEOUT) as reply:
            if reply.status == 200:
                return read_load(await read_bounded(reply))
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass
    return EngineLoad(problems=((_PAGE, Problem.UNREADABLE),))
