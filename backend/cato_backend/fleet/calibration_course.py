"""Sends the probes of one calibration to a replica, and their events to the scheduler."""

from __future__ import annotations

import asyncio
import random
import secrets
from itertools import islice

from cato_backend.prediction.calibration import LONGEST_S, Calibration, Probe, ProbeBounds
from cato_backend.prediction.online import CharsPerToken
from cato_backend.requests import Request, Target
from cato_backend.runtime.answer import Relayed
from cato_backend.runtime.attempt import Attempts
from cato_backend.runtime.calls import ApiKind, Call
from cato_backend.runtime.chunks import AttemptBroken
from cato_backend.runtime.facts import Endpoint, ModelFacts, UpstreamRoute
from cato_backend.runtime.in_flight import InFlightRequest
from cato_backend.runtime.members import LAST_PRIORITY
from cato_backend.runtime.runtime import Runtime
from cato_backend.scheduling import ProbeEnded, ProbeProgressed, ProbeSent
from cato_backend.wire.headers import Task

_WORDS = (
    "value", "index", "count", "name", "list", "data", "item", "result", "total", "size", "key",
    "node", "path", "file", "line", "text", "table", "field", "state", "event", "time", "user",
    "group", "order", "level", "point", "start", "end", "left", "right", "first", "last",
)  # fmt: skip
_WORDS_A_LINE = 8
_UNKNOWN_CONTEXT = 2048
"""Tokens, where a server does not tell its context."""


class ProbeTexts:
    """Prompts of one calibration. `salt` makes them differ from those of any other."""

    def __init__(self, salt: str) -> None:
        self._salt = salt

    def text(self, prompt: int, chars: int) -> str:
        """Return the first `chars` characters of prompt number `prompt`.

        Longer ones begin alike.
        """
        dice = random.Random(f"{self._salt} {prompt}")
        pieces: list[str] = []
        length = 0
        while length < chars:
            words = islice(iter(lambda: dice.choice(_WORDS), None), _WORDS_A_LINE)
            pieces.append(" ".join(words) + "\n")
            length += len(pieces[-1])
        return "".join(pieces)[:chars]


class Course:
    """The probes of one replica."""

    def __init__(
        self, runtime: Runtime, attempts: Attempts, endpoint: Endpoint, model: str
    ) -> None:
        self._runtime = runtime
        self._attempts = attempts
        self._endpoint = endpoint
        self._model = model
        self._run_id = secrets.token_hex(6)
        self._texts = ProbeTexts(self._run_id)
        self._chars_per_token = CharsPerToken().mean

    def bounds(self) -> ProbeBounds:
        """Return what bounds the probes."""
        load = self._runtime.replica(self._endpoint.replica_id)
        if load is None:
            raise AttemptBroken("it is gone")
        context = self._endpoint.max_model_len or _UNKNOWN_CONTEXT
        return ProbeBounds(load.learned.limits, max(1, context // 2), load.max_running)

    async def round(self, calibration: Calibration) -> bool:
        """Send the next probes, and return when they have ended; False where there are none.

        Raises AttemptBroken, RequestError.
        """
        load = self._runtime.replica(self._endpoint.replica_id)
        if load is None:
            return False
        probes = calibration.next_round(load.learned.belief, self._runtime.clock())
        alone, begun = sum(not probe.beside for probe in probes) == 1, asyncio.Event()
        runs = [self._run(probe, calibration, begun, alone=alone) for probe in probes]
        tasks = [asyncio.create_task(run) for run in runs]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return bool(probes)

    async def _run(
        self, probe: Probe, calibration: Calibration, begun: asyncio.Event, *, alone: bool
    ) -> None:
        """`begun`: set with the first token of the round."""
        if probe.beside:
            await begun.wait()
        alone = alone and not probe.beside
        replica_id, sent_at = self._endpoint.replica_id, self._runtime.clock()
        uncached = probe.prompt_tokens - probe.known_tokens
        self._runtime.probe(ProbeSent(replica_id, probe.name, uncached, probe.known_tokens, alone))
        flight = InFlightRequest(self._call(probe))
        outlet = _Outlet(self._runtime, replica_id, probe, calibration, sent_at, begun)
        try:
            await self._attempts.run(flight, self._leg(), outlet)
        finally:
            begun.set()
            self._runtime.probe(ProbeEnded(replica_id, probe.name))
        counted = flight.answer.prompt_tokens
        if counted:
            self._chars_per_token = len(flight.call.body["prompt"]) / counted

    def _leg(self) -> UpstreamRoute:
        facts = ModelFacts(self._model, self._endpoint.max_model_len)
        # A ratio of its own: these words are not the code that prompts are made of.
        return UpstreamRoute(self._endpoint, facts, CharsPerToken(), LAST_PRIORITY)

    def _call(self, probe: Probe) -> Call:
        chars = round(probe.prompt_tokens * self._chars_per_token)
        body = {
            "prompt": self._texts.text(probe.prompt, max(1, chars)),
            "max_tokens": probe.output_tokens,
            "temperature": 0,
            "stream": True,
        }
        if self._endpoint.speaks_vllm:
            body["ignore_eos"] = True
        request = Request(
            id=f"calibration-{self._run_id}-{probe.name}",
            task=Task.COMPLETION,
            model=self._model,
            arrival=self._runtime.clock(),
            target=Target(ttft_s=LONGEST_S),
            prompt_tokens=probe.prompt_tokens,
            max_tokens=probe.output_tokens,
            warm=True,
        )
        return Call(request, ApiKind.COMPLETION, body)


class _Outlet:
    """Reports a probe's tokens to the scheduler; drops their text."""

    def __init__(
        self,
        runtime: Runtime,
        replica_id: str,
        probe: Probe,
        calibration: Calibration,
        sent_at: float,
        begun: asyncio.Event,
    ) -> None:
        self._runtime = runtime
        self._replica_id = replica_id
        self._probe = probe
        self._calibration = calibration
        self._sent_at = sent_at
        self._begun = begun
        self._started = False

    def take(self, relayed: Relayed) -> bool:
        """Record tokens that came, and return whether they were those of a probe."""
        if relayed.tokens and not self._started:
            self._started = True
            self._begun.set()
            self._first(relayed.tokens, relayed.prompt_tokens)
        elif relayed.tokens:
            name = self._probe.name
            self._runtime.probe(ProbeProgressed(self._replica_id, name, relayed.tokens))
        return True

    async def settle(self) -> None:
        """Nothing is held."""

    def _first(self, tokens: int, prompt_tokens: int | None) -> None:
        probe = self._probe
        took_s = self._runtime.clock() - self._sent_at
        cached = self._calibration.cached_tokens(probe, took_s)
        if cached is None:  # Its further tokens are of a probe that the scheduler does not know.
            self._runtime.probe(ProbeEnded(self._replica_id, probe.name))
            return
        uncached = max(1, (prompt_tokens or probe.prompt_tokens) - cached)
        event = ProbeProgressed(self._replica_id, probe.name, tokens, uncached, cached)
        self._runtime.probe(event)
