"""An emulated vLLM without its HTTP server: its options, the answers to calls, its sleep mode."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from aiohttp import web

from cato_backend.engine_model import Engine, Job, Order
from cato_backend.errors import ConfigError
from cato_backend.profile_files.profile import Profile
from cato_lab.emulator.answers import Answer
from cato_lab.emulator.behaviour import Behaviour
from cato_lab.emulator.bodies import Bodies
from cato_lab.emulator.calls import Call, parse_call
from cato_lab.emulator.corpus import Corpus, CorpusText, Errors
from cato_lab.emulator.deltas import deltas, stamped
from cato_lab.emulator.faults import Fault
from cato_lab.emulator.metrics import EngineMetrics
from cato_lab.emulator.state import EmulatorState
from cato_lab.emulator.text import EmittedToken, PseudoCode, ScriptedReply, TextSource
from cato_lab.emulator.timing import FixedTiming, ProfileTiming, Timing, block_hashes
from cato_lab.emulator.tokenizer import Tokenizer

_LEAST = 0.5
"""Of the probability of what a model is surest of: a single other token is never likelier."""

_MILLISECONDS = 1000


def sampled(
    tokens: Iterator[EmittedToken], temperature: float, chance: Random
) -> Iterator[EmittedToken]:
    """Yield `tokens`, some of them replaced by what else the model might have said."""
    for said in tokens:
        if said.other is None or chance.random() < stays(said.logprob, temperature):
            yield said
        else:
            yield EmittedToken(
                said.other, math.log(1 - max(math.exp(said.logprob), _LEAST)), said.token
            )


def stays(logprob: float, temperature: float) -> float:
    """Return the probability that what is surest is said, of two tokens, at a temperature."""
    surest = max(math.exp(logprob), _LEAST)
    if surest >= 1 or temperature <= 0:
        return 1.0
    return 1 / (1 + math.pow((1 - surest) / surest, 1 / temperature))


def draws(call: Call, index: int) -> Random:
    """Return the chance of the call's sequence of this index.

    A call that names a seed is answered in the same way each time.
    """
    return Random(f"{call.id if call.seed is None else call.seed} {index}")


@dataclass(frozen=True, slots=True)
class EmulatorOptions:
    """Options of an emulated engine, and its address."""

    profile: Profile | None = None
    """Gives the times, the limits and the model's name. None: fixed times, see `Behaviour`."""
    host: str = "127.0.0.1"
    port: int = 0
    order: Order = "priority"
    """Order of the waiting queue, with a profile."""
    speed: float = 1.0
    """How many times faster than the profile."""
    request_s: float = 0.0
    """From a request's arrival to the engine's queue, as real servers need for HTTP, tokenizing and
    the way to the engine's process; the step law has nothing of it."""
    text: TextSource = field(default_factory=PseudoCode)
    """The source of text where the behaviour names neither a reply nor a document."""
    behaviour: Behaviour = field(default_factory=Behaviour)
    controlled: bool = False
    """Whether requests are recorded, and a second address shows them and changes the behaviour."""
    tls: ssl.SSLContext | None = None
    uds: Path | None = None
    """A Unix socket, instead of host and port."""


class EmulatedEngine:
    """Answers calls by the current behaviour, at the times of a profile or at fixed times."""

    def __init__(self, options: EmulatorOptions) -> None:
        """Raise ConfigError where vLLM would refuse to start."""
        self._options = options
        self.behaviour = _behaviour(options)
        self.state = EmulatorState()
        self.metrics = EngineMetrics(self.behaviour.model)
        self.tokenizer = Tokenizer()
        self.timing = self._timing()
        self.metrics.watch(self.state, lambda: self.timing.kv_usage, self.timing.limits)
        self.calls = 0
        """Calls that are being answered."""
        self._numbers = count()

    def take_fault(self) -> Fault | None:
        """Return the fault of the next request, which counts as one of its times."""
        fault, self.behaviour = self.behaviour.next_fault()
        return fault

    def take_listing(self) -> str | None:
        """Return the next body of `/v1/models` that is not the truth, if one is left."""
        if not self.behaviour.listings:
            return None
        listing, *others = self.behaviour.listings
        self.behaviour = replace(self.behaviour, listings=tuple(others))
        return listing

    def call(self, body: Mapping[str, Any], *, chat: bool, request_id: str) -> Call:
        """Return the call of this body. Raises VllmError."""
        return parse_call(body, self.behaviour, self.tokenizer, chat=chat, request_id=request_id)

    async def answer(
        self, call: Call, request: web.Request, fault: Fault | None
    ) -> web.StreamResponse:
        """Answers a call. Its sequences are aborted where the client leaves."""
        prompts = [prompt for prompt in call.prompts for _ in range(call.n)]
        text = self._text()
        sequences = [
            deltas(sampled(text(prompt), call.temperature, draws(call, i)), call, self.tokenizer)
            for i, prompt in enumerate(prompts)
        ]
        if self.behaviour.stamped:
            sequences = [stamped(each) for each in sequences]
        bodies = Bodies(call, self.behaviour, self.tokenizer)
        answer = Answer(call, bodies, sequences, self.metrics, self.state, fault)
        jobs = [self._job(call, prompt) for prompt in prompts]
        try:
            await asyncio.sleep(self._options.request_s / self._options.speed)
            await answer.begin(request)
            for job, sequence in zip(jobs, answer.sequences, strict=True):
                self.timing.submit(job, sequence)
            return await answer.end(request)
        except ConnectionResetError as error:  # Its client has left.
            raise asyncio.CancelledError from error
        finally:
            self.timing.abort(job.id for job in jobs)
            answer.account()

    def _timing(self) -> Timing:
        profile = self._options.profile
        if profile is None:
            return FixedTiming(lambda: self.behaviour, self.state, self.metrics)
        engine = Engine(profile.law, profile.limits, self._options.order)
        _check_context(profile)
        return ProfileTiming(engine, self.state, self.metrics, self._options.speed)

    def _text(self) -> TextSource:
        behaviour = self.behaviour
        if behaviour.document is not None:
            return CorpusText(Corpus([behaviour.document]), Errors(), self.tokenizer)
        if behaviour.replies:
            reply, *others = behaviour.replies
            self.behaviour = replace(behaviour, replies=tuple(others))
            return ScriptedReply(reply, behaviour.logprobs, self.tokenizer)
        if behaviour.reply is not None:
            return ScriptedReply(behaviour.reply, behaviour.logprobs, self.tokenizer)
        return self._options.text

    def _job(self, call: Call, prompt: list[int]) -> Job:
        hashes = block_hashes(prompt, self.timing.limits.block_size, call.cache_salt)
        return Job(str(next(self._numbers)), len(prompt), call.max_tokens, hashes, call.priority)


def _behaviour(options: EmulatorOptions) -> Behaviour:
    profile = options.profile
    if profile is None:
        return options.behaviour
    return replace(
        options.behaviour,
        model=profile.model,
        max_model_len=profile.limits.max_model_len,
        priority_scheduling=options.order == "priority",
    )


def _check_context(profile: Profile) -> None:
    limits = profile.limits
    room = limits.kv_tokens - limits.kv_tokens % limits.block_size
    if limits.max_model_len > room:
        expected = f"at most the KV cache's {room} tokens: one request must fit"
        raise ConfigError.of("max_model_len", limits.max_model_len, expected)


_Work: TypeAlias = Callable[[], Awaitable[dict[str, object]]]


class SleepMode:
    """The routes of `vllm/entrypoints/serve/dev/sleep`, and the wait of requests for an engine.

    As vLLM does, `/sleep` with `mode=wait` waits for what runs, and a request that comes to an
    engine that sleeps is held until it has woken.
    """

    def __init__(self, engine: EmulatedEngine) -> None:
        self._engine = engine
        self._awake = asyncio.Event()
        self._awake.set()
        self._changing = asyncio.Lock()

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_post("/sleep", partial(self._answer, self._sleep))
        router.add_post("/wake_up", partial(self._answer, self._wake))
        router.add_get("/is_sleeping", partial(self._answer, self._is_sleeping))

    async def until_awake(self) -> None:
        """Wait until it takes requests."""
        await self._awake.wait()

    async def _answer(self, work: _Work, request: web.Request) -> web.Response:
        """Answer with what `work` returns; with 404 where the sleep mode is off."""
        if not self._engine.behaviour.sleep_mode:
            return web.Response(status=404)
        return web.json_response(await work())

    async def _sleep(self) -> dict[str, object]:
        async with self._changing:
            self._awake.clear()
            state = self._engine.state
            await state.wait_until(lambda now: not now.running and not now.waiting, None)
            await asyncio.sleep(self._engine.behaviour.sleep_ms / _MILLISECONDS)
            state.slept += 1
        return {"status": "sleeping", "level": 1}

    async def _wake(self) -> dict[str, object]:
        async with self._changing:
            await asyncio.sleep(self._engine.behaviour.wake_ms / _MILLISECONDS)
            self._awake.set()
        return {"status": "awake", "tags": None}

    async def _is_sleeping(self) -> dict[str, object]:
        return {"is_sleeping": not self._awake.is_set()}
