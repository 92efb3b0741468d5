"""The interfaces of replicas and of their launchers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica that answers."""

    id: str
    """Unique in the fleet, and the same after a restart."""
    url: str
    """Its root, without `/v1` and without a slash at the end."""
    model: str
    """The name that it answers to."""
    max_model_len: int | None
    """Context in tokens; None where it does not say."""
    adapters: tuple[str, ...] = ()
    """Further names that it answers to: LoRA adapters of the model, other names of the model."""
    root: str = ""
    """The source of the model, where the server reports it: a folder or a name on a hub."""
    api_key: str | None = field(default=None, repr=False)
    """To be sent as a bearer token."""
    engine_pid: int | None = None
    """The process id of its engine; None where that runs elsewhere."""


class Running(Protocol):
    """One life of one replica."""

    async def wait_ready(self) -> Replica:
        """Wait until it answers. Raises EngineError when it dies first or takes too long."""
        ...

    async def wait_dead(self) -> str:
        """Wait until it no longer answers, and return why, for a person."""
        ...

    async def sleep(self) -> None:
        """Give back its GPU memory; return when that is done. Raises EngineError."""
        ...

    async def wake(self) -> None:
        """Take its GPU memory again; return when it answers. Raises EngineError."""
        ...

    async def stop(self) -> None:
        """End it; return when nothing of it is left. Does no harm twice."""
        ...


class Launcher(Protocol):
    """Brings one replica to life, again and again."""

    @property
    def replica_id(self) -> str:
        """The id of its replica."""
        ...

    async def launch(self) -> Running:
        """Begin one life. Raises EngineError when that cannot even begin."""
        ...


class FleetListener(Protocol):
    """Receives changes of replicas. It is called in the event loop and must not block."""

    def on_up(self, replica: Replica) -> None:
        """Record that the replica answers: requests may be sent."""
        ...

    def on_down(self, replica_id: str, reason: str) -> None:
        """Record that it no longer answers. Comes only after `on_up`."""
        ...

    def on_asleep(self, replica_id: str) -> None:
        """Record that it gives its memory back; `on_up` follows when it has woken."""
        ...

    def on_note(self, replica_id: str, text: str) -> None:
        """Something for the person who watches, such as a restart."""
        ...

    def on_failed(self, replica_id: str, reason: str) -> None:
        """Record that it was given up, and is not started again."""
        ...

    def on_ended(self, replica_id: str) -> None:
        """Record that it was ended on purpose; nothing of it is left."""
        ...
