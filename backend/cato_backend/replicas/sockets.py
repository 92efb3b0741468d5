"""Unix sockets of the engines that are started on this machine.

On a port of loopback, every user of the machine can reach an engine, round the gateway, and can
take the port when the engine has died. A socket lies in a folder that only its owner can enter.

Such an engine has a URL as others have, `http://NAME.sock`. Its host stands for the file
`NAME.sock` in the folder, and is never looked up.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.client_exceptions import UnixClientConnectorError
from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    from aiohttp.tracing import Trace

_ENDING = ".sock"
_LONGEST_PATH = 100
"""Of the 104 (macOS) or 108 (Linux) bytes that the kernel takes."""
_LONGEST_NAME = 32


@dataclass(frozen=True, slots=True)
class SocketFolder:
    """The folder of the sockets. None: no sockets are used, and hosts are addressed as written."""

    path: Path | None = None

    def of_host(self, host: str | None) -> str | None:
        """Return the file that a host stands for; None for every other host."""
        if self.path is None or host is None or not host.endswith(_ENDING):
            return None
        return str(self.path / host)

    def new(self, name: str) -> tuple[str, Path] | None:
        """Return the URL and the file of an engine with this name, None where it needs a port."""
        if self.path is None:
            return None
        return f"http://{name}{_ENDING}", self.path / f"{name}{_ENDING}"


@contextmanager
def socket_folder() -> Generator[SocketFolder]:
    """Make a folder that this user alone can enter; it is gone after the block."""
    parent = next(filter(_is_usable, _parents()), None)
    if parent is None:
        yield SocketFolder()
        return
    with tempfile.TemporaryDirectory(prefix="cato-", dir=parent) as name:
        yield SocketFolder(Path(name))


def _parents() -> tuple[Path, ...]:
    named = os.environ.get("XDG_RUNTIME_DIR")
    return (*((Path(named),) if named else ()), Path(tempfile.gettempdir()), Path("/tmp"))


def _is_usable(parent: Path) -> bool:
    length = len(os.fsencode(parent)) + len("/cato-12345678/") + _LONGEST_NAME
    return length <= _LONGEST_PATH and os.access(parent, os.W_OK | os.X_OK)


class EngineConnector(aiohttp.TCPConnector):
    """Connects to engines by their sockets, and to all other servers by TCP."""

    def __init__(self, sockets: SocketFolder, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._sockets = sockets

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        """Open a connection, as its base class does. Raises aiohttp.ClientConnectorError."""
        path = self._sockets.of_host(req.url.host)
        if path is None:
            return await super()._create_connection(req, traces, timeout)
        try:
            _, protocol = await self._loop.create_unix_connection(
                lambda: ResponseHandler(self._loop), path
            )
        except OSError as error:
            raise UnixClientConnectorError(path, req.connection_key, error) from error
        return protocol
