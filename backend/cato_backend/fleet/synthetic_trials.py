"""Asks replicas that are ejected because they hang for one token, until they give it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import orjson

from cato_backend.http1.connections import BadReply
from cato_backend.http1.upstreams import Upstreams
from cato_backend.runtime.calls import ApiKind
from cato_backend.runtime.facts import Endpoint
from cato_backend.runtime.runtime import Runtime
from cato_backend.scheduling import Decision, Event, ReplicaDown, SyntheticTrial

_FIRST = -(2**31)
"""An engine's priority before every other."""
_BODIES: Mapping[ApiKind, Mapping[str, object]] = {
    ApiKind.COMPLETION: {"prompt": "#", "max_tokens": 1},
    ApiKind.CHAT: {"messages": [{"role": "user", "content": "#"}], "max_tokens": 1},
}


class SyntheticTrials:
    """A `Watcher` of the runtime. A trial ends after `silence_s`, or when the next is due."""

    def __init__(self, runtime: Runtime, upstreams: Upstreams, silence_s: float) -> None:
        self._runtime = runtime
        self._upstreams = upstreams
        self._silence_s = silence_s
        self._trials: dict[str, asyncio.Task[None]] = {}

    def note(self, event: Event, decisions: Sequence[Decision], now: float) -> None:
        """One event, and what was decided on it."""
        if isinstance(event, ReplicaDown):
            self._cancel(event.replica_id)
        for decision in decisions:
            if isinstance(decision, SyntheticTrial):
                self._cancel(decision.replica_id)
                trial = self._try(decision.replica_id)
                self._trials[decision.replica_id] = asyncio.create_task(trial)

    def close(self) -> None:
        """Ends all trials."""
        for replica_id in list(self._trials):
            self._cancel(replica_id)

    def _cancel(self, replica_id: str) -> None:
        task = self._trials.pop(replica_id, None)
        if task is not None:
            task.cancel()

    async def _try(self, replica_id: str) -> None:
        endpoint = self._runtime.members.endpoint(replica_id)
        if endpoint is None:
            return
        began = self._runtime.clock()
        try:
            answered = await self._answers(endpoint)
        except (OSError, BadReply):
            answered = False
        seconds = self._runtime.clock() - began
        self._runtime.synthetic_trial_ended(replica_id, seconds if answered else None)

    async def _answers(self, endpoint: Endpoint) -> bool:
        """Whether a token comes. A server may know only one of the two calls."""
        return await self._ask(endpoint, ApiKind.COMPLETION) or await self._ask(
            endpoint, ApiKind.CHAT
        )

    async def _ask(self, endpoint: Endpoint, kind: ApiKind) -> bool:
        body = {**_BODIES[kind], "model": endpoint.upstream_model}
        if endpoint.takes_priority:
            body["priority"] = _FIRST
        headers = {"authorization": f"Bearer {endpoint.token}"} if endpoint.token else {}
        reply = await self._upstreams.post(
            endpoint.url + kind, orjson.dumps(body), headers, self._silence_s
        )
        try:
            return reply.status == 200 and b'"choices"' in await reply.read_all()
        finally:
            reply.release()
