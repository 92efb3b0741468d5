"""The gateway's view of one life of a replica in the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from cato_backend.errors import EngineError, ReplicaLost
from cato_backend.replicas.readiness import exit_status
from cato_backend.replicas.warden import LOG_LIMIT_BYTES
from cato_backend.rotating_file import RotatingFile


class RayLife:
    """One life. The connection reports its events; its log is written to a local file."""

    def __init__(self, log: Path, on_note: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        self.on_note = on_note
        self.started: asyncio.Future[str] = loop.create_future()
        """The engine's URL."""
        self.ended: asyncio.Future[bytes] = loop.create_future()
        """How the engine ended."""
        self.gone = asyncio.Event()
        """Set once nothing of it is left in the cluster."""
        self.log_offset = 0
        """Where its log on the node continues."""
        self._log = RotatingFile(log, LOG_LIMIT_BYTES)
        self._error: EngineError | None = None

    def start(self, url: str, node: str) -> None:
        """Record that its engine was started."""
        self.on_note(f"its engine starts on node {node}")
        if not self.started.done():
            self.started.set_result(url)

    def fail(self, error: EngineError) -> None:
        """Record that it failed: the engine could not be started, or node or actor died."""
        if not self.started.done():
            self.started.set_exception(error)
            return
        self._error = error
        self._end(str(error).encode())

    def lose_start(self, text: str) -> None:
        """Give it up unless its engine was started."""
        if not self.started.done():
            self.fail(ReplicaLost(text))

    def end(self, status: int) -> None:
        """Record that its engine ended with this status."""
        self._end(exit_status(status).encode())

    def write_log(self, data: bytes, offset: int) -> None:
        """Append what its log says, up to `offset`."""
        self.log_offset = offset
        self._log.write(data)

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def why(self) -> str:
        """Return why it ended. Raises ReplicaLost where that was no fault of the engine."""
        if isinstance(self._error, ReplicaLost):
            raise self._error
        return self.ended.result().decode()

    def _end(self, why: bytes) -> None:
        if not self.ended.done():
            self.ended.set_result(why)
