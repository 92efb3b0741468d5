"""From what a source tells to a list of replicas; what cannot be used is named and left out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple

from pydantic import ValidationError

from cato_backend.config import DiscoveryConfig, ReplicaConfig
from cato_backend.discovery.source import Listing

_HOST = re.compile(r"\w(?:[\w-]*\w)?(?:\.\w(?:[\w-]*\w)?)*", re.ASCII)
_LONGEST_HOST = 253


class ListedServer(NamedTuple):
    """Where a server listens, as a name server or Kubernetes tells it."""

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
