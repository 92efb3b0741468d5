"""The interface of a source of replicas, and conversion of its records to a list of replicas."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pydantic import ValidationError

from cato_backend.config import DiscoveryConfig, ReplicaConfig

_HOST = re.compile(r"\w(?:[\w-]*\w)?(?:\.\w(?:[\w-]*\w)?)*", re.ASCII)

_LONGEST_HOST = 253


@dataclass(frozen=True, slots=True)
class Listing:
    """The present list of one source."""

    replicas: tuple[ReplicaConfig, ...]
    complaint: str = ""
    """The first entry that could not be used, and why; the others are used."""


class Source(Protocol):
    """One list of replicas."""

    @property
    def name(self) -> str:
        """Its address, as it was configured."""
        ...

    def follow(self) -> AsyncGenerator[Listing]:
        """Yield the list, and again whenever it may have changed. Raises SourceUnavailable."""
        ...


class ListedServer(NamedTuple):
    """The address of a server, as reported by a name server or by Kubernetes."""

    host: str
    """A name, or an IP address."""
    port: int
    is_tls: bool = False


def listing_of(endpoints: Iterable[ListedServer], config: DiscoveryConfig) -> Listing:
    """Return the replicas at these endpoints, by their URLs; the first bad one is named."""
    found: dict[str, ReplicaConfig] = {}
    complaint = ""
    for endpoint in sorted(endpoints):
        named = f"{endpoint.host[:80]!r}, port {endpoint.port}"
        if not _is_host(endpoint.host):  # It could change the path, or the host itself.
            complaint = complaint or f"{named}: expected a host name or an IP address"
            continue
        try:
            replica = config.replica(url=_url(endpoint))
        except ValidationError as error:
            complaint = complaint or f"{named}: {first_reason(error)}"
        else:
            found[replica.url] = replica
    return Listing(tuple(found.values()), complaint)


def first_reason(error: ValidationError) -> str:
    """Return what is wrong, without what stood there: it may hold a token."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(map(str, first["loc"]))
    return f"{field}: expected {first['msg'].removeprefix('Value error, ')}"


def _url(endpoint: ListedServer) -> str:
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"{'https' if endpoint.is_tls else 'http'}://{host}:{endpoint.port}"


def _is_host(host: str) -> bool:
    if len(host) <= _LONGEST_HOST and _HOST.fullmatch(host):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
