"""Calibrates replicas that come up, while they are idle: what their law is, by a few probes.

Probes have the lowest priority, take no slot, and are broken off as soon as the scheduler sends a
request to their replica. They count in no metric of tasks.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence

import aiohttp

from cato_backend.errors import RequestError
from cato_backend.prediction.calibration import LONGEST_S, Calibration, Probe, Subject
from cato_backend.prediction.ratio import CharsPerToken
from cato_backend.requests import Request, Target
from cato_backend.runtime.answer import Relayed
from cato_backend.runtime.attempt import Attempts
from cato_backend.runtime.calls import Call, Kind
from cato_backend.runtime.chunks import AttemptBroken
from cato_backend.runtime.facts import Endpoint, Leg
from cato_backend.runtime.flight import Flight
from cato_backend.runtime.probe_text import ProbeTexts
from cato_backend.runtime.runtime import LAST_PRIORITY, Runtime
from cato_backend.runtime.scrape import engine_load
from cato_backend.scheduling import (
    Decision,
    Dispatch,
    Event,
    ProbeEnded,
    ProbeProgressed,
    ProbeSent,
    ReplicaDown,
    ReplicaDraining,
    ReplicaUp,
)
from cato_backend.wire.headers import Task

log = logging.getLogger(__name__)

_LOOK_AGAIN_S = 5.0
"""Between two looks at a replica that other clients use."""
_SETTLES_S = 0.05
"""Until an engine's own count no longer shows a request that has ended."""
_UNKNOWN_CONTEXT = 2048
"""Tokens, where a server does not tell its context."""


class Calibrator:
    """Watches the scheduler: `note` is told every event and what was decided on it."""

    def __init__(
        self,
        runtime: Runtime,
        attempts: Attempts,
        session: aiohttp.ClientSession,
        on_note: Callable[[str, str], None],
    ) -> None:
        self._runtime = runtime
        self._attempts = attempts
        self._session = session
        self._on_note = on_note
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def note(self, event: Event, decisions: Sequence[Decision], now: float) -> None:
        """A replica that comes up is calibrated; one that is sent a request no longer."""
        del now
        match event:
            case ReplicaUp(replica_id):
                self._begin(replica_id)
            case ReplicaDown(replica_id) | ReplicaDraining(replica_id):
                self._end(replica_id)
            case _:
                pass
        for decision in decisions if self._tasks else ():
            if isinstance(decision, Dispatch):
                self._end(decision.replica_id)

    async def close(self) -> None:
        """Breaks all of them off."""
        tasks = list(self._tasks.values())
        for replica_id in list(self._tasks):
            self._end(replica_id)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, replica_id: str) -> None:
        self._end(replica_id)
        task = asyncio.create_task(self._calibrate(replica_id))
        self._tasks[replica_id] = task
        task.add_done_callback(lambda done: self._forget(replica_id, done))

    def _end(self, replica_id: str) -> None:
        task = self._tasks.pop(replica_id, None)
        if task is not None:
            task.cancel()

    def _forget(self, replica_id: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(replica_id) is done:
            del self._tasks[replica_id]

    async def _calibrate(self, replica_id: str) -> None:
        endpoint = self._runtime.endpoint(replica_id)
        load = self._runtime.replica(replica_id)
        if endpoint is None or load is None or load.running:
            return
        course = _Course(self._runtime, self._attempts, endpoint, load.model)
        await self._alone(endpoint)
        began = self._runtime.clock()
        calibration = Calibration(course.subject(), began)
        try:
            async with asyncio.timeout(LONGEST_S):
                while await course.round(calibration):
                    if await self._others_run(endpoint):
                        break
        except (AttemptBroken, RequestError) as error:
            log.info("calibration of %s ended: %s", replica_id, error)
        except TimeoutError:
            log.debug("calibration of %s took all of its time", replica_id)
        self._tell(replica_id, self._runtime.clock() - began)

    async def _alone(self, endpoint: Endpoint) -> None:
        """Returns when the engine runs nothing."""
        while True:
            if not await self._others_run(endpoint):
                return
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _others_run(self, endpoint: Endpoint) -> bool:
        """Whether the engine says so while nothing of ours runs there, twice."""
        if not endpoint.speaks_vllm:
            return False
        for _ in range(2):
            if not (await engine_load(self._session, endpoint)).requests:
                return False
            await asyncio.sleep(_SETTLES_S)
        return True

    def _tell(self, replica_id: str, seconds: float) -> None:
        load = self._runtime.replica(replica_id)
        if load is None or not load.learned.windows:
            return
        belief = load.learned.belief
        step_s, prompt_s = belief.law.seconds(1, 1, 500), belief.law.seconds(1000, 1, 1000, 5e5)
        self._on_note(
            replica_id,
            f"calibrated in {seconds:.1f} s: {1e3 * step_s:.1f} ms a token alone, "
            f"{1e3 * prompt_s:.0f} ms for 1,000 prompt tokens (± {belief.spread:.0%})",
        )


class _Course:
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

    def subject(self) -> Subject:
        """What bounds the probes."""
        load = self._runtime.replica(self._endpoint.replica_id)
        if load is None:
            raise AttemptBroken("it is gone")
        context = self._runtime.catalog.facts(self._model).max_model_len or _UNKNOWN_CONTEXT
        return Subject(load.learned.limits, max(1, context // 2), load.max_running)

    async def round(self, calibration: Calibration) -> bool:
        """Sends the next probes, and returns when they have ended; False where there are none.

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
        flight = Flight(self._call(probe))
        outlet = _Outlet(self._runtime, replica_id, probe, calibration, sent_at, begun)
        try:
            await self._attempts.run(flight, self._leg(), outlet)
        finally:
            begun.set()
            self._runtime.probe(ProbeEnded(replica_id, probe.name))
        counted = flight.answer.prompt_tokens
        if counted:
            self._chars_per_token = len(flight.call.body["prompt"]) / counted

    def _leg(self) -> Leg:
        facts = self._runtime.catalog.facts(self._model)
        # A ratio of its own: these words are not the code that prompts are made of.
        return Leg(self._endpoint, facts, CharsPerToken(), LAST_PRIORITY)

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
        return Call(request, Kind.COMPLETION, body)


class _Outlet:
    """Tells the scheduler of a probe's tokens; the text is dropped."""

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
        """Tokens came."""
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
