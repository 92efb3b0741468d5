"""The emulated replica as a running server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from types import TracebackType
from typing import Self

from aiohttp import web

from cato_backend.engine_model import Engine, Job, Order
from cato_backend.errors import ConfigError
from cato_backend.profile_files.profile import Profile
from cato_lab.emulator import errors
from cato_lab.emulator.answers import Answer
from cato_lab.emulator.bodies import Bodies
from cato_lab.emulator.calls import Call, parse_call
from cato_lab.emulator.deltas import deltas
from cato_lab.emulator.hashes import block_hashes
from cato_lab.emulator.metrics import CONTENT_TYPE, EngineMetrics
from cato_lab.emulator.pacing import Pacing
from cato_lab.emulator.served import Served
from cato_lab.emulator.surface import MAX_BODY_BYTES, Surface, read_json, refusal
from cato_lab.emulator.text import PseudoCode, TextSource
from cato_lab.emulator.tokenizer import Tokenizer

_BACKLOG = 512


@dataclass(frozen=True, slots=True)
class EmulatorOptions:
    """What is emulated, and where it listens."""

    profile: Profile
    host: str = "127.0.0.1"
    port: int = 0
    order: Order = "priority"
    speed: float = 1.0
    """How many times faster than the profile."""
    request_s: float = 0.0
    """From a request's arrival to the engine's queue, as real servers need for HTTP, tokenizing and
    the way to the engine's process; the step law has nothing of it."""
    text: TextSource = field(default_factory=PseudoCode)
    logprobs: bool = True
    """False: they are null though they were asked for."""


class Emulator:
    """A running emulated replica.

    async with Emulator(EmulatorOptions(profile)) as emulator:
        ...  # emulator.url speaks vLLM's HTTP
    """

    def __init__(self, options: EmulatorOptions) -> None:
        """Raises ConfigError where vLLM would refuse to start."""
        self._options, profile = options, options.profile
        self.engine = Engine(profile.law, profile.limits, options.order)
        _check_context(profile)
        self._served = Served(
            profile.model,
            profile.limits.max_model_len,
            priority_scheduling=options.order == "priority",
            logprobs=options.logprobs,
        )
        self.metrics = EngineMetrics(profile.model)
        self.metrics.watch(self.engine)
        self._tokenizer = Tokenizer()
        self._pacing = Pacing(self.engine, self.metrics, options.speed)
        self._runner = web.AppRunner(self._app(), handler_cancellation=True, access_log=None)
        self._calls = 0
        self._numbers = count()
        self.url = ""

    async def __aenter__(self) -> Self:
        """Raises ConfigError where the address cannot be bound."""
        bound = _bind(self._options.host, self._options.port)
        await self._runner.setup()
        await web.SockSite(self._runner, bound, backlog=_BACKLOG).start()
        self.url = f"http://{self._options.host}:{bound.getsockname()[1]}"
        self._task = asyncio.create_task(self._pacing.run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/v1/completions", partial(self._generate, chat=False))
        app.router.add_post("/v1/chat/completions", partial(self._generate, chat=True))
        app.router.add_get("/health", self._health)
        app.router.add_get("/ping", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/load", self._load)
        Surface(lambda: self._served, self._tokenizer).add_routes(app.router)
        return app

    async def _generate(self, request: web.Request, *, chat: bool) -> web.StreamResponse:
        request_id = request.headers.get("x-request-id", "")
        try:
            body = await read_json(request)
            call = parse_call(body, self._served, self._tokenizer, chat=chat, request_id=request_id)
        except errors.VllmError as error:
            return refusal(error)
        self._calls += 1
        try:
            return await self._answer(call, request)
        finally:
            self._calls -= 1

    async def _answer(self, call: Call, request: web.Request) -> web.StreamResponse:
        prompts = [prompt for prompt in call.prompts for _ in range(call.n)]
        sequences = [
            deltas(self._options.text(prompt), call, self._tokenizer) for prompt in prompts
        ]
        bodies = Bodies(call, self._served, self._tokenizer)
        answer = Answer(call, bodies, self.metrics, sequences)
        jobs = [self._job(call, prompt) for prompt in prompts]
        try:
            await asyncio.sleep(self._options.request_s / self._options.speed)
            for job, sequence in zip(jobs, answer.sequences, strict=True):
                self._pacing.submit(job, sequence)
            return await (answer.stream(request) if call.stream else answer.whole())
        finally:
            self._pacing.abort(job.id for job in jobs)

    def _job(self, call: Call, prompt: list[int]) -> Job:
        hashes = block_hashes(prompt, self._options.profile.limits.block_size)
        return Job(str(next(self._numbers)), len(prompt), call.max_tokens, hashes, call.priority)

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response()

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def _load(self, request: web.Request) -> web.Response:
        return web.json_response({"server_load": self._calls})


def _check_context(profile: Profile) -> None:
    limits = profile.limits
    room = limits.kv_tokens - limits.kv_tokens % limits.block_size
    if limits.max_model_len > room:
        expected = f"at most the KV cache's {room} tokens: one request must fit"
        raise ConfigError.of("max_model_len", limits.max_model_len, expected)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ConfigError.of(
            "host and port", f"{host}:{port}", f"a free address: {error}"
        ) from error
    return bound
