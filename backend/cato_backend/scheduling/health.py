"""The health of the replicas, inferred from the ends of their attempts."""

from __future__ import annotations

from typing import NamedTuple

from cato_backend.scheduling.attempt import Attempt
from cato_backend.scheduling.decisions import Decision
from cato_backend.scheduling.events import AttemptFailed, Cause
from cato_backend.scheduling.ledger import Ledger
from cato_backend.scheduling.limits import OutlierDetection
from cato_backend.scheduling.outlier_record import OutlierRecord
from cato_backend.scheduling.outliers import Outliers
from cato_backend.scheduling.overdue import LOOK_S, Overdue
from cato_backend.scheduling.replica import ReplicaLoad

_LATE_S = 0.1
"""A look so late comes after a pause of our own; what replicas sent meanwhile is not known yet."""
_STILL_S = 1.0
"""An answer that has begun on an overdue replica and brings nothing for this time is recalled."""


class HealthFindings(NamedTuple):
    """The results of one check of all replicas."""

    decisions: list[Decision]
    overdue: list[ReplicaLoad]
    """Attempts without a token are to leave these."""
    standstill: list[Attempt]
    """Answers that have begun and do not continue."""


class Health:
    """Passes events to outlier detection and to the check of overdue replicas, and times both."""

    def __init__(self, settings: OutlierDetection, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self.outliers = Outliers(settings, ledger)
        self._overdue = Overdue()
        self._recalled: set[str] = set()
        self.next_look: float | None = None
        """None while there is nothing to look at."""
        self._skipped = False

    # -- what happens --------------------------------------------------------------------------

    def up(self, replica: ReplicaLoad) -> None:
        """Record that a replica has come."""
        self.outliers.add(replica)

    def down(self, replica: ReplicaLoad, now: float) -> list[Decision]:
        """Record that a replica has gone."""
        self._overdue.forget(replica.replica_id)
        return self.outliers.remove(replica.replica_id, now)

    def opened(self, attempt: Attempt, now: float, *, trial: bool) -> None:
        """Record that an attempt is on its way."""
        if trial:
            self.outliers.tried(attempt.replica_id, attempt.request.id)
        if self.next_look is None and self._is_looked_at(attempt.request.model):
            self.next_look = now + LOOK_S

    def began(self, attempt: Attempt, now: float) -> list[Decision]:
        """Record an attempt's first token."""
        self._overdue.began(attempt, now)
        return self.outliers.began(attempt.replica_id, attempt.request.id, now)

    def finished(self, attempt: Attempt, now: float) -> list[Decision]:
        """Record an answer that ended properly."""
        self._overdue.heard(attempt.replica_id, now)
        return self.outliers.finished(
            attempt.replica_id, attempt.request.id, attempt.dispatched_at, now
        )

    def failed(self, attempt: Attempt, event: AttemptFailed, now: float) -> list[Decision]:
        """Record an attempt that ended without an answer."""
        replica_id, request_id = attempt.replica_id, attempt.request.id
        match event.cause:
            case Cause.ERROR:
                self._overdue.heard(replica_id, now)
                return self.outliers.failed(replica_id, request_id, now)
            case Cause.BUSY:
                self._overdue.heard(replica_id, now)
                return self.outliers.refused(replica_id, request_id, event.retry_after_s, now)
            case Cause.RECALLED:
                return self.outliers.overdue(replica_id, now)
            case Cause.NOT_SENT:
                return []

    def synthetic_trial_ended(
        self, replica_id: str, seconds: float | None, now: float
    ) -> list[Decision]:
        """Record the end of a synthetic trial after so long; None: not by a token."""
        if seconds is not None:
            self._overdue.tried(self._ledger.replica(replica_id), seconds)
        return self.outliers.synthetic_trial_ended(replica_id, well=seconds is not None, now=now)

    def closed(self, attempt: Attempt) -> None:
        """Forget an attempt that is over; its outcome has been recorded."""
        self._recalled.discard(attempt.request.id)
        self.outliers.left(attempt.replica_id, attempt.request.id)

    # -- the clock -----------------------------------------------------------------------------

    def is_look_due(self, now: float) -> bool:
        """Return whether it is time to look."""
        return self.next_look is not None and self.next_look <= now

    def look(self, now: float) -> HealthFindings:
        """Find the replicas that are overdue while others are not."""
        late = self.next_look is not None and now - self.next_look > _LATE_S
        self._skipped = late and not self._skipped
        found = HealthFindings([], [], [])
        looked_at = [model for model in self._ledger.models() if self._is_looked_at(model)]
        for model in looked_at:
            if not self._skipped:
                self._look_at(model, now, found)
        busy = any(r.running for m in looked_at for r in self._ledger.of_model(m).values())
        self.next_look = now + LOOK_S if busy else None
        return found

    def _is_looked_at(self, model: str) -> bool:
        return self._settings.overdue and len(self._ledger.of_model(model)) > 1

    def _look_at(self, model: str, now: float, found: HealthFindings) -> None:
        records = [self.outliers.record(name) for name in self._ledger.of_model(model)]
        overdue = [each for each in records if self._overdue.is_overdue(each, now)]
        if overdue and any(_is_well(each) for each in records if each not in overdue):
            for record in overdue:
                self._judge(record, now, found)
        for record in records:
            if self._overdue.stalled(record.replica, now):
                self._recall(record.replica, found)

    def _judge(self, record: OutlierRecord, now: float, found: HealthFindings) -> None:
        replica = record.replica
        found.decisions.extend(self.outliers.overdue(replica.replica_id, now))
        if record.reason is None and not replica.draining:
            return  # Too many are ejected already.
        found.overdue.append(replica)
        if self._overdue.silent_s(replica, 0.0, now) > _STILL_S:
            self._recall(replica, found)

    def _recall(self, replica: ReplicaLoad, found: HealthFindings) -> None:
        """Once for each attempt: the runtime may know better."""
        for attempt in replica.attempts.values():
            request = attempt.request
            if not attempt.silent and request.resumable and request.id not in self._recalled:
                self._recalled.add(request.id)
                found.standstill.append(attempt)


def _is_well(record: OutlierRecord) -> bool:
    return record.reason is None and not record.replica.draining
