"""Addresses that only this machine can reach."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

_LOCAL_NAMES = frozenset({"localhost", "ip6-localhost"})


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address or name. Unknown names count as no."""
    name = host.strip("[]").lower()
    if name in _LOCAL_NAMES:
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
