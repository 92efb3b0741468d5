"""The emulated vLLM as a running server, and the address at which it is controlled."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from cato_lab.emulator import errors
from cato_lab.emulator.behaviour import Behaviour
from cato_lab.emulator.engine import EmulatedEngine, EmulatorOptions, SleepMode
from cato_lab.emulator.faults import refuse
from cato_lab.emulator.listener import Listener
from cato_lab.emulator.metrics import Lateness
from cato_lab.emulator.routes import MAX_BODY_BYTES, InformationRoutes, read_json, refusal
from cato_lab.emulator.state import EmulatorState, RecordedRequest
from cato_lab.emulator.tokenizer import Tokenizer

_TIMEOUT_S = 10.0


class Emulator:
    """A running emulated replica.

    async with Emulator(EmulatorOptions(profile)) as emulator:
        ...  # emulator.url speaks vLLM's HTTP

    async with Emulator(EmulatorOptions(behaviour=Behaviour(ttft_ms=5, itl_ms=2))) as emulator:
        await emulator.change(faults=[Fault(FaultKind.STALL, after_tokens=3)])
        await emulator.wait_until(lambda state: state.aborted == 1)
    """

    def __init__(self, options: EmulatorOptions) -> None:
        """Raise ConfigError where vLLM would refuse to start."""
        self._engine = EmulatedEngine(options)
        self._routes = InformationRoutes(self._engine)
        self._sleep = SleepMode(self._engine)
        self._listener = Listener(self._app(), options.host, options.port, options.tls, options.uds)
        self._controlled = options.controlled
        self._control = Listener(self._control_app(), "127.0.0.1", 0)

    @property
    def url(self) -> str:
        """Where it speaks vLLM's HTTP."""
        return self._listener.url

    @property
    def control_url(self) -> str:
        """Where it is controlled: `GET /state`, `POST /behaviour` and `GET /metrics`."""
        return self._control.url

    @property
    def behaviour(self) -> Behaviour:
        """The current behaviour."""
        return self._engine.behaviour

    @property
    def state(self) -> EmulatorState:
        """The counters and the received requests."""
        return self._engine.state

    @property
    def requests(self) -> list[RecordedRequest]:
        """The generating requests so far; only where it is controlled."""
        return self.state.requests

    @property
    def aborted(self) -> int:
        """Sequences whose client went away before they were finished."""
        return self.state.aborted

    @property
    def lateness(self) -> Lateness:
        """How punctual its steps were."""
        return self._engine.metrics.lateness

    @property
    def tokenizer(self) -> Tokenizer:
        """Its model's tokenizer."""
        return self._engine.tokenizer

    async def __aenter__(self) -> Self:
        """Raise ConfigError where the address cannot be bound."""
        await self._listener.start(self.behaviour)
        if self._controlled:
            await self._control.start(Behaviour())
        self._task = asyncio.create_task(self._engine.timing.run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._listener.stop()
        await self._control.stop()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def follow(self, behaviour: Behaviour) -> None:
        """Behave so from now on. Answers under way keep the behaviour with which they began."""
        was, self._engine.behaviour = self.behaviour, behaviour
        await self._listener.follow(was, behaviour)

    async def change(self, **values: Any) -> None:
        """Replace some fields of the behaviour. Raises ValueError for unknown ones."""
        await self.follow(self.behaviour.changed(values))

    async def wait_until(
        self, holds: Callable[[EmulatorState], bool], timeout_s: float = _TIMEOUT_S
    ) -> None:
        """Return as soon as `holds(state)`. Raises TimeoutError."""
        await self.state.wait_until(holds, timeout_s)

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[self._guard])
        app.router.add_post("/v1/completions", partial(self._generate, chat=False))
        app.router.add_post("/v1/chat/completions", partial(self._generate, chat=True))
        self._routes.add_to(app.router)
        self._sleep.add_to(app.router)
        return app

    def _control_app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/state", self._get_state)
        app.router.add_post("/behaviour", self._change)
        app.router.add_get("/metrics", self._routes.metrics)
        return app

    async def _generate(self, request: web.Request, *, chat: bool) -> web.StreamResponse:
        if self._listener.exceeds(self.behaviour.requests_per_connection, request):
            return web.Response()  # It is not sent: the connection is reset.
        fault = self._engine.take_fault()
        request_id = request.headers.get("x-request-id", "")
        try:
            body = await read_json(request)
            await self._note(request, body)
            if fault is not None and fault.before_the_answer:
                return await refuse(fault, request)
            await self._sleep.until_awake()
            call = self._engine.call(body, chat=chat, request_id=request_id)
        except errors.VllmError as error:
            return refusal(error)
        self._engine.calls += 1
        try:
            return await self._engine.answer(call, request, fault)
        finally:
            self._engine.calls -= 1

    async def _note(self, request: web.Request, body: Any) -> None:
        """Record the request, which may be one that kills the server."""
        if self._controlled:
            headers = dict(request.headers)
            self.state.requests.append(RecordedRequest(request.path, headers, body))
            self.state.changed()
        if self.behaviour.deadly and self.behaviour.deadly in json.dumps(body):
            await self.change(listening=False)

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """vLLM's middleware for `--api-key`."""
        given, key = request.headers.get("authorization"), self.behaviour.api_key
        if key and request.path.startswith("/v1") and given != f"Bearer {key}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        return await handler(request)

    async def _get_state(self, request: web.Request) -> web.Response:
        return web.json_response(self.state.json())

    async def _change(self, request: web.Request) -> web.Response:
        try:
            behaviour = self.behaviour.changed(await read_json(request))
        except (errors.VllmError, KeyError, TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        await self.follow(behaviour)
        return web.json_response({})
