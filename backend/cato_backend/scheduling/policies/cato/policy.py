"""CATO's own policy (DESIGN 5.3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from cato_backend.scheduling.policies.base import Hold, Place, Policy, Verdict
from cato_backend.scheduling.policies.cato.book import Book
from cato_backend.scheduling.policies.cato.judge import Choice, Judge
from cato_backend.scheduling.policies.cato.lengths import Lengths, Truth
from cato_backend.scheduling.policies.cato.options import CatoOptions
from cato_backend.scheduling.policies.cato.order import Order
from cato_backend.scheduling.policies.cato.roster import Roster
from cato_backend.scheduling.queue import Key, Waiting
from cato_backend.scheduling.replica import Attempt, Ending, ReplicaView
from cato_backend.scheduling.view import FleetView
from cato_backend.wire.headers import Task

_MOST_LOOKS = 48
"""Requests looked at in one look that are kept: those behind them can wait for the next."""
_RESERVED = {
    Task.COMPLETION: 0.0,
    Task.GENERATION: 1 / 16,
    Task.SUMMARIZATION: 1 / 8,
    Task.TRANSLATION: 1 / 8,
}
"""Share of a replica's slots that a class leaves to those before it: a waiting request never
displaces a running one in vLLM, so that TTFT classes must always find a slot."""


class Cato(Policy):
    """One central queue, late binding, and the replica with the least expected loss of goodput."""

    def __init__(self, options: CatoOptions | None = None, truth: Truth | None = None) -> None:
        self._options = options or CatoOptions()
        self._lengths = Lengths(truth)
        self._order = Order(self._options, self._lengths)
        self._judge = Judge(self._options, self._lengths)
        self._rosters: defaultdict[str, Roster] = defaultdict(Roster)
        self._kept = 0

    # -- what happens --------------------------------------------------------------------------

    def replica_up(self, replica: ReplicaView, fleet: FleetView) -> None:
        """A book is opened for it."""
        self._rosters[replica.model].add(
            Book(replica, corrected=self._options.correction and replica.profile is None)
        )

    def replica_down(self, replica_id: str, fleet: FleetView) -> None:
        """Its book is closed."""
        for roster in self._rosters.values():
            if replica_id in roster:
                roster.remove(replica_id)

    def opened(self, attempt: Attempt, fleet: FleetView) -> None:
        """The replica has more to do."""
        self._order.enter(attempt.request)
        roster, book = self._book(attempt)
        book.opened(attempt, fleet.now)
        roster.changed(book)

    def progressed(self, attempt: Attempt, tokens: int, fleet: FleetView) -> bool:
        """A first token means that prefill is done: there may be place for the next."""
        if attempt.emitted - tokens > attempt.resumed:
            return False
        roster, book = self._book(attempt)
        book.begun(attempt, fleet.now)
        roster.changed(book)
        return True

    def closed(self, attempt: Attempt, ending: Ending, fleet: FleetView) -> None:
        """The replica has less to do; the length is learned from."""
        self._order.leave(attempt.request)
        roster, book = self._book(attempt)
        book.closed(attempt, fleet.now)
        roster.changed(book)
        self._lengths.observe(attempt, ending)
        self._lengths.forget(attempt.request)

    def withdrawn(self, waiting: Waiting, fleet: FleetView) -> None:
        """Nothing is left of it."""
        self._order.leave(waiting.request)
        self._lengths.forget(waiting.request)

    def _book(self, attempt: Attempt) -> tuple[Roster, Book]:
        roster = self._rosters[attempt.request.model]
        return roster, roster.book(attempt.replica_id)

    # -- the queue -----------------------------------------------------------------------------

    def key(self, waiting: Waiting, fleet: FleetView) -> Key:
        """Latest start time, with what has begun in front."""
        self._order.enter(waiting.request)
        return self._order.key(waiting)

    def looking(self, model: str, fleet: FleetView) -> None:
        """Nothing has been kept in this look."""
        self._kept = 0
        self._rosters[model].begin_look()

    def place(
        self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView
    ) -> Verdict:
        """The best replica, if it is ready for more; else the request waits for it."""
        roster = self._rosters[waiting.request.model]
        ready_at = roster.first_free() - self._options.outstanding_s
        late_binding = self._options.late_binding
        if self._kept >= _MOST_LOOKS or (late_binding and ready_at > fleet.now):
            return Hold(until=ready_at, rest=True)
        best = self._best(waiting, candidates, roster, fleet)
        if best is None:
            self._kept += 1
            return Hold()
        return self._bind(waiting, best, roster, fleet.now)

    def _best(
        self,
        waiting: Waiting,
        candidates: Sequence[ReplicaView],
        roster: Roster,
        fleet: FleetView,
    ) -> Choice | None:
        request = waiting.request
        held = fleet.prefix_holders(request) if self._options.prefix else {}
        choices = [
            self._judge.choice(
                waiting,
                book,
                held.get(book.view.replica_id, 0),
                roster.kept_s(book),
                fleet.now,
            )
            for book in roster.candidates(candidates, held)
            if self._has_slot(request.task, book)
        ]
        return max(choices, key=lambda choice: choice.score, default=None)

    def _has_slot(self, task: Task, book: Book) -> bool:
        slots = min(book.view.max_running, book.service.limits.max_num_seqs)
        reserved = _RESERVED[task] if self._options.class_caps else 0.0
        return book.view.running < max(1, slots - int(reserved * slots))

    def _bind(self, waiting: Waiting, best: Choice, roster: Roster, now: float) -> Verdict:
        request, book = waiting.request, best.book
        relegated = self._order.is_relegated(request, best.chance, now)
        wait_s = best.starts_at + roster.kept_s(book) - now
        if self._options.late_binding and wait_s > self._options.outstanding_s:
            self._kept += 1
            roster.keep(book, best.prefill_s)
            return Hold(until=book.free_at - self._options.outstanding_s)
        if (relegated or request.warm) and book.view.unstarted:
            self._kept += 1
            return Hold(key=None if request.warm else self._order.relegated(request))
        priority = self._order.priority(request, best.prefill_s, relegated=relegated)
        self._order.leave(request)
        return Place(book.view.replica_id, priority)
