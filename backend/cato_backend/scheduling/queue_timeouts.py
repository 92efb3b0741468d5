"""Ends the wait of queued requests that have nothing left to wait for."""

from __future__ import annotations

import math

from cato_backend.scheduling.alarms import Alarms
from cato_backend.scheduling.decisions import Decision, Refusal, Reject
from cato_backend.scheduling.live import LiveRequests
from cato_backend.scheduling.queue import Waiting

_SHORTEST_S, _LONGEST_S = 0.1, 60.0
"""After which a client is told to come back."""


class QueueTimeouts:
    """Of queued requests: until their worth is gone, or, without a replica, their deadline."""

    def __init__(self, live: LiveRequests, alarms: Alarms) -> None:
        self._live = live
        self._outliers = live.health.outliers
        self._alarms = alarms

    def expire(self, now: float, out: list[Decision]) -> None:
        """Refuses those whose time has come."""
        for _, request_id in self._alarms.due(now):
            waiting = self._live.room.get(request_id)
            if waiting is not None:
                self._look_at(waiting, now, out)

    def refuse_without_replica(self) -> None:
        """A replica has gone or takes nothing new. Requests whose deadline passed while their model
        had a replica have nothing left to wait for if it was the last."""
        for model, queue in self._live.room.queues():
            for waiting in queue.everybody():
                if not self._live.ledger.serves_request(waiting.request, waiting.emitted):
                    self._alarms.set(waiting.gives_up, model, waiting.request.id)

    def refuse_while_busy(self, now: float, out: list[Decision]) -> None:
        """Refuses those that wait for replicas which will all refuse them until their deadline."""
        for model, queue in self._live.room.queues():
            if not queue or self._outliers.serves(model) or not self._live.ledger.serves(model):
                continue
            again_at = self._outliers.earliest_trial(model)
            for waiting in queue.everybody():
                if waiting.gives_up < again_at:
                    self._refuse(waiting, Refusal.REPLICAS_BUSY, now, out)

    def _look_at(self, waiting: Waiting, now: float, out: list[Decision]) -> None:
        served = self._live.ledger.serves_request(waiting.request, waiting.emitted)
        if waiting.expires <= now:
            self._refuse(waiting, Refusal.EXPIRED if served else Refusal.NO_REPLICA, now, out)
        elif waiting.gives_up <= now and not served:
            self._refuse(waiting, Refusal.NO_REPLICA, now, out)
        elif waiting.gives_up <= now and not self._outliers.serves(waiting.request.model):
            self._refuse(waiting, Refusal.REPLICAS_BUSY, now, out)

    def _refuse(self, waiting: Waiting, refusal: Refusal, now: float, out: list[Decision]) -> None:
        self._live.drop(waiting.request.id)
        retry_after_s = 0.0
        if refusal is Refusal.REPLICAS_BUSY:
            wait_s = self._outliers.earliest_trial(waiting.request.model) - now
            assert math.isfinite(wait_s), "none is in service, so some are ejected"
            retry_after_s = min(_LONGEST_S, max(_SHORTEST_S, wait_s))
        out.append(Reject(waiting.request.id, refusal, retry_after_s))
