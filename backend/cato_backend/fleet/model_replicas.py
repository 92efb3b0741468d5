"""Life cycle of the replicas of one model: launch, drain, sleep, wake, stop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from cato_backend.errors import EngineError
from cato_backend.inventory.needs import GpuMemory
from cato_backend.metrics import Metrics
from cato_backend.replicas.replica import FleetListener, Launcher
from cato_backend.replicas.supervisor import Supervisor
from cato_backend.runtime.runtime import Runtime
from cato_backend.scheduling import ReplicaLoad

_KEPT = 5

LOAD, WAKE = "load", "wake"


class StartTimes:
    """The last few loads and wake-ups, in seconds; `load_s` and `wake_s` until one is measured."""

    def __init__(self, model: str, metrics: Metrics, load_s: float, wake_s: float = 5.0) -> None:
        self._model = model
        self._gauge = metrics.replica_start
        self._expected = {LOAD: load_s, WAKE: wake_s}
        self._seen: dict[str, deque[float]] = {}

    def record(self, kind: str, seconds: float) -> None:
        """Record a start."""
        self._seen.setdefault(kind, deque(maxlen=_KEPT)).append(seconds)
        self._gauge.labels(self._model, kind).set(self.usual_s(kind))

    def usual_s(self, kind: str) -> float:
        """Return the median of the last few, or what is expected, in seconds."""
        seen = self._seen.get(kind)
        return median(seen) if seen else self._expected[kind]

    def is_measured(self, kind: str) -> bool:
        """Return whether one was measured."""
        return kind in self._seen


@dataclass(frozen=True, slots=True)
class SharedFleet:
    """Services that the replicas of all models share."""

    supervisor: Supervisor
    runtime: Runtime
    listener: FleetListener
    memory: GpuMemory
    drain_s: float = 300.0


class ModelReplicas:
    """`places` are all launchers of the model.

    A replica is drained before it is put to sleep or stopped: it gets nothing new, and goes when
    nothing runs on it any more, or after `drain_s`; what still runs then continues elsewhere.
    """

    def __init__(
        self, places: Sequence[Launcher], shared: SharedFleet, times: StartTimes, *, sleeps: bool
    ) -> None:
        self._places = {launcher.replica_id: launcher for launcher in places}
        self._shared = shared
        self._times = times
        self._sleeps = sleeps
        self._launched: dict[str, float] = {}
        """When each of those that are not up yet was launched."""
        self._draining: dict[str, float] = {}
        """When each of them has to go at the latest."""
        self._stopping: dict[str, asyncio.Task[None]] = {}
        self._falling: dict[str, asyncio.Task[None]] = {}
        self._waking: dict[str, asyncio.Task[None]] = {}
        self._asleep: dict[str, None] = {}
        self._to_wake: set[str] = set()
        """Replicas that are falling asleep and are to be woken."""
        self.on_change: Callable[[], None] = lambda: None
        """Called when one has fallen asleep, woken or ended."""

    # -- queries -------------------------------------------------------------------------------

    def own(self) -> list[ReplicaLoad]:
        """Return those that the scheduler knows."""
        return [r for r in self._shared.runtime.replicas() if r.replica_id in self._places]

    def ready(self) -> list[ReplicaLoad]:
        """Return those that take requests."""
        going = self._going()
        return [r for r in self.own() if r.replica_id not in going]

    def launching(self) -> list[str]:
        """Return those that were launched and are not up yet."""
        up = {replica.replica_id for replica in self.own()}
        others = up | self._going()
        keeps = self._shared.supervisor.keeps
        return [name for name in self._places if keeps(name) and name not in others]

    def waking(self) -> list[str]:
        """Return those that will take requests when they have woken."""
        return [*self._waking, *self._to_wake]

    def can_start(self) -> list[str]:
        """Return those that can be asked to serve, the quickest first."""
        idle = [
            name
            for name in self._places
            if not self._shared.supervisor.knows(name) and name not in self._stopping
        ]
        return [*self._draining, *self._resting(), *self._asleep, *idle]

    def sleeping(self) -> int:
        """Return how many sleep."""
        return len(self._asleep)

    def leaves(self, replica_id: str) -> bool:
        """Return whether it is about to give its memory back."""
        return replica_id in (*self._draining, *self._stopping, *self._resting())

    def counts(self) -> dict[str, int]:
        """Return how many are in each state."""
        return {
            "ready": len(self.ready()),
            "starting": len(self.launching()) + len(self.waking()),
            "draining": len(self._draining),
            "stopping": len(self._stopping),
            "asleep": len(self._asleep) + len(self._resting()),
        }

    def _resting(self) -> list[str]:
        """Return those that are falling asleep and are not to be woken at once."""
        return [name for name in self._falling if name not in self._to_wake]

    def _going(self) -> set[str]:
        """Return those that take no requests though their process may be up."""
        asleep = {*self._falling, *self._waking, *self._asleep}
        return asleep | self._draining.keys() | self._stopping.keys()

    # -- orders --------------------------------------------------------------------------------

    def start(self, replica_id: str, now: float) -> None:
        """Let a replica of `can_start` serve. Its memory must be there."""
        self._shared.memory.hold(replica_id)
        if self._draining.pop(replica_id, None) is not None:
            self._shared.runtime.members.keep(replica_id)
        elif replica_id in self._falling:
            self._to_wake.add(replica_id)
        elif replica_id in self._asleep:
            self._wake(replica_id)
        else:
            self._launched[replica_id] = now
            self._shared.supervisor.keep(self._places[replica_id])

    def drain(self, replica_id: str, now: float, why: str = "") -> None:
        """Let a ready replica finish what runs on it, and go then."""
        load = self._shared.runtime.replica(replica_id)
        running = 0 if load is None else load.running
        self._draining[replica_id] = now + self._shared.drain_s
        self._shared.runtime.members.drain(replica_id)
        end = "sleeps" if self._sleeps else "is stopped"
        self._note(replica_id, f"drains {running} requests, gets no more, and {end} then{why}")

    def stop(self, replica_id: str) -> None:
        """End a replica, whatever state it is in."""
        self._asleep.pop(replica_id, None)
        self._launched.pop(replica_id, None)
        self._run(self._stopping, replica_id, self._end(replica_id))

    def settle(self, now: float) -> None:
        """Go on with those that are ready for their next step."""
        loads = {replica.replica_id: replica for replica in self.own()}
        for name, until in list(self._draining.items()):
            if name not in loads or not loads[name].running or until <= now:
                del self._draining[name]
                self._leave(name, is_up=name in loads and not loads[name].running)
        for name in [name for name in self._launched if name in loads]:
            self._times.record(LOAD, now - self._launched.pop(name))
        for name in self._given_up():
            if name in self._asleep:
                self.stop(name)
            else:
                self._shared.memory.free(name)

    async def close(self) -> None:
        """Wait for those that are just being stopped; the others are left to the supervisor."""
        for task in (*self._falling.values(), *self._waking.values()):
            task.cancel()
        changing = (self._falling, self._waking, self._stopping)
        tasks = [task for each in changing for task in each.values()]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _given_up(self) -> list[str]:
        """Return those whose process is gone for good."""
        supervisor = self._shared.supervisor
        gone = [n for n in self._places if supervisor.knows(n) and not supervisor.keeps(n)]
        return [name for name in gone if name not in self._stopping]

    def _leave(self, replica_id: str, *, is_up: bool) -> None:
        """Put a drained replica to sleep, or end it."""
        if self._sleeps and is_up:
            self._run(self._falling, replica_id, self._fall_asleep(replica_id))
        else:
            self.stop(replica_id)

    # -- what takes time -----------------------------------------------------------------------

    def _run(
        self,
        tasks: dict[str, asyncio.Task[None]],
        replica_id: str,
        work: Coroutine[Any, Any, None],
    ) -> None:
        task = asyncio.create_task(work)
        tasks[replica_id] = task
        task.add_done_callback(lambda _: self._done(tasks, replica_id))

    def _done(self, tasks: dict[str, asyncio.Task[None]], replica_id: str) -> None:
        tasks.pop(replica_id)
        if replica_id in self._to_wake and replica_id in self._asleep:
            self._wake(replica_id)
        self._to_wake.discard(replica_id)
        self.on_change()

    def _wake(self, replica_id: str) -> None:
        del self._asleep[replica_id]
        self._run(self._waking, replica_id, self._wake_up(replica_id))

    async def _end(self, replica_id: str) -> None:
        await self._shared.supervisor.release(replica_id)
        self._shared.memory.free(replica_id)

    async def _fall_asleep(self, replica_id: str) -> None:
        try:
            await self._shared.supervisor.sleep(replica_id)
        except EngineError as error:
            self._note(replica_id, f"does not fall asleep, and is stopped: {error}")
            self.stop(replica_id)
            return
        self._asleep[replica_id] = None
        if replica_id not in self._to_wake:
            self._shared.memory.shrink(replica_id)

    async def _wake_up(self, replica_id: str) -> None:
        began = self._shared.runtime.clock()
        try:
            await self._shared.supervisor.wake(replica_id)
        except EngineError as error:
            self._note(replica_id, f"does not wake, and is stopped: {error}")
            self.stop(replica_id)
            return
        self._times.record(WAKE, self._shared.runtime.clock() - began)

    def _note(self, replica_id: str, text: str) -> None:
        self._shared.listener.on_note(replica_id, text)
