"""Calibrates new replicas while they are idle: a few probes show their step law.

Probes have the lowest priority, take no slot, and are broken off as soon as the scheduler sends a
request to their replica. They count in no metric of tasks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import aiohttp

from cato_backend.errors import RequestError
from cato_backend.fleet.calibration_course import Course
from cato_backend.fleet.profiles import prompt_s, token_s
from cato_backend.fleet.scrape import engine_load
from cato_backend.prediction.calibration import LONGEST_S, Calibration
from cato_backend.replicas.core_waits import NOTABLE_SHARE
from cato_backend.runtime.attempt import Attempts
from cato_backend.runtime.chunks import AttemptBroken
from cato_backend.runtime.facts import Endpoint
from cato_backend.runtime.runtime import Runtime
from cato_backend.scheduling import (
    Decision,
    Dispatch,
    Event,
    ReplicaDown,
    ReplicaDraining,
    ReplicaUp,
)

log = logging.getLogger(__name__)

_LOOK_AGAIN_S = 5.0
"""Between two looks at a replica that other clients use."""
_SETTLES_S = 0.05
"""Until an engine's own count no longer shows a request that has ended."""


class Calibrator:
    """Observes the scheduler: `note` receives each event with the decisions on it."""

    def __init__(
        self,
        runtime: Runtime,
        attempts: Attempts,
        session: aiohttp.ClientSession,
        on_note: Callable[[str, str], None],
    ) -> None:
        self._runtime = runtime
        self._attempts = attempts
        self._session = session
        self._on_note = on_note
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def note(self, event: Event, decisions: Sequence[Decision], now: float) -> None:
        """Calibrate a replica that comes up, until it is sent a request."""
        del now
        if isinstance(event, ReplicaUp):
            self._begin(event.replica_id)
        elif isinstance(event, ReplicaDown | ReplicaDraining):
            self._end(event.replica_id)
        for decision in decisions if self._tasks else ():
            if isinstance(decision, Dispatch):
                self._end(decision.replica_id)

    async def close(self) -> None:
        """Break all of them off."""
        tasks = list(self._tasks.values())
        for replica_id in list(self._tasks):
            self._end(replica_id)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, replica_id: str) -> None:
        self._end(replica_id)
        task = asyncio.create_task(self._calibrate(replica_id))
        self._tasks[replica_id] = task
        task.add_done_callback(lambda done: self._forget(replica_id, done))

    def _end(self, replica_id: str) -> None:
        task = self._tasks.pop(replica_id, None)
        if task is not None:
            task.cancel()

    def _forget(self, replica_id: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(replica_id) is done:
            del self._tasks[replica_id]

    async def _calibrate(self, replica_id: str) -> None:
        endpoint = self._runtime.members.endpoint(replica_id)
        load = self._runtime.replica(replica_id)
        if endpoint is None or load is None or load.running:
            return
        course = Course(self._runtime, self._attempts, endpoint, load.model)
        await self._alone(endpoint)
        began = self._runtime.clock()
        calibration = Calibration(course.bounds(), began)
        try:
            async with asyncio.timeout(LONGEST_S):
                while await course.round(calibration):
                    if await self._others_run(endpoint):
                        break
        except (AttemptBroken, RequestError) as error:
            log.debug("calibration of %s ended: %s", replica_id, error)
        except TimeoutError:
            log.debug("calibration of %s took all of its time", replica_id)
        self._tell(replica_id, self._runtime.clock() - began)

    async def _alone(self, endpoint: Endpoint) -> None:
        """Return when the engine runs nothing."""
        while True:
            if not await self._others_run(endpoint):
                return
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _others_run(self, endpoint: Endpoint) -> bool:
        """Return whether two readings show requests while no own one runs there."""
        if not endpoint.speaks_vllm:
            return False
        for _ in range(2):
            if not (await engine_load(self._session, endpoint)).requests:
                return False
            await asyncio.sleep(_SETTLES_S)
        return True

    def _tell(self, replica_id: str, seconds: float) -> None:
        load = self._runtime.replica(replica_id)
        if load is None or not load.learned.windows:
            return
        belief = load.learned.belief
        speed = f"{1e3 * token_s(belief.law):.1f} ms a token alone, "
        speed += f"{1e3 * prompt_s(belief.law):.0f} ms for 1,000 prompt tokens"
        text = f"calibrated in {seconds:.1f} s: {speed} (± {belief.spread:.0%})"
        waited = self._runtime.laws.waited(replica_id)
        if waited is not None and waited >= NOTABLE_SHARE:
            text += f"; its engine had no core for {waited:.0%} of that time"
        self._on_note(replica_id, text)
