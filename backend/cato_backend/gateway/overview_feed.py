"""The overview as a feed: made once a second for all its readers, and only while there are any."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
from aiohttp import web

from cato_backend.clock import Clock
from cato_backend.errors import Overloaded
from cato_backend.gateway.page_session import authorization_of
from cato_backend.gateway.responses import StreamSink
from cato_backend.gateway.state import GATEWAY, REQUESTER
from cato_backend.gateway.status_reports import without_paths
from cato_backend.team.records import Role
from cato_backend.wire import sse

PERIOD_S = 1.0
MOST_WATCHERS = 32
MOST_OF_ONE = 8
"""Of one person, so that one person cannot take all places."""
_RETRY_S = 10.0
_YOUNG = 0.9
"""Of a period: an overview of this age is told again."""
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class OverviewFeed:
    """Keeps the newest overview, as JSON: the whole, and the one without the server's paths."""

    def __init__(self, make: Callable[[], Mapping[str, Any]], clock: Clock) -> None:
        self._make = make
        self._clock = clock
        self._made_at = -math.inf
        self._made: Mapping[str, Any] = {}
        self._bodies: dict[bool, bytes] = {}
        """By whether it holds paths."""
        self._watchers = Counter[str | None]()
        """By person; None for those without a name."""

    def body(self, role: Role) -> bytes:
        """Return the overview that the role may see, about a second old at most."""
        now = self._clock()
        if now - self._made_at >= _YOUNG * PERIOD_S:
            self._made, self._made_at = self._make(), now
            self._bodies.clear()
        paths = role.includes(Role.ADMIN)
        if paths not in self._bodies:
            self._bodies[paths] = orjson.dumps(self._made if paths else without_paths(self._made))
        return self._bodies[paths]

    @contextmanager
    def watching(self, person: str | None) -> Generator[None]:
        """Take one of the places inside the block. Raises Overloaded where there is none."""
        if self._watchers.total() >= MOST_WATCHERS:
            raise Overloaded(f"{MOST_WATCHERS} clients watch already", retry_after_s=_RETRY_S)
        if person is not None and self._watchers[person] >= MOST_OF_ONE:
            raise Overloaded(f"you watch {MOST_OF_ONE} times already", retry_after_s=_RETRY_S)
        self._watchers[person] += 1
        try:
            yield
        finally:
            self._watchers[person] -= 1
            if not self._watchers[person]:
                del self._watchers[person]


FEED = web.AppKey("feed", OverviewFeed)


async def overview(request: web.Request) -> web.StreamResponse:
    """`GET /v1/overview`: the server at a glance; `?stream=true`: again and again, as events."""
    feed = request.app[FEED]
    if not _wants_stream(request):
        body = feed.body(request[REQUESTER].role)
        return web.Response(body=body, content_type="application/json", headers=_HEADERS)
    with feed.watching(request[REQUESTER].person):
        sink = StreamSink(request)
        return await sink.serve(_send(request, sink, feed))


def _wants_stream(request: web.Request) -> bool:
    asked = request.query.get("stream", "").lower()
    return asked in ("1", "true") or sse.CONTENT_TYPE in request.headers.get("Accept", "")


async def _send(request: web.Request, sink: StreamSink, feed: OverviewFeed) -> None:
    """Send until the client leaves. Raises RequestError: the server ends, the token is revoked."""
    gateway = request.app[GATEWAY]
    authorization = authorization_of(request, gateway.config)
    await sink.begin_with(_HEADERS)
    while True:
        role = gateway.credentials.identify(authorization).role
        await sink.write(sse.json_event(feed.body(role)))
        await asyncio.sleep(PERIOD_S)
        gateway.drain.check(request.path)
