"""Replicas behind a DNS name that is polled: its addresses, or its SRV records."""

from __future__ import annotations

import asyncio
import importlib
import socket
from collections.abc import AsyncGenerator
from typing import Any

from cato_backend.config import DiscoveryConfig
from cato_backend.discovery.source import ListedServer, Listing, listing_of
from cato_backend.errors import SourceUnavailable

_REMEDY = "ask `getent hosts NAME` or `dig NAME` on this machine"
_PATIENCE_S = 5.0


class AddressSource:
    """Implements `Source`: every A and AAAA record of a name is a replica."""

    def __init__(self, host: str, port: int, config: DiscoveryConfig) -> None:
        self._host = host
        self._port = port
        self._config = config

    @property
    def name(self) -> str:
        """Its address."""
        return f"dns://{self._host}:{self._port}"

    async def follow(self) -> AsyncGenerator[Listing]:
        """Yield the addresses after each look-up. Raises SourceUnavailable."""
        while True:
            addresses = await self._addresses()
            yield listing_of((ListedServer(each, self._port) for each in addresses), self._config)
            await asyncio.sleep(self._config.interval_s)

    async def _addresses(self) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise SourceUnavailable("the name server does not answer", _REMEDY) from error
        except OSError as error:
            raise SourceUnavailable(f"it cannot be resolved: {error.strerror}", _REMEDY) from error
        return sorted({str(address[0]) for *_, address in found})


class ServiceSource:
    """Implements `Source`: every SRV record of the best priority is a replica.

    `server`: address and port of the name server; the system's by default.
    """

    def __init__(
        self, record: str, config: DiscoveryConfig, server: tuple[str, int] | None = None
    ) -> None:
        self._record = record
        self._config = config
        self._server = server

    @property
    def name(self) -> str:
        """Its address."""
        return f"dns+srv://{self._record}"

    async def follow(self) -> AsyncGenerator[Listing]:
        """Yield the targets after each look-up. Raises SourceUnavailable, ModuleNotFoundError."""
        resolver = self._resolver()
        while True:
            yield listing_of(await self._targets(resolver), self._config)
            await asyncio.sleep(self._config.interval_s)

    def _resolver(self) -> Any:
        resolver: Any = importlib.import_module("dns.asyncresolver").Resolver(
            configure=self._server is None
        )
        if self._server is not None:
            resolver.nameservers, resolver.port = [self._server[0]], self._server[1]
        return resolver

    async def _targets(self, resolver: Any) -> list[ListedServer]:
        errors = importlib.import_module("dns.exception")
        try:
            answer = await resolver.resolve(self._record, "SRV", lifetime=_PATIENCE_S)
        except errors.DNSException as error:
            text = " ".join(str(error).split())
            raise SourceUnavailable(f"its SRV records cannot be had: {text}", _REMEDY) from error
        best = min(record.priority for record in answer)
        targets = [record for record in answer if record.priority == best]
        return [ListedServer(str(each.target).rstrip("."), each.port) for each in targets]
