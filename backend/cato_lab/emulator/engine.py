"""An emulated vLLM without its HTTP server: what it serves now, and how a call is answered."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

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
from cato_lab.emulator.sampling import draws, sampled
from cato_lab.emulator.state import EmulatorState
from cato_lab.emulator.text import PseudoCode, ScriptedReply, TextSource
from cato_lab.emulator.timing import FixedTiming, ProfileTiming, Timing, block_hashes
from cato_lab.emulator.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class EmulatorOptions:
    """Options of an emulated engine, and its address."""

    profile: Profile | None = None
    """Gives the times, the limits and the model's name. None: fixed times, see `Behaviour`."""
    host: str = "127.0.0.1"
    port: int = 0
    order: Order = "priority"
    """Of the waiting queue, with a profile."""
    speed: float = 1.0
    """How many times faster than the profile."""
    request_s: float = 0.0
    """From a request's arrival to the engine's queue, as real servers need for HTTP, tokenizing and
    the way to the engine's process; the step law has nothing of it."""
    text: TextSource = field(default_factory=PseudoCode)
    """What it says where the behaviour names neither a reply nor a document."""
    behaviour: Behaviour = field(default_factory=Behaviour)
    controlled: bool = False
    """Whether requests are recorded, and a second address shows them and changes the behaviour."""
    tls: ssl.SSLContext | None = None
    uds: Path | None = None
    """A Unix socket, in place of host and port."""


class EmulatedEngine:
    """Answers calls as the present behaviour says, at the times of a profile or at fixed ones."""

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
