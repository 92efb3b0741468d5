"""Reports ejected replicas to people and Prometheus, and tests those that hang with one token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import orjson

from cato_backend.http1.connections import BadReply
from cato_backend.http1.upstreams import Upstreams
from cato_backend.metrics import Metrics
from cato_backend.runtime.calls import ApiKind
from cato_backend.runtime.facts import Endpoint
from cato_backend.runtime.runtime import Runtime
from cato_backend.scheduling import (
    Abort,
    Decision,
    Eject,
    Event,
    Reason,
    Reinstate,
    ReplicaDown,
    ReplicaUp,
    SyntheticTrial,
)

_WHY = {
    Reason.FAILURES: "attempts on it failed, one after the other",
    Reason.OVERDUE: "it takes requests and does not begin to answer them",
    Reason.BUSY: "it refused a request for want of room",
}
_FIRST = -(2**31)
"""An engine's priority before every other."""
_BODIES: Mapping[ApiKind, Mapping[str, object]] = {
    ApiKind.COMPLETION: {"prompt": "#", "max_tokens": 1},
    ApiKind.CHAT: {"messages": [{"role": "user", "content": "#"}], "max_tokens": 1},
}


class Ejections:
    """A `Watcher` of the runtime. `on_note` gets a replica's id and a text."""

    def __init__(self, metrics: Metrics, on_note: Callable[[str, str], None]) -> None:
        self._metrics = metrics
        self._on_note = on_note
        self._said: dict[str, Reason] = {}

    def note(self, event: Event, decisions: Sequence[Decision], now: float) -> None:
        """One event, and what was decided on it."""
        if isinstance(event, ReplicaUp):
            self._metrics.ejected.labels(event.replica_id).set(0)
        elif isinstance(event, ReplicaDown):
            self._forget(event.replica_id)
        for decision in decisions:
            if isinstance(decision, Eject):
                self._ejected(decision, _moved(decisions))
            elif isinstance(decision, Reinstate):
                self._reinstated(decision.replica_id)
            elif isinstance(decision, Abort) and decision.moved:
                self._metrics.attempts_moved.inc()

    def _ejected(self, decision: Eject, moved: int) -> None:
        replica_id, reason, rest_s, _ = decision
        self._metrics.ejections.labels(replica_id, reason).inc()
        self._metrics.ejected.labels(replica_id).set(1)
        if reason is Reason.BUSY and self._said.get(replica_id) is reason:
            return  # It may say so every second.
        self._said[replica_id] = reason
        what = f"; attempts moved: {moved}" if moved else ""
        how_long = (
            "until it answers a synthetic request"
            if reason is Reason.OVERDUE
            else f"for {rest_s:g} s"
        )
        self._on_note(replica_id, f"ejected {how_long}: {_WHY[reason]}{what}")

    def _reinstated(self, replica_id: str) -> None:
        self._metrics.ejected.labels(replica_id).set(0)
        self._said.pop(replica_id, None)
        self._on_note(replica_id, "back in service")

    def _forget(self, replica_id: str) -> None:
        self._said.pop(replica_id, None)
        self._metrics.ejected.labels(replica_id).set(0)


def _moved(decisions: Sequence[Decision]) -> int:
    return sum(isinstance(decision, Abort) and decision.moved for decision in decisions)


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
        """End all trials."""
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
        """Return whether a token comes. A server may know only one of the two calls."""
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
