"""The address of a client behind a trusted proxy."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from aiohttp import web

_HEADER = "X-Forwarded-For"
_MAPPED_BITS = 96
"""Of an IPv6 address, those before the IPv4 address that is mapped to it."""


class TrustedProxies:
    """Networks of proxies whose `X-Forwarded-For` is used; that of others is ignored."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(_plain_network(each) for each in networks)

    def client_of(self, request: web.BaseRequest) -> str:
        """Return the address of the client, "" where it is not known.

        Each proxy appends the address that it was called from. The client is therefore the last
        address that is none of a trusted proxy: what stands before it, anybody can write.
        """
        address = request.remote or ""
        if not self._networks or not self._trusts(address):
            return address
        given = ",".join(request.headers.getall(_HEADER, ()))
        for part in reversed(given.split(",")):
            found = _address(part.strip())
            if found is None:
                return address
            address = str(found)
            if not self._trusts(address):
                return address
        return address

    def _trusts(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address, an IPv4 one where it was mapped to IPv6; None for other text."""
    try:
        address = ip_address(_without_port(text).partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _without_port(text: str) -> str:
    """Return an address as some proxies write it, `1.2.3.4:5` or `[::1]:5`, without the port."""
    if text.startswith("["):
        inside, bracket, behind = text[1:].partition("]")
        return inside if bracket and _is_port(behind) else text
    host, colon, port = text.partition(":")
    return host if _is_port(colon + port) else text


def _is_port(text: str) -> bool:
    """Return whether this is nothing, or a colon and a port."""
    return not text or (text[0] == ":" and text[1:].isascii() and text[1:].isdecimal())


def _plain_network(text: str) -> IPv4Network | IPv6Network:
    """Return the network, an IPv4 one where it was mapped to IPv6, as addresses are."""
    network = ip_network(text)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
