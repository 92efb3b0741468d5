"""CATO's own policy (docs/decisions/011)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from cato_backend.requests import Request
from cato_backend.scheduling.attempt import Attempt, Ending
from cato_backend.scheduling.limits import LongPromptLimits
from cato_backend.scheduling.policies.base import FleetView, Hold, Place, Policy, Verdict
from cato_backend.scheduling.policies.cato.deferral import (
    LongPrompts,
    may_run_relegated,
    until_idle,
)
from cato_backend.scheduling.policies.cato.judge import CachedHold, Choice, Judge
from cato_backend.scheduling.policies.cato.lengths import Lengths, TrueLengths
from cato_backend.scheduling.policies.cato.options import CatoOptions
from cato_backend.scheduling.policies.cato.order import Order, is_typed
from cato_backend.scheduling.policies.cato.replica_model import ReplicaModel
from cato_backend.scheduling.policies.cato.replica_pool import ReplicaPool
from cato_backend.scheduling.queue import Key, Waiting
from cato_backend.scheduling.replica import ReplicaView

_MOST_KEPT = 8
"""Requests compared in one look that are then kept: those behind them can wait for the next."""

_NEXT_LOOK_S = 0.001
"""A request that was just relegated is looked at again after those behind it in the queue."""


class Cato(Policy):
    """One central queue, late binding, and the replica with the least expected loss of goodput."""

    def __init__(
        self,
        options: CatoOptions | None = None,
        truth: TrueLengths | None = None,
        long_prompts: LongPromptLimits | None = None,
    ) -> None:
        self._options = options or CatoOptions()
        self._limits = long_prompts or LongPromptLimits()
        self._long_prompts = LongPrompts(self._limits)
        self._lengths = Lengths(truth)
        self._order = Order(self._options, self._lengths)
        self._judge = Judge(self._options, self._lengths)
        self._pools = defaultdict[str, ReplicaPool](lambda: ReplicaPool(self._options))
        self._kept = 0
        self._holds: dict[str, CachedHold] = {}

    # -- what happens --------------------------------------------------------------------------

    def replica_up(self, replica: ReplicaView, fleet: FleetView) -> None:
        """Start tracking the replica."""
        self._holds.clear()
        self._pools[replica.model].add(ReplicaModel(replica, self._limits))

    def replica_down(self, replica_id: str, fleet: FleetView) -> None:
        """Stop tracking the replica."""
        self._holds.clear()
        for pool in self._pools.values():
            if replica_id in pool:
                pool.remove(replica_id)

    def opened(self, attempt: Attempt, fleet: FleetView) -> None:
        """Record that the replica has more to do."""
        self._order.enter(attempt.request)
        pool, model = self._book(attempt)
        model.opened(attempt, fleet.now)
        pool.changed(model)
        pool.relegated.loaded(model)

    def progressed(self, attempt: Attempt, tokens: int, fleet: FleetView) -> bool:
        """Record that the replica has one prompt less to compute."""
        if not super().progressed(attempt, tokens, fleet):
            return False
        pool, model = self._book(attempt)
        model.begun(attempt, fleet.now)
        self._freed(model, pool, fleet.now)
        pool.learn_pace(model, fleet.now)
        return True

    def closed(self, attempt: Attempt, ending: Ending, fleet: FleetView) -> None:
        """Record that the replica has less to do; the length is learned from."""
        self._order.leave(attempt.request)
        pool, model = self._book(attempt)
        model.closed(attempt, fleet.now)
        self._freed(model, pool, fleet.now)
        self._lengths.observe(attempt, ending)
        self._lengths.forget(attempt.request)

    def _freed(self, model: ReplicaModel, pool: ReplicaPool, now: float) -> None:
        pool.changed(model)
        if pool.relegated:
            pool.relegated.freed(model, idle=pool.is_idle(model, now))

    def withdrawn(self, waiting: Waiting, fleet: FleetView) -> None:
        """Nothing is left of it."""
        self._gone(waiting.request)
        self._lengths.forget(waiting.request)

    def _book(self, attempt: Attempt) -> tuple[ReplicaPool, ReplicaModel]:
        pool = self._pools[attempt.request.model]
        return pool, pool.model(attempt.replica_id)

    # -- the queue -----------------------------------------------------------------------------

    def key(self, waiting: Waiting, fleet: FleetView) -> Key:
        """Return its place among those that can be met."""
        pool = self._pools[waiting.request.model]
        pool.slots.enter(waiting.request.task)
        self._order.enter(waiting.request)
        pool.needs.observe(waiting.request, self._lengths.of(waiting.request))
        return self._order.key(waiting, pool.pace)

    def looking(self, model: str, fleet: FleetView) -> Iterable[str]:
        """Nothing has been kept in this look."""
        self._kept = 0
        pool = self._pools[model]
        pool.begin_look()
        self._long_prompts.begin_look()
        return pool.relegated.take_woken(fleet.now)

    def place(
        self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView
    ) -> Verdict:
        """Return the best replica, if it is ready for more; else the request waits for it."""
        pool = self._pools[waiting.request.model]
        enough = self._kept >= _MOST_KEPT
        if enough or self._binds_late(waiting.request):
            ready_at = pool.first_free()
            if enough or ready_at > fleet.now:
                return Hold(until=ready_at, rest=True)
        if pool.slots.is_missing(waiting.request.task):
            return Hold(rest=pool.slots.all_missing)
        cached = self._holds.get(waiting.request.id)
        if cached is not None and cached.holds(pool, fleet.now):
            return self._keep(cached, pool)
        held = fleet.prefix_holders(waiting.request) if self._options.prefix else {}
        models: Sequence[ReplicaModel] = pool.candidates(waiting.request, candidates, held)
        if self._options.long_prompts:
            models = self._long_prompts.open_to(waiting.request, models, held, pool, fleet.now)
            if not models:
                return Hold(until=self._long_prompts.patient_until(waiting.request))
        hold = until_idle(waiting, models, held, pool, self._order, fleet.now)
        if hold is not None:
            return hold
        best = self._best(waiting, models, held, pool, fleet.now)
        if best is None:
            pool.slots.note_missing(waiting.request.task)
            return Hold(rest=pool.slots.all_missing)
        return self._bind(waiting, best, models, held, pool, fleet.now)

    def _binds_late(self, request: Request) -> bool:
        at_once = self._options.typing and is_typed(request)
        return self._options.late_binding and not at_once

    def _best(
        self,
        waiting: Waiting,
        models: Sequence[ReplicaModel],
        held: Mapping[str, int],
        pool: ReplicaPool,
        now: float,
    ) -> Choice | None:
        choices = [
            self._judge.choice(
                waiting,
                model,
                held.get(model.view.replica_id, 0),
                pool.kept_s(model),
                pool.pace,
                now,
            )
            for model in models
            if pool.slots.has_free(model, waiting.request)
        ]
        best = self._judge.best(choices, now)
        if best is None or not self._takes_any_empty(waiting.request, best, pool, now):
            return best
        return self._judge.best((c for c in choices if not c.model.view.running), now) or best

    def _takes_any_empty(
        self, request: Request, best: Choice, pool: ReplicaPool, now: float
    ) -> bool:
        """Not to wait beside a replica with nothing to do.

        What is typed rather waits for the one that holds its document: the next key comes before.
        """
        if request.id not in pool.relegated or is_typed(request):
            return False
        return self._order.is_relegated(request, best.chance, now)

    def _bind(
        self,
        waiting: Waiting,
        best: Choice,
        models: Sequence[ReplicaModel],
        held: Mapping[str, int],
        pool: ReplicaPool,
        now: float,
    ) -> Verdict:
        request, model = waiting.request, best.model
        # An overdue replica may hang: requests are neither held for it nor relegated because of it.
        overdue = model.is_overdue(now)
        relegated = not overdue and self._order.is_relegated(request, best.chance, now)
        cached = held.get(model.view.replica_id, 0)
        if relegated and not may_run_relegated(request, model, cached, pool, now):
            return self._relegate(request, best, models, pool, now)
        ahead_s = pool.kept_s(model)
        spare_s = pool.spare_s(model)
        held_back = self._binds_late(request) and not overdue
        if held_back and best.starts_at + ahead_s - now > spare_s:
            until = model.free_at - spare_s
            hold = CachedHold(best, until, models, pool.changes, ahead_s)
            self._holds[request.id] = hold
            return self._keep(hold, pool)
        priority = self._order.priority(request, model.pace(now), relegated=relegated)
        self._gone(request)
        return Place(model.view.replica_id, priority, relegated)

    def _keep(self, hold: CachedHold, pool: ReplicaPool) -> Hold:
        self._kept += 1
        pool.keep(hold.best.model, hold.best.prefill_s)
        return Hold(until=hold.until)

    def _relegate(
        self,
        request: Request,
        best: Choice,
        models: Sequence[ReplicaModel],
        pool: ReplicaPool,
        now: float,
    ) -> Hold:
        self._holds.pop(request.id, None)
        key = self._order.relegated(request, pool.pace)
        if request.id in pool.relegated:
            until = pool.relegated.park(request.id, best.model, models, now)
            return Hold(until, key, asleep=True)
        pool.relegated.add(request.id)
        return Hold(until=now + _NEXT_LOOK_S, key=key)

    def _gone(self, request: Request) -> None:
        """Record that it is no longer queued."""
        self._order.leave(request)
        self._holds.pop(request.id, None)
        pool = self._pools[request.model]
        pool.relegated.discard(request.id)
        pool.slots.leave(request.task)
