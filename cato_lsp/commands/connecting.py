"""How a command finds its backend: as an editor does, but it never starts one."""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from cato_backend.wire.discovery import UntrustedAnnouncement
from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.discovery import Target, locate
from cato_lsp.backend.failures import BackendFailure, Denied
from cato_lsp.backend.link import NONE_FOUND, Connection
from cato_lsp.commands.failures import CommandFailed
from cato_lsp.settings.settings import Settings, parse


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that name a backend."""
    parser.add_argument("--url", help="the backend (else CATO_BACKEND_URL, else your running one)")
    parser.add_argument("--token", help="its token (else CATO_BACKEND_TOKEN)")


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings that the arguments and the environment give. Raises CommandFailed."""
    given = {"backend": {"url": arguments.url, "token": arguments.token}}
    settings, complaints = parse(given)
    if complaints:
        first = complaints[0]
        raise CommandFailed(f"{first.setting} must be {first.expected}")
    return settings


def target_of(settings: Settings) -> Target:
    """The backend to ask. Raises CommandFailed."""
    try:
        target = locate(settings.backend)
    except UntrustedAnnouncement as error:
        raise CommandFailed(str(error)) from error
    if target is None:
        raise CommandFailed(NONE_FOUND)
    return target


@asynccontextmanager
async def connected(settings: Settings) -> AsyncGenerator[Connection]:
    """A connection to the backend. Raises CommandFailed, also for what fails inside."""
    client = BackendClient(target_of(settings))
    try:
        round_trip_ms = await client.health()
        yield Connection(client, await client.model(), round_trip_ms)
    except Denied as denied:
        raise CommandFailed(f"{denied} (set CATO_BACKEND_TOKEN or --token)") from denied
    except BackendFailure as failure:
        raise CommandFailed(str(failure)) from failure
    finally:
        await client.close()
