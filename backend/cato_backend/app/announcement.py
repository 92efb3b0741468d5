"""The discovery file, by which a user's editors find the backend."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from cato_backend import __version__
from cato_backend.gateway.server import Listener
from cato_backend.wire.discovery import Announcement, announce, withdraw
from cato_backend.wire.processes import start_time


def _language_server() -> str | None:
    """Return the `cato-lsp` of this very installation."""
    program = Path(sysconfig.get_path("scripts")) / "cato-lsp"
    return str(program) if program.is_file() else None


@asynccontextmanager
async def announced(listener: Listener) -> AsyncGenerator[None]:
    """Inside, the editors of this user find the backend by its discovery file."""
    pid, credentials = os.getpid(), listener.credentials

    def tell() -> None:
        announce(
            Announcement(
                listener.url,
                credentials.own_token,
                pid,
                __version__,
                secret=listener.secret,
                started=start_time(pid),
                language_server=_language_server(),
            )
        )

    tell()
    credentials.on_new_tokens = tell
    try:
        yield
    finally:
        credentials.on_new_tokens = None
        withdraw(pid)
