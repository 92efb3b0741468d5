"""Requests that wait although a slot is free: long prompts, agents, warm-ups, relegated requests.

vLLM has no limit on the prompts that it computes at once. Without a threshold (see
`EngineLimits.long_prefill_token_threshold`) it computes nothing else beside one of 100,000 tokens,
for seconds; with one, each long prompt makes every step longer. So:

- A long prompt goes where most of it is cached, or to a replica that computes fewer long ones than
  it may.
- Agents leave a share of each replica's slots, and of its KV cache, to others.
- Warming, relegated requests and agents with time left run only where a replica has time.

An idle replica takes every request. Any replica takes a long prompt or an agent's turn that has
waited for `LongPromptLimits.patience_s`: no replica idles beside a queue.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cato_backend.requests import Request
from cato_backend.scheduling.limits import LongPromptLimits
from cato_backend.scheduling.policies.base import Hold
from cato_backend.scheduling.policies.cato.order import Order
from cato_backend.scheduling.policies.cato.replica_model import ReplicaModel
from cato_backend.scheduling.policies.cato.replica_pool import ReplicaPool
from cato_backend.scheduling.queue import Waiting
from cato_backend.wire.headers import Task

_COMPARABLE = 2
"""A replica is as good as the best with up to this many times its uncached tokens."""
_MOST_REFUSED = 8
"""In one look: those behind them are of the same kind, and would be refused, too."""
_RELEGATED_PATIENCE_S = 20.0
"""After this long, what is relegated takes any free slot: answers without end that hold more than
the spare slots must not keep it waiting until it is dropped. Not in overload, where that costs the
requests whose targets can still be met (8 points of goodput in two minutes at 32/s)."""
_UNNOTICED = 0.25
"""Of a replica's decode step: a prompt that takes less is computed beside others unnoticed. World
5027 of the arena, whose steps take 0.2 s, met 33.0% without it and 41.4% with it."""
_FEW_RELEGATED = 4
"""Relegated requests for one model, up to which it is not overloaded."""


class LongPrompts:
    """Narrows the replicas for one request."""

    def __init__(self, limits: LongPromptLimits) -> None:
        self._limits = limits
        self._refused = 0
        """Requests to which no replica was open in this look."""

    def begin_look(self) -> None:
        """No request has been refused in this look."""
        self._refused = 0

    def open_to(
        self,
        request: Request,
        models: Sequence[ReplicaModel],
        cached: Mapping[str, int],
        pool: ReplicaPool,
        now: float,
    ) -> Sequence[ReplicaModel]:
        """Return the replicas that may take the request; `cached`: its tokens in each cache."""
        is_agent = request.task is Task.AGENT
        is_long = any(request.prompt_tokens > model.long.bound for model in models)
        if not is_agent and not is_long:
            return models
        if now >= self.patient_until(request):
            return models
        if self._refused >= _MOST_REFUSED:
            return ()
        found = self._open(request, models, cached, pool, is_agent=is_agent)
        self._refused += not found
        return found

    def _open(
        self,
        request: Request,
        models: Sequence[ReplicaModel],
        cached: Mapping[str, int],
        pool: ReplicaPool,
        *,
        is_agent: bool,
    ) -> Sequence[ReplicaModel]:
        near = self._near(request, models, cached, pool)
        return [
            model
            for model in models
            if not model.view.running
            or (model in near and not (is_agent and self._leaves_no_share(request, model)))
        ]

    def patient_until(self, request: Request) -> float:
        """Return when every replica is open to it."""
        return request.arrival + self._limits.patience_s

    def _near(
        self,
        request: Request,
        models: Sequence[ReplicaModel],
        cached: Mapping[str, int],
        pool: ReplicaPool,
    ) -> Sequence[ReplicaModel]:
        """Return the replicas where the prompt is not long, or one more long one is computed.

        To wait for the replica that holds a prompt costs less, also for all others, than to compute
        it again.
        """
        most = self._limits.per_replica
        if not most:
            return models
        uncached = [request.prompt_tokens - cached.get(b.view.replica_id, 0) for b in models]
        pairs = list(zip(models, uncached, strict=True))
        bound = _COMPARABLE * min(uncached)
        may_block = pool.blocked < max(1.0, self._limits.replica_share * len(pool))
        return [
            model
            for model, tokens in pairs
            if tokens <= model.long.bound
            or (
                tokens <= bound
                and model.long.long < most
                and (may_block or model.long.is_blocking or not model.long.would_block)
            )
        ]

    def _leaves_no_share(self, request: Request, model: ReplicaModel) -> bool:
        """Return whether agents would have too much of the replica with this request."""
        share, view = self._limits.agent_share, model.view
        agents = view.running_by_task[Task.AGENT]
        if not agents:
            return False
        if agents + 1 > share * model.room.slots:
            return True
        room, tokens = model.room, model.agent_tokens + request.prompt_tokens
        size = room.kv_size
        return size is not None and tokens > share * size and not room.is_roomy_for(request, size)


def until_idle(
    waiting: Waiting,
    models: Sequence[ReplicaModel],
    cached: Mapping[str, int],
    pool: ReplicaPool,
    order: Order,
    now: float,
) -> Hold | None:
    """Keep what need not run now, unless one of the replicas has time for it.

    Behind what is relegated stands only more of it. Where no replica has spare slots, none of it
    can run; else a shorter prompt may still go unnoticed.
    """
    request = waiting.request
    until = _waits_until(request, pool)
    if until > now:
        spare = [model for model in models if pool.has_spare(model, now)]
        if any(_goes_unnoticed(request, m, cached.get(m.view.replica_id, 0)) for m in spare):
            return None
        pool.refused += 1
        rest = not spare or pool.refused >= _MOST_REFUSED
        return Hold(until=until if until < math.inf else None, rest=rest)
    until = order.deferred_until(waiting, pool.pace)
    if until <= now or any(pool.is_idle(model, now) for model in models):
        return None
    return Hold(until=until)


def may_run_relegated(
    request: Request, model: ReplicaModel, cached: int, pool: ReplicaPool, now: float
) -> bool:
    """Return whether the replica may run it: it has nothing to prefill, and others had their turn.

    Requests without a declared class or target are not held for an idle replica: the target that
    they missed was assumed, and their real one may be seconds longer.
    """
    if not request.declared:
        return request.id in pool.relegated
    has_waited = now >= _patient_until(request, pool) and not model.queued
    if not has_waited and not _has_time(request, model, cached, pool, now):
        return False
    return request.id in pool.relegated or pool.slots.queued - len(pool.relegated) == 1


def _has_time(
    request: Request, model: ReplicaModel, cached: int, pool: ReplicaPool, now: float
) -> bool:
    """Return whether the replica is idle, or computes the prompt beside others unnoticed."""
    return pool.has_spare(model, now) and _goes_unnoticed(request, model, cached)


def _goes_unnoticed(request: Request, model: ReplicaModel, cached: int) -> bool:
    """Return whether no other prompt is pending there, or this one takes next to nothing."""
    if not model.queued:
        return True
    work_s = model.work_s(max(1, request.prompt_tokens - cached), cached)
    return work_s <= _UNNOTICED * model.unit_s


def _waits_until(request: Request, pool: ReplicaPool) -> float:
    """Until then the request runs only where a replica has slots to spare."""
    if request.warm:
        return math.inf
    if request.id not in pool.relegated or not request.declared:
        return -math.inf
    return _patient_until(request, pool)


def _patient_until(request: Request, pool: ReplicaPool) -> float:
    return (
        request.arrival + _RELEGATED_PATIENCE_S
        if len(pool.relegated) <= _FEW_RELEGATED
        else math.inf
    )
