"""Records of each client: its feedback, on disk, and its rate limits."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import orjson

from cato_backend.errors import TooManySignIns
from cato_backend.rotating_file import RotatingFile, previous
from cato_backend.team.index import Requester

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
_MOST_KEYS = 10_000
_EDITORS = 8
"""Of one person, that may warm as often as they can at the same time."""
_SIGN_INS_PER_S, _SIGN_INS_AT_ONCE = 1.0, 60.0
_DEVICES_PER_S, _DEVICES_AT_ONCE = 0.2, 20.0


class FeedbackStore:
    """The newest `limit` to twice `limit` bytes of feedback, oldest first.

    One process writes. Lines of each tenant are told apart by a hash of its token.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="feedback")

    async def read(self, work: Callable[P, ResultT], *args: P.args, **named: P.kwargs) -> ResultT:
        """Run what reads the file in a thread, one at a time, and return what it returns.

        Many at once would keep the interpreter from the event loop, and each has the whole file.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, partial(work, *args, **named))

    def add(self, tenant: str, entry: dict[str, Any]) -> None:
        """Append one line. Raises OSError."""
        line = orjson.dumps({"tenant": tenant, **entry}) + b"\n"
        with RotatingFile(self._path, self._limit, append=True) as file:
            file.write(line)

    def of(self, tenant: str) -> bytes:
        """Return the tenant's own lines, without its hash. Raises OSError."""
        return b"".join(self._own_lines(tenant))

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the entries of all tenants, each with its `tenant`. Raises OSError."""
        for path in (previous(self._path), self._path):
            if path.exists():
                found = map(_entry, path.read_bytes().splitlines())
                yield from (entry for entry in found if "tenant" in entry)

    def _own_lines(self, tenant: str) -> Iterator[bytes]:
        for entry in self.entries():
            if entry.pop("tenant") == tenant:
                yield orjson.dumps(entry) + b"\n"


def _entry(line: bytes) -> dict[str, Any]:
    """Return the entry of a line; an incomplete one, after a crash, belongs to no tenant."""
    try:
        value: object = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


class RateCap:
    """At most `per_s` a second and `burst` at once for each key. Times in seconds, any clock."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._full_at: OrderedDict[tuple[str, str], float] = OrderedDict()
        """When each bucket will be full again; a key that is absent has a full one."""

    def wait_s(self, key: tuple[str, str], now: float) -> float:
        """Take one from the key's bucket and return 0; or, from an empty one, the wait."""
        full_at = max(now, self._full_at.get(key, now)) + 1 / self._per_s
        excess_s = full_at - now - self._burst / self._per_s
        if excess_s > 0:
            return excess_s
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > _MOST_KEYS:
            self._full_at.popitem(last=False)
        return 0.0


class WarmCaps:
    """Rate limits of warm-ups: of one editor, and of one person with all their editors.

    Clients name their sessions themselves, and what is warmed counts among no limits of requests.
    """

    def __init__(self, per_s: float, burst: float) -> None:
        self._editors = RateCap(per_s, burst)
        self._people = RateCap(_EDITORS * per_s, _EDITORS * burst)

    def wait_s(self, who: Requester, session: str, now: float) -> float:
        """Count one in and return 0; or return the wait, as `RateCap` does."""
        wait_s = self._editors.wait_s((who.tenant, session), now)
        # A token of the file may be that of many people.
        if wait_s or who.person is None:
            return wait_s
        return self._people.wait_s((who.tenant, ""), now)


class SignInCaps:
    """Limits how often one client begins or ends a sign-in, and asks for the code of a device.

    A client is an address, or the tenant of a person. An IPv6 address counts as its network of 64
    bits, as a machine can use every address in it. Behind a proxy that is not in
    `server.trusted_proxies`, all clients share its address.
    """

    def __init__(self) -> None:
        self._any = RateCap(_SIGN_INS_PER_S, _SIGN_INS_AT_ONCE)
        self._devices = RateCap(_DEVICES_PER_S, _DEVICES_AT_ONCE)

    def check(self, client: str, now: float, *, is_device: bool = False) -> None:
        """Count a request of the client. Raises TooManySignIns."""
        cap = self._devices if is_device else self._any
        wait_s = cap.wait_s((_network(client), ""), now)
        if wait_s:
            raise TooManySignIns("sign-in: this client asks too often; wait", retry_after_s=wait_s)


def _network(client: str) -> str:
    """Return the network of an IPv6 address; another address, or a tenant, unchanged."""
    try:
        address = IPv6Address(client.partition("%")[0])
    except ValueError:
        return client
    return str(address.ipv4_mapped or IPv6Network((address, 64), strict=False))
