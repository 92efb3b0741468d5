"""CATO's own policy (DESIGN 5.3)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from cato_backend.requests import Request
from cato_backend.scheduling.limits import LongPromptLimits
from cato_backend.scheduling.policies.base import Hold, Place, Policy, Verdict
from cato_backend.scheduling.policies.cato.book import Book
from cato_backend.scheduling.policies.cato.hopeless import Hopeless
from cato_backend.scheduling.policies.cato.judge import Choice, Judge
from cato_backend.scheduling.policies.cato.lengths import Lengths, Truth
from cato_backend.scheduling.policies.cato.long_prompts import LongPrompts
from cato_backend.scheduling.policies.cato.options import CatoOptions
from cato_backend.scheduling.policies.cato.order import Order, is_typed
from cato_backend.scheduling.policies.cato.roster import Roster
from cato_backend.scheduling.policies.cato.standing import Standing
from cato_backend.scheduling.queue import Key, Waiting
from cato_backend.scheduling.replica import Attempt, Ending, ReplicaView
from cato_backend.scheduling.view import FleetView

_MOST_KEPT = 8
"""Requests compared in one look that are then kept: those behind them can wait for the next."""

_PATIENCE_S = 20.0
"""After this long, what is relegated takes any free slot: answers without end that hold more than
the spare slots must not keep it waiting until it is dropped. Not in overload, where that costs the
requests whose targets can still be met (8 points of goodput in two minutes at 32/s)."""
_FEW = 4
"""Relegated requests for one model, up to which it is not overloaded."""

_NEXT_LOOK_S = 0.001
"""What has just proved hopeless is looked at again when those behind it have had their turn."""


class Cato(Policy):
    """One central queue, late binding, and the replica with the least expected loss of goodput."""

    def __init__(
        self,
        options: CatoOptions | None = None,
        truth: Truth | None = None,
        long_prompts: LongPromptLimits | None = None,
    ) -> None:
        self._options = options or CatoOptions()
        self._limits = long_prompts or LongPromptLimits()
        self._long_prompts = LongPrompts(self._limits)
        self._lengths = Lengths(truth)
        self._order = Order(self._options, self._lengths)
        self._judge = Judge(self._options, self._lengths)
        self._rosters = defaultdict[str, Roster](lambda: Roster(self._options))
        self._kept = 0
        self._standing: dict[str, Standing] = {}

    # -- what happens --------------------------------------------------------------------------

    def replica_up(self, replica: ReplicaView, fleet: FleetView) -> None:
        """A book is opened for it."""
        self._standing.clear()
        self._rosters[replica.model].add(Book(replica, self._limits))

    def replica_down(self, replica_id: str, fleet: FleetView) -> None:
        """Its book is closed."""
        self._standing.clear()
        for roster in self._rosters.values():
            if replica_id in roster:
                roster.remove(replica_id)

    def opened(self, attempt: Attempt, fleet: FleetView) -> None:
        """The replica has more to do."""
        self._order.enter(attempt.request)
        roster, book = self._book(attempt)
        book.opened(attempt, fleet.now)
        roster.changed(book)
        roster.hopeless.loaded(book)

    def progressed(self, attempt: Attempt, tokens: int, fleet: FleetView) -> bool:
        """The replica has a prompt less to compute."""
        if not super().progressed(attempt, tokens, fleet):
            return False
        roster, book = self._book(attempt)
        book.begun(attempt, fleet.now)
        self._freed(book, roster)
        roster.learn_pace(book, fleet.now)
        return True

    def closed(self, attempt: Attempt, ending: Ending, fleet: FleetView) -> None:
        """The replica has less to do; the length is learned from."""
        self._order.leave(attempt.request)
        roster, book = self._book(attempt)
        book.closed(attempt, fleet.now)
        self._freed(book, roster)
        self._lengths.observe(attempt, ending)
        self._lengths.forget(attempt.request)

    def _freed(self, book: Book, roster: Roster) -> None:
        roster.changed(book)
        if roster.hopeless:
            roster.hopeless.freed(book, idle=roster.slots.is_idle(book))

    def withdrawn(self, waiting: Waiting, fleet: FleetView) -> None:
        """Nothing is left of it."""
        self._gone(waiting.request)
        self._lengths.forget(waiting.request)

    def _book(self, attempt: Attempt) -> tuple[Roster, Book]:
        roster = self._rosters[attempt.request.model]
        return roster, roster.book(attempt.replica_id)

    # -- the queue -----------------------------------------------------------------------------

    def key(self, waiting: Waiting, fleet: FleetView) -> Key:
        """Its place among those that can be met."""
        roster = self._rosters[waiting.request.model]
        roster.slots.enter(waiting.request.task)
        self._order.enter(waiting.request)
        return self._order.key(waiting, roster.pace)

    def looking(self, model: str, fleet: FleetView) -> Iterable[str]:
        """Nothing has been kept in this look."""
        self._kept = 0
        roster = self._rosters[model]
        roster.begin_look()
        self._long_prompts.begin_look()
        return roster.hopeless.take_woken(fleet.now)

    def place(
        self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView
    ) -> Verdict:
        """The best replica, if it is ready for more; else the request waits for it."""
        roster = self._rosters[waiting.request.model]
        enough = self._kept >= _MOST_KEPT
        if enough or self._binds_late(waiting.request):
            ready_at = roster.first_free()
            if enough or ready_at > fleet.now:
                return Hold(until=ready_at, rest=True)
        if roster.slots.is_missing(waiting.request.task):
            return Hold(rest=roster.slots.all_missing)
        standing = self._standing.get(waiting.request.id)
        if standing is not None and standing.holds(roster, fleet.now):
            return self._keep(standing, roster)
        held = fleet.prefix_holders(waiting.request) if self._options.prefix else {}
        books: Sequence[Book] = roster.candidates(candidates, held)
        if self._options.long_prompts:
            books = self._long_prompts.open_to(waiting.request, books, held, roster, fleet.now)
            if not books:
                return Hold(until=self._long_prompts.patient_until(waiting.request))
        until = _waits_until(waiting.request, roster)
        if until > fleet.now and not any(map(roster.slots.is_idle, books)):
            return Hold(until=until if until < math.inf else None, rest=True)
        best = self._best(waiting, books, held, roster, fleet.now)
        if best is None:
            roster.slots.note_missing(waiting.request.task)
            return Hold(rest=roster.slots.all_missing)
        return self._bind(waiting, best, books, roster, fleet.now)

    def _binds_late(self, request: Request) -> bool:
        at_once = self._options.typing and is_typed(request)
        return self._options.late_binding and not at_once

    def _best(
        self,
        waiting: Waiting,
        books: Sequence[Book],
        held: Mapping[str, int],
        roster: Roster,
        now: float,
    ) -> Choice | None:
        choices = [
            self._judge.choice(
                waiting,
                book,
                held.get(book.view.replica_id, 0),
                roster.kept_s(book),
                roster.pace,
                now,
            )
            for book in books
            if roster.slots.has_free(book, waiting.request)
        ]
        best = self._judge.best(choices, now)
        if best is None or not self._takes_any_empty(waiting.request, best, roster, now):
            return best
        return self._judge.best((c for c in choices if not c.book.view.running), now) or best

    def _takes_any_empty(self, request: Request, best: Choice, roster: Roster, now: float) -> bool:
        """Not to wait beside a replica with nothing to do. What is typed rather waits for the one
        that holds its document: the next key comes before."""
        if request.id not in roster.hopeless or is_typed(request):
            return False
        return self._order.is_relegated(request, best.chance, now)

    def _bind(
        self, waiting: Waiting, best: Choice, books: Sequence[Book], roster: Roster, now: float
    ) -> Verdict:
        request, book = waiting.request, best.book
        # An overdue replica may hang: requests are neither held for it nor relegated because of it.
        overdue = book.is_overdue(now)
        relegated = not overdue and self._order.is_relegated(request, best.chance, now)
        if relegated and not _may_run_hopeless(request, book, roster, now):
            return self._relegate(request, best, books, roster.hopeless, now)
        ahead_s = roster.kept_s(book)
        spare_s = self._options.outstanding_steps * book.unit_s + book.typed_s
        held = self._binds_late(request) and not overdue
        if held and best.starts_at + ahead_s - now > spare_s:
            until = book.free_at - spare_s
            standing = Standing(best, until, books, roster.changes, ahead_s)
            self._standing[request.id] = standing
            return self._keep(standing, roster)
        priority = self._order.priority(request, book.pace(now), relegated=relegated)
        self._gone(request)
        return Place(book.view.replica_id, priority, relegated)

    def _keep(self, standing: Standing, roster: Roster) -> Hold:
        self._kept += 1
        roster.keep(standing.best.book, standing.best.prefill_s)
        return Hold(until=standing.until)

    def _relegate(
        self,
        request: Request,
        best: Choice,
        books: Sequence[Book],
        hopeless: Hopeless,
        now: float,
    ) -> Hold:
        self._standing.pop(request.id, None)
        key = self._order.relegated(request)
        if request.id in hopeless:
            until = hopeless.park(request.id, best.book, books, now)
            return Hold(until, key, asleep=True)
        hopeless.add(request.id)
        return Hold(until=now + _NEXT_LOOK_S, key=key)

    def _gone(self, request: Request) -> None:
        """It is no longer queued."""
        self._order.leave(request)
        self._standing.pop(request.id, None)
        roster = self._rosters[request.model]
        roster.hopeless.discard(request.id)
        roster.slots.leave(request.task)


def _waits_until(request: Request, roster: Roster) -> float:
    """Until then the request runs only where a replica has slots to spare."""
    if request.warm:
        return math.inf
    return _patient_until(request, roster) if request.id in roster.hopeless else -math.inf


def _patient_until(request: Request, roster: Roster) -> float:
    return request.arrival + _PATIENCE_S if len(roster.hopeless) <= _FEW else math.inf


def _may_run_hopeless(request: Request, book: Book, roster: Roster, now: float) -> bool:
    """Only on a replica with nothing to prefill, after those that can be met had their turn."""
    has_waited = now >= _patient_until(request, roster) and not book.queued
    if not has_waited and not roster.slots.is_idle(book):
        return False
    return request.id in roster.hopeless or roster.slots.queued - len(roster.hopeless) == 1
