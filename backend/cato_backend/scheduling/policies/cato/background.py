"""What runs only where a replica has time: warming, relegated requests, agents with time left."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cato_backend.requests import Request
from cato_backend.scheduling.policies.base import Hold
from cato_backend.scheduling.policies.cato.order import Order
from cato_backend.scheduling.policies.cato.replica_model import ReplicaModel
from cato_backend.scheduling.policies.cato.replica_pool import ReplicaPool
from cato_backend.scheduling.queue import Waiting

_PATIENCE_S = 20.0
"""After this long, what is relegated takes any free slot: answers without end that hold more than
the spare slots must not keep it waiting until it is dropped. Not in overload, where that costs the
requests whose targets can still be met (8 points of goodput in two minutes at 32/s)."""
_FEW = 4
"""Relegated requests for one model, up to which it is not overloaded."""


def until_idle(
    waiting: Waiting, models: Sequence[ReplicaModel], pool: ReplicaPool, order: Order, now: float
) -> Hold | None:
    """Keep what need not run now, unless one of the replicas has time for it.

    Behind what is relegated stands only more of it.
    """
    until = _waits_until(waiting.request, pool)
    if until > now:
        if any(pool.is_idle(model, now) for model in models):
            return None
        return Hold(until=until if until < math.inf else None, rest=True)
    until = order.deferred_until(waiting, pool.pace)
    if until <= now or any(pool.is_idle(model, now) for model in models):
        return None
    return Hold(until=until)


def may_run_relegated(request: Request, model: ReplicaModel, pool: ReplicaPool, now: float) -> bool:
    """Only on a replica with nothing to prefill, after those that can be met had their turn."""
    has_waited = now >= _patient_until(request, pool) and not model.queued
    if not has_waited and not pool.is_idle(model, now):
        return False
    return request.id in pool.relegated or pool.slots.queued - len(pool.relegated) == 1


def _waits_until(request: Request, pool: ReplicaPool) -> float:
    """Until then the request runs only where a replica has slots to spare."""
    if request.warm:
        return math.inf
    return _patient_until(request, pool) if request.id in pool.relegated else -math.inf


def _patient_until(request: Request, pool: ReplicaPool) -> float:
    return request.arrival + _PATIENCE_S if len(pool.relegated) <= _FEW else math.inf
