"""Keeps replicas alive: starts them, reports when they are up and down, restarts them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from cato_backend.clock import Clock, monotonic
from cato_backend.errors import EngineError, ReplicaLost
from cato_backend.replicas.replica import FleetListener, Launcher, Replica, Running
from cato_backend.replicas.watch import Backoff


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Limits of restarts of a replica that dies."""

    max_restarts: int | None = None
    """In a row, each before `steady_s`; after that it is given up. None: never."""
    first_delay_s: float = 1.0
    factor: float = 2.0
    max_delay_s: float = 30.0
    steady_s: float = 60.0
    """A life of this length forgives what came before."""

    def delay_s(self, restarts: int) -> float:
        """Before restart number `restarts`, counted from 1."""
        backoff = Backoff(self.first_delay_s, self.factor, 0.0, self.max_delay_s)
        return backoff.delay_s(restarts)


class Supervisor:
    """Keeps any number of replicas, each in a task of its own."""

    def __init__(
        self,
        listener: FleetListener,
        policy: RestartPolicy | None = None,
        clock: Clock = monotonic,
    ) -> None:
        self._listener = listener
        self._policy = policy or RestartPolicy()
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._lives: dict[str, tuple[Running, Replica]] = {}
        """The lives of replicas that have come up."""
        self._asleep: set[str] = set()
        self._failures: asyncio.Queue[EngineError] = asyncio.Queue()

    def keep(self, launcher: Launcher) -> None:
        """Start the replica of `launcher` and keep it until `close`. Returns at once."""
        name = launcher.replica_id
        assert name not in self._tasks, f"two replicas are called {name}"
        self._tasks[name] = asyncio.create_task(self._keep(launcher), name=f"keep {name}")

    def knows(self, replica_id: str) -> bool:
        """Return whether the replica is kept, or was given up."""
        return replica_id in self._tasks

    def keeps(self, replica_id: str) -> bool:
        """Return whether the replica runs, or is being started."""
        task = self._tasks.get(replica_id)
        return task is not None and not task.done()

    async def release(self, replica_id: str) -> None:
        """End one replica. Returns once no process of it is left, so that it may start again."""
        task = self._tasks[replica_id]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        del self._tasks[replica_id]
        self._asleep.discard(replica_id)
        self._listener.on_ended(replica_id)

    async def sleep(self, replica_id: str) -> None:
        """Put a replica to sleep that gets no more requests. Raises EngineError; then end it.

        One that dies while it sleeps is not started again: `keeps` is false then.
        """
        running, _ = self._life(replica_id)
        self._asleep.add(replica_id)
        self._listener.on_asleep(replica_id)
        await running.sleep()

    async def wake(self, replica_id: str) -> None:
        """Wake a replica that sleeps. Raises EngineError; then end it."""
        running, replica = self._life(replica_id)
        await running.wake()
        self._asleep.discard(replica_id)
        self._listener.on_up(replica)

    def _life(self, replica_id: str) -> tuple[Running, Replica]:
        found = self._lives.get(replica_id)
        if found is None:
            raise EngineError(f"{replica_id} is not up")
        return found

    async def wait_failed(self) -> EngineError:
        """Wait until a replica was given up, and return why.

        One that dies in its first load is given up at once: that is a mistake to show, not a
        mishap to repeat. The death of its node is not such a mistake: it is started again.
        """
        return await self._failures.get()

    async def close(self) -> None:
        """End all replicas, side by side; return when nothing of them is left."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()

    async def _keep(self, launcher: Launcher) -> None:
        restarts, ever_up = 0, False
        while True:
            began = self._clock()
            try:
                reason = await self._live(launcher)
                ever_up = True
            except ReplicaLost as error:
                reason = str(error)
            except EngineError as error:
                if not ever_up:
                    return self._give_up(launcher.replica_id, error)
                reason = str(error)
            if launcher.replica_id in self._asleep:
                return self._listener.on_note(launcher.replica_id, f"died asleep: {reason}")
            restarts = 1 if self._clock() - began >= self._policy.steady_s else restarts + 1
            most = self._policy.max_restarts
            if most is not None and restarts > most:
                text = f"{launcher.replica_id} was given up after {restarts - 1} restarts: {reason}"
                return self._give_up(launcher.replica_id, EngineError(text))
            await self._back_off(launcher.replica_id, restarts, reason)

    def _give_up(self, replica_id: str, error: EngineError) -> None:
        self._failures.put_nowait(error)
        self._listener.on_failed(replica_id, str(error))

    async def _back_off(self, replica_id: str, restarts: int, reason: str) -> None:
        delay_s = self._policy.delay_s(restarts)
        self._listener.on_note(replica_id, f"{reason}; starting again in {delay_s:g} s")
        await asyncio.sleep(delay_s)

    async def _live(self, launcher: Launcher) -> str:
        """One life; returns why it ended. Raises EngineError when it never came up."""
        running = await launcher.launch()
        try:
            return await self._watch(running)
        finally:
            # Shielded: a second cancellation must not leave an engine behind.
            await asyncio.shield(running.stop())

    async def _watch(self, running: Running) -> str:
        replica = await running.wait_ready()
        self._lives[replica.id] = running, replica
        self._listener.on_up(replica)
        reason = "shutting down"
        try:
            reason = await running.wait_dead()
            return reason
        finally:
            del self._lives[replica.id]
            self._listener.on_down(replica.id, reason)
