"""The HTTP side: vLLM's routes, the control routes, starting and stopping."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

from aiohttp import web

from cato_lab.emulator import errors
from cato_lab.emulator.calls import parse_call
from cato_lab.emulator.surface import MAX_BODY_BYTES, Surface, read_json, refusal
from cato_lab.emulator.tokenizer import QWEN_SPECIALS, Tokenizer
from tests.fakes.vllm import metrics
from tests.fakes.vllm.engine import PrefixCache, Slots
from tests.fakes.vllm.script import Fault, FaultKind, Script
from tests.fakes.vllm.state import Recorded, State
from tests.fakes.vllm.stream import Generation

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_BEFORE_THE_STREAM = (FaultKind.RESET, FaultKind.ERROR, FaultKind.HANG, FaultKind.HTML)
_PAGE = "<html><body><h1>Bad gateway</h1></body></html>"


class FakeVllm:
    """A running fake. `url` speaks vLLM; `control_url` is always there, `url` also takes control.

    `script` may be set at any time; `state` tells what was seen.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        port: int = 0,
        specials: tuple[str, ...] = QWEN_SPECIALS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._script = script or Script()
        self.state = State()
        self.tokenizer = Tokenizer(specials)
        self._port = port
        self._tls = tls
        self._changed = asyncio.Condition()
        self._news: set[asyncio.Task[None]] = set()
        self._answering: set[web.RequestHandler[web.Request]] = set()
        self._slots = Slots(self.state, self._notify)
        self._cache = PrefixCache()
        self._served: WeakKeyDictionary[asyncio.Transport, int] = WeakKeyDictionary()
        self._runner = self._new_runner()
        self._control = self._new_runner()
        self._site: web.TCPSite | None = None
        self.url = self.control_url = ""

    @property
    def script(self) -> Script:
        """What the fake does now."""
        return self._script

    @property
    def requests(self) -> list[Recorded]:
        """The generating requests so far."""
        return self.state.requests

    @property
    def aborted(self) -> int:
        """Sequences whose client went away before they were finished."""
        return self.state.aborted

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await self._control.setup()
        await web.TCPSite(self._control, "127.0.0.1", 0).start()
        self.control_url = f"http://127.0.0.1:{self._control.addresses[0][1]}"
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()
        await self._control.cleanup()

    async def follow(self, script: Script) -> None:
        """Behaves by `script` from now on; streams under way keep the one they began with."""
        was, self._script = self._script, script
        opens = script.listening and script.accepting
        if opens and self._site is None:
            await self._listen()
        elif not opens and self._site is not None:
            await self._site.stop()
            self._site = None
        for handler in self._runner.server.connections if self._runner.server else ():
            if was.listening and not script.listening and handler.transport is not None:
                handler.transport.abort()
            elif was.accepting and not script.accepting:
                # `close` waits for the answer under way, and leaves an idle connection open.
                (handler.close if handler in self._answering else handler.force_close)()

    async def change(self, **values: Any) -> None:
        """Replaces some fields of the script. Raises ValueError for unknown ones."""
        await self.follow(self._script.changed(values))

    async def wait_until(self, holds: Callable[[State], bool], timeout_s: float = 10.0) -> None:
        """Returns as soon as `holds(state)`. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: holds(self.state))

    def _new_runner(self) -> web.AppRunner:
        return web.AppRunner(
            self._app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )

    async def _listen(self) -> None:
        site = web.TCPSite(
            self._runner, "127.0.0.1", self._port, reuse_address=True, ssl_context=self._tls
        )
        await site.start()
        self._site = site
        self._port = self._port or self._runner.addresses[0][1]
        # A certificate is for a name.
        self.url = f"{'https://localhost' if self._tls else 'http://127.0.0.1'}:{self._port}"

    def _notify(self) -> None:
        task = asyncio.get_running_loop().create_task(self._wake())
        self._news.add(task)
        task.add_done_callback(self._news.discard)

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[self._guard])
        app.router.add_post("/v1/completions", self._generate)
        app.router.add_post("/v1/chat/completions", self._generate)
        app.router.add_get("/health", self._health)
        app.router.add_get("/ping", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/load", self._load)
        _Surface(self).add_routes(app.router)
        app.router.add_post("/fake/script", self._set_script)
        app.router.add_get("/fake/state", self._get_state)
        return app

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        if self._exceeds_its_requests(request):
            return web.Response()  # It is not sent: the connection is reset.
        script, fault = self._script, self._take_fault()
        try:
            body = await read_json(request)
            self.state.requests.append(Recorded(request.path, dict(request.headers), body))
            self._notify()
            if script.deadly and script.deadly in json.dumps(body):
                await self.change(listening=False)
            if fault is not None and fault.kind in _BEFORE_THE_STREAM:
                return await _refuse(request, fault)
            if body.get("logprobs") is not None and not script.takes_logprobs:
                raise errors.VllmError("logprobs are not supported", param="logprobs")
            if body.get("model") in (*script.adapters, *script.aliases):
                body = {**body, "model": script.model}
            chat = request.path.endswith("chat/completions")
            request_id = request.headers.get("x-request-id", "")
            call = parse_call(body, script.served, self.tokenizer, chat=chat, request_id=request_id)
        except errors.VllmError as error:
            return refusal(error)
        cached = sum(self._cache.cached_tokens(prompt) for prompt in call.prompts)
        self.state.prompt_tokens += call.prompt_tokens
        self.state.cached_tokens += cached
        generation = Generation(call, script, self.tokenizer, self.state, cached)
        try:
            await self._slots.take(call.priority, script.max_num_seqs)
            try:
                return await generation.serve(request, fault)
            finally:
                self._slots.free(script.max_num_seqs)
        finally:
            generation.account()
            self._notify()

    def _exceeds_its_requests(self, request: web.Request) -> bool:
        """Counts the connection's requests, and resets it where it has brought too many."""
        transport, limit = request.transport, self._script.requests_per_connection
        if transport is None or limit is None:
            return False
        self._served[transport] = self._served.get(transport, 0) + 1
        if self._served[transport] <= limit:
            return False
        transport.abort()
        return True

    def _take_fault(self) -> Fault | None:
        fault = self._script.fault
        if fault is None or fault.times is None:
            return fault
        left = replace(fault, times=fault.times - 1) if fault.times > 1 else None
        self._script = replace(self._script, fault=left)
        return fault

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """vLLM's middleware for `--api-key`; and which connections are busy."""
        given, key = request.headers.get("authorization"), self._script.api_key
        if key and request.path.startswith("/v1") and given != f"Bearer {key}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        self._answering.add(request.protocol)
        try:
            return await handler(request)
        finally:
            self._answering.discard(request.protocol)

    def listing(self) -> web.Response:
        """What `/v1/models` answers now."""
        script = self._script
        if script.listings:
            self._script = replace(script, listings=script.listings[1:])
            return web.Response(text=script.listings[0], content_type="application/json")
        names = [(name, None) for name in (script.model, *script.aliases)]
        names += [(name, script.model) for name in script.adapters]
        data = [_card(name, parent, script) for name, parent in names]
        return web.json_response({"object": "list", "data": data})

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if self._script.healthy else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        page = metrics.exposition(self.state, self._script.model, self._script.metric_values)
        return web.Response(body=page, headers={"Content-Type": metrics.CONTENT_TYPE})

    async def _load(self, request: web.Request) -> web.Response:
        return web.json_response({"server_load": self.state.running + self.state.waiting})

    async def _set_script(self, request: web.Request) -> web.Response:
        try:
            script = self._script.changed(await read_json(request))
        except (ValueError, TypeError, KeyError) as error:
            return web.json_response({"error": str(error)}, status=400)
        await self.follow(script)
        return web.json_response({})

    async def _get_state(self, request: web.Request) -> web.Response:
        return web.json_response(self.state.json())


class _Surface(Surface):
    """As the emulator's, with the models that the script says."""

    def __init__(self, fake: FakeVllm) -> None:
        super().__init__(lambda: fake.script.served, fake.tokenizer)
        self._fake = fake

    async def _models(self, request: web.Request) -> web.Response:
        return self._fake.listing()


def _card(name: str, parent: str | None, script: Script) -> dict[str, object]:
    """An entry of `/v1/models`; vLLM tells no context for an adapter."""
    return {
        "id": name,
        "object": "model",
        "created": 1,
        "owned_by": "vllm",
        "root": script.model if parent is None else f"/adapters/{name}",
        "parent": parent,
        "max_model_len": script.max_model_len if parent is None else None,
        "permission": [],
    }


async def _refuse(request: web.Request, fault: Fault) -> web.Response:
    if fault.kind is FaultKind.RESET and request.transport is not None:
        request.transport.abort()
    if fault.kind is FaultKind.HANG:
        await asyncio.get_running_loop().create_future()
    if fault.kind is FaultKind.HTML:
        response = web.Response(text=_PAGE, content_type="text/html", status=fault.status)
    else:
        response = refusal(errors.internal(fault.status))
    if fault.retry_after:
        response.headers["Retry-After"] = fault.retry_after
    return response
