"""Replicas in this process: what an emulated one would say, at the times of its law."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any

from bench.typing.engines import TOKEN_S, Counts, Model
from bench.typing.spending import Line, Spending
from cato_backend.wire.headers import CancelReason
from cato_backend.wire.sse import MESSAGE, Event
from cato_lab.emulator.behaviour import Behaviour
from cato_lab.emulator.calls import Call, parse_call
from cato_lab.emulator.corpus import CONCENTRATION, CorpusText, Errors, read_corpus
from cato_lab.emulator.deltas import Delta, deltas
from cato_lab.emulator.engine import draws, sampled
from cato_lab.emulator.text import EmittedToken
from cato_lab.emulator.tokenizer import Tokenizer
from cato_lsp.backend.streams import Head

WAY_S = 0.004
"""From the client to the replica and back, through the gateway."""
BLOCK = 16
_BEHAVIOUR = Behaviour()


class Reply:
    """One answer, as a language server's client streams it."""

    def __init__(self, sequences: list[Iterator[Delta]], new_tokens: int) -> None:
        self.head = Head(load=0.0)
        self.done = False
        self.new_tokens = new_tokens
        """Of the prompt, that are computed in the first step."""
        self.running = dict(enumerate(sequences))
        self.lines: list[Line] = []
        """By the index of the choice."""
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()

    def put(self, choices: list[dict[str, Any]]) -> None:
        """The tokens of one step."""
        data = json.dumps({"choices": choices})
        self._events.put_nowait(Event(MESSAGE, data, b""))

    def end(self) -> None:
        """All has been said."""
        self.done = True
        self.running.clear()
        self._events.put_nowait(None)

    def cancel(self, _reason: CancelReason) -> None:
        """The client has left."""
        self.running.clear()
        self._events.put_nowait(None)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        event = await self._events.get()
        if event is None:
            raise StopAsyncIteration
        return event


@dataclass(slots=True)
class Replica:
    """Computes in steps; each takes `step_s`, and something for each new token."""

    source: CorpusText
    tells: bool
    step_s: float
    counts: Counts = field(default_factory=Counts)
    spending: Spending = field(default_factory=Spending)
    replies: list[Reply] = field(default_factory=list)
    cached: set[int] = field(default_factory=set)
    numbers: Iterator[int] = field(default_factory=count)
    tokenizer: Tokenizer = field(default_factory=Tokenizer)
    working: asyncio.Task[None] | None = None

    def answer(self, body: Mapping[str, Any]) -> Reply:
        """Begins to answer a completion."""
        text = _infill(body["prompt"], body.get("suffix", ""))
        asked = {**body, "prompt": text, "suffix": None, "model": _BEHAVIOUR.model}
        number = str(next(self.numbers))
        call = parse_call(asked, _BEHAVIOUR, self.tokenizer, chat=False, request_id=number)
        prompt = call.prompts[0]
        reply = Reply([self._sequence(call, prompt, i) for i in range(call.n)], self._new(prompt))
        truth, offset = self.source.truth(prompt) or ("", 0)
        reply.lines = [Line(truth, offset, call.n > 1) for _ in range(call.n)]
        self.counts.requests += 1
        self.counts.prompt_tokens += len(prompt)
        self.counts.cached_tokens += len(prompt) - reply.new_tokens
        asyncio.get_running_loop().call_later(WAY_S, self._begin, reply)
        return reply

    def said(self, before: str, behind: str) -> Iterator[EmittedToken]:
        """All that the model says between two texts, which takes no time."""
        return self.source(self.tokenizer.encode(_infill(before, behind)))

    def _sequence(self, call: Call, prompt: list[int], index: int) -> Iterator[Delta]:
        said = sampled(self.source(prompt), call.temperature, draws(call, index))
        return deltas(said, call, self.tokenizer)

    def _new(self, prompt: list[int]) -> int:
        """How many tokens of a prompt are not in the cache; from now on all are."""
        known, digest, unbroken = 0, 0, True
        for start in range(0, len(prompt) - len(prompt) % BLOCK, BLOCK):
            digest = hash((digest, *prompt[start : start + BLOCK]))
            unbroken = unbroken and digest in self.cached
            known += BLOCK * unbroken
            self.cached.add(digest)
        return len(prompt) - min(known, len(prompt) - 1)

    def _begin(self, reply: Reply) -> None:
        self.replies.append(reply)
        if self.working is None or self.working.done():
            self.working = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self.replies:
            served = [reply for reply in self.replies if reply.running]
            new = sum(reply.new_tokens or len(reply.running) for reply in served)
            lasts_s = self.step_s + new * TOKEN_S
            self.counts.busy_s += lasts_s
            self.counts.generated_tokens += sum(len(reply.running) for reply in served)
            await asyncio.sleep(lasts_s)
            each_s = self.step_s / max(sum(len(reply.running) for reply in served), 1)
            for reply in served:
                self._step(reply, each_s)
            self.replies = [reply for reply in self.replies if reply.running]

    def _step(self, reply: Reply, each_s: float) -> None:
        self.spending.prompt(reply.new_tokens * TOKEN_S)
        reply.new_tokens = 0
        choices: list[dict[str, Any]] = []
        for index, sequence in tuple(reply.running.items()):
            delta = next(sequence)
            text = self.tokenizer.decode(delta.token_ids, skip_special_tokens=True)
            self.spending.token(reply.lines[index], text, each_s + TOKEN_S)
            told = {
                "tokens": [text],
                "token_logprobs": delta.logprobs,
            }
            choices.append({
                "index": index,
                "text": delta.text,
                "finish_reason": delta.finish_reason,
                "logprobs": told if self.tells else None,
            })  # fmt: skip
            if delta.finish_reason is not None:
                del reply.running[index]
        if choices:
            reply.put(choices)
            if not reply.running:
                reply.end()


def _infill(before: str, behind: str) -> str:
    return f"<|fim_prefix|>{before}<|fim_suffix|>{behind}<|fim_middle|>"


class Fleet:
    """Replicas; each document has one of them."""

    def __init__(self, model: Model, replicas: int, seed: int) -> None:
        is_drawn = model.confidence in {"calibrated", "hidden"}
        errors = Errors(model.error_rate, seed, CONCENTRATION if is_drawn else None)
        source = CorpusText(read_corpus(model.corpus), errors)
        tells = model.confidence not in {"hidden", "none"}
        self._replicas = [Replica(source, tells, model.step_s) for _ in range(replicas)]

    def of(self, number: int) -> Replica:
        """That of one developer."""
        return self._replicas[number % len(self._replicas)]

    def spending(self) -> Spending:
        """The sums over all of them."""
        total = Spending()
        for replica in self._replicas:
            total.add(replica.spending)
        return total

    def counts(self) -> Counts:
        """The sums over all of them."""
        total = Counts()
        for replica in self._replicas:
            total.add(replica.counts)
        return total


class PlainHttp:
    """Posts to a replica, as far as a plain client uses it."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    def post(self, _url: str, json: Mapping[str, Any]) -> PlainResponse:
        """Begins to answer."""
        return PlainResponse(self._replica.answer(json))


class PlainResponse:
    """The lines of a streamed response."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    @property
    def content(self) -> AsyncIterator[bytes]:
        """The lines."""
        return self._lines()

    async def _lines(self) -> AsyncIterator[bytes]:
        async for event in self._reply:
            yield f"data: {event.data}".encode()

    async def __aenter__(self) -> PlainResponse:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reply.cancel(CancelReason.CLOSED)
