"""The HTTP server of a front: what is refused here, what is checked here, what is passed on."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

import aiohttp
from aiohttp import hdrs, web
from prometheus_client import Counter

from cato_backend.clock import monotonic
from cato_backend.config import Config
from cato_backend.errors import ExpectationFailed, RequestError
from cato_backend.fronts.link import Link
from cato_backend.fronts.messages import Counts
from cato_backend.fronts.relay import relay, send_continue
from cato_backend.gateway.calls import source_of
from cato_backend.gateway.connections import Connections
from cato_backend.gateway.drafts import Draft, Drafting, chat_draft, completion_draft
from cato_backend.gateway.drain import Drain
from cato_backend.gateway.guard import RequestGuard, check_head, check_room
from cato_backend.gateway.headers import GivenHeaders, parse_headers
from cato_backend.gateway.incoming import BodyReader, parse_json
from cato_backend.gateway.page_session import authorization_of
from cato_backend.gateway.responses import StreamSink, WholeSink, error_response
from cato_backend.gateway.routes import is_open
from cato_backend.gateway.server import SHUTDOWN_S, make_acceptor, make_server
from cato_backend.gateway.trusted_proxies import TrustedProxies
from cato_backend.metrics import Metrics

_CALLS = MappingProxyType({"/v1/completions": completion_draft, "/v1/chat/completions": chat_draft})
"""What is checked here, and crosses as a value; the others are passed on as they come."""


@dataclass(slots=True)
class Front:
    """The parts of a front. Settings that come later replace some of them."""

    config: Config
    link: Link
    session: aiohttp.ClientSession
    connections: Connections
    bodies: BodyReader
    metrics: Metrics
    proxies: TrustedProxies
    tls: ssl.SSLContext | None
    drain: Drain = field(init=False)

    def __post_init__(self) -> None:
        """Make the drain, which needs the rest."""
        self.drain = Drain(self, self.connections, monotonic)

    def end(self, error: RequestError) -> None:
        """End no call: the scheduler's process, which has them, ends them itself."""

    def counts(self) -> Counts:
        """Return what has been counted here."""
        closed, refused = self.metrics.connections_closed, self.metrics.refusals
        return Counts(
            self.connections.busy, len(self.connections), _by_label(closed), _by_label(refused)
        )


@asynccontextmanager
async def front_serving(front: Front, listening: socket.socket) -> AsyncGenerator[None]:
    """Answers requests inside the block; after it no connection is left."""
    server = make_server(FrontGuard(front))
    acceptor = make_acceptor(
        front.config.server, listening, lambda: front.tls, front.connections, server
    )
    watching = asyncio.create_task(front.connections.watch())
    acceptor.start()
    try:
        yield
    finally:
        acceptor.stop()
        watching.cancel()
        server.pre_shutdown()
        await server.shutdown(SHUTDOWN_S)
        front.bodies.close()


class FrontGuard(RequestGuard):
    """Refuses what can be refused here; has the scheduler's process answer the rest."""

    def __init__(self, front: Front) -> None:
        super().__init__(front)
        self._front = front

    def _admit(self, request: web.BaseRequest) -> None:
        front = self._front
        check_head(request, front.config)
        if not is_open(request.path):
            check_room(request)
        front.drain.check(request.path)
        front.bodies.check_head(request)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        drafting = _CALLS.get(request.path) if request.method == hdrs.METH_POST else None
        if drafting is None:
            closes = self._front.drain.is_draining
            return await relay(request, self._front.session, closes=closes)
        return await self._call(request, drafting)

    async def _call(self, request: web.BaseRequest, drafting: Drafting) -> web.StreamResponse:
        front, arrival = self._front, monotonic()
        authorization = authorization_of(request, front.config)
        await front.link.identify(authorization)
        _check_expectation(request)
        given = parse_headers(request.headers, "")
        try:
            await send_continue(request)
            draft = drafting(parse_json(await front.bodies.read(request)))
            return await self._answered(request, authorization, arrival, given, draft)
        except RequestError as error:
            return error_response(error, given.request_id)

    async def _answered(
        self,
        request: web.BaseRequest,
        authorization: str | None,
        arrival: float,
        given: GivenHeaders,
        draft: Draft,
    ) -> web.StreamResponse:
        run = self._front.link.run
        source = source_of(request).encode(errors="surrogateescape")
        if draft.body.get("stream"):
            stream = StreamSink(request)
            return await stream.serve(run(authorization, arrival, source, given, draft, stream))
        whole = WholeSink()
        await run(authorization, arrival, source, given, draft, whole)
        return whole.response()


def _check_expectation(request: web.BaseRequest) -> None:
    expected = request.headers.get(hdrs.EXPECT, "100-continue")
    if request.version == aiohttp.HttpVersion11 and expected.lower() != "100-continue":
        raise ExpectationFailed("expect: expected 100-continue", param="expect")


def _by_label(counter: Counter) -> dict[str, int]:
    """Return the counts of a counter with one label."""
    return {
        next(iter(sample.labels.values())): int(sample.value)
        for metric in counter.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }
