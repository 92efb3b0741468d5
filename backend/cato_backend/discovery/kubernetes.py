"""The ready endpoints of a Kubernetes service, from its EndpointSlices: listed, then watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cato_backend.config import DiscoveryConfig
from cato_backend.discovery.kubernetes_api import KubernetesApi, Outdated
from cato_backend.discovery.source import ListedServer, Listing, listing_of

_CHANGES = ("ADDED", "MODIFIED")
_PAUSE_S = 0.5
"""Between two watches: a server that ends each at once must not be asked in a loop."""


@dataclass(frozen=True, slots=True)
class ServiceName:
    """A service, and one of its ports."""

    namespace: str
    service: str
    port: str = ""
    """Its name or number; empty takes the first one."""

    def __str__(self) -> str:
        port = f":{self.port}" if self.port else ""
        return f"k8s://{self.namespace}/{self.service}{port}"


class KubernetesSource:
    """Implements `Source`. A pod that is not ready, or terminates, is not listed."""

    def __init__(self, name: ServiceName, config: DiscoveryConfig, api: KubernetesApi) -> None:
        self._name = name
        self._config = config
        self._api = api
        space = f"/apis/discovery.k8s.io/v1/namespaces/{name.namespace}"
        self._path = f"{space}/endpointslices"
        self._selector = f"kubernetes.io/service-name={name.service}"

    @property
    def name(self) -> str:
        """Its address."""
        return str(self._name)

    async def follow(self) -> AsyncGenerator[Listing]:
        """Yield the endpoints, and again after each change. Raises SourceUnavailable."""
        while True:
            items, version = await self._api.list(self._path, self._selector)
            slices = {item["metadata"]["name"]: item for item in items}
            yield self._listing(slices)
            try:
                async for listing in self._watched(slices, version):
                    yield listing
            except Outdated:
                await asyncio.sleep(_PAUSE_S)

    async def _watched(
        self, slices: dict[str, Mapping[str, Any]], version: str
    ) -> AsyncGenerator[Listing]:
        """Keep `slices` up to date; yield what they list after each change.

        Raises SourceUnavailable, Outdated.
        """
        while True:
            async for event in self._api.watch(self._path, self._selector, version):
                found = event["object"]
                version = found["metadata"]["resourceVersion"]
                if event["type"] in _CHANGES:
                    slices[found["metadata"]["name"]] = found
                elif event["type"] == "DELETED":
                    slices.pop(found["metadata"]["name"], None)
                else:
                    continue  # A bookmark: only the version is new.
                yield self._listing(slices)
            await asyncio.sleep(_PAUSE_S)

    def _listing(self, slices: Mapping[str, Mapping[str, Any]]) -> Listing:
        found = (each for told in slices.values() for each in _endpoints(told, self._name.port))
        return listing_of(found, self._config)


def _endpoints(endpoints: Mapping[str, Any], wanted: str) -> Iterator[ListedServer]:
    """Yield each endpoint of a slice that is ready."""
    port = _port(endpoints.get("ports") or [], wanted)
    if port is None:
        return
    is_tls = port.get("appProtocol") == "https" or port.get("name") == "https"
    listed: list[Mapping[str, Any]] = endpoints.get("endpoints") or []
    for endpoint in listed:
        # Where the condition is absent, the endpoint counts as ready.
        conditions: Mapping[str, Any] = endpoint.get("conditions") or {}
        if conditions.get("ready") is False:
            continue
        # The addresses of one endpoint are the same pod's.
        yield ListedServer(endpoint["addresses"][0], port["port"], is_tls)


def _port(ports: list[Mapping[str, Any]], wanted: str) -> Mapping[str, Any] | None:
    fitting = [
        port
        for port in ports
        if port.get("port") and wanted in ("", port.get("name"), str(port["port"]))
    ]
    return fitting[0] if fitting else None
