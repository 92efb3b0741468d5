"""Outlier detection: which replicas get no requests for a while because of how they behave.

The terms are Envoy's: a replica that proves to be an outlier is ejected, for a time that grows with
the number of its ejections, and a share of the fleet is never ejected. When that time is over, the
replica gets one trial request at a time until one succeeds. A replica that hangs is tried with a
synthetic request instead, where it takes one: a client's request would be delayed by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from cato_backend.scheduling.decisions import Decision, Eject, Reason, Reinstate, SyntheticTrial
from cato_backend.scheduling.ledger import Ledger
from cato_backend.scheduling.limits import OutlierDetection
from cato_backend.scheduling.outlier_record import (
    EjectionLimits,
    OutlierRecord,
    begin_trial,
    end_trial,
)
from cato_backend.scheduling.replica import ReplicaLoad


class Outliers:
    """The records of all replicas. Every change of one is returned as decisions."""

    def __init__(self, settings: OutlierDetection, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._limits = EjectionLimits(settings, ledger)
        self._records: dict[str, OutlierRecord] = {}
        self._ejected: dict[str, OutlierRecord] = {}

    # -- what there is -------------------------------------------------------------------------

    def record(self, replica_id: str) -> OutlierRecord:
        """Return the record of one replica. Raises KeyError."""
        return self._records[replica_id]

    @property
    def any_ejected(self) -> bool:
        """Whether a replica is ejected: while none is, as mostly, there is nothing to try."""
        return bool(self._ejected)

    def ejected(self, model: str) -> list[OutlierRecord]:
        """Return the records of the model's replicas that are ejected and not draining."""
        return [
            record
            for record in self._ejected.values()
            if record.replica.model == model and not record.replica.draining
        ]

    def serves(self, model: str) -> bool:
        """Return whether any replica of the model is in service, though it may be full."""
        accepting = self._ledger.accepting(model)
        return accepting > 0 and (not self._ejected or accepting > len(self.ejected(model)))

    def earliest_trial(self, model: str) -> float:
        """Return when the first of the model's ejected replicas may be tried.

        Infinite without one.
        """
        return min((record.until for record in self.ejected(model)), default=math.inf)

    def next_trial(self, now: float, queued: Callable[[str], int]) -> float | None:
        """Return when the next ejected replica is to be tried.

        With a synthetic request, or with a queued one, if there is any.
        """
        times = [
            record.until
            for record in self._ejected.values()
            if record.until > now and (record.synthetic or queued(record.replica.model))
        ]
        return min(times, default=None)

    def awaiting_trial(self, model: str, now: float) -> list[OutlierRecord]:
        """Return those that may be tried now, the one that waits longest first."""
        if not self._ejected:
            return []
        ready = [
            record
            for record in self.ejected(model)
            if record.trial is None
            and not record.synthetic
            and record.until <= now
            and record.replica.running < record.replica.slots
        ]
        return sorted(ready, key=lambda record: record.until)

    # -- what happens --------------------------------------------------------------------------

    def add(self, replica: ReplicaLoad) -> None:
        """Record that a replica is up, and in service."""
        self._records[replica.replica_id] = OutlierRecord(replica)

    def remove(self, replica_id: str, now: float) -> list[Decision]:
        """Remove a replica. Others may be needed now."""
        record = self._records.pop(replica_id)
        self._ejected.pop(replica_id, None)
        return self.accept_again(record.replica.model, now)

    def accept_again(self, model: str, now: float) -> list[Decision]:
        """Reinstate those that are too many to be ejected in the fleet as it is now."""
        surplus = len(self._outliers(model)) - self._limits.most_ejected(model)
        if surplus <= 0:
            return []
        first = sorted(self._outliers(model), key=lambda record: record.until)
        return [self._reinstate(record, now) for record in first[:surplus]]

    def tried(self, replica_id: str, request_id: str) -> None:
        """Record that the request is on its way to a replica that is on trial."""
        self._records[replica_id].trial = request_id

    def began(self, replica_id: str, request_id: str, now: float) -> list[Decision]:
        """Record a first token of the replica."""
        if replica_id not in self._ejected:
            return []
        record = self._ejected[replica_id]
        by_trial = record.reason is Reason.BUSY and record.trial == request_id
        if record.reason is Reason.OVERDUE or by_trial:
            return [self._reinstate(record, now)]
        return []

    def finished(
        self, replica_id: str, request_id: str, dispatched_at: float, now: float
    ) -> list[Decision]:
        """Record the end of an answer that was dispatched at `dispatched_at`."""
        record = self._records[replica_id]
        if dispatched_at >= record.failing_since:
            record.failures = 0
        if record.reason is Reason.OVERDUE or record.trial == request_id:
            return [self._reinstate(record, now)]
        if record.reason is Reason.BUSY:
            record.until = now  # There is room again.
        return []

    def synthetic_trials(self, now: float) -> list[Decision]:
        """Return the trials of replicas that were just ejected or did not answer one in time."""
        decisions: list[Decision] = []
        for record in self._ejected.values():
            if record.synthetic and record.until <= now:
                record.ejections += 1
                record.until = now + self._limits.rest_s(record, None)
                record.synthetic_due = True
            if record.synthetic_due:
                decisions.append(self._synthetic_trial(record, now))
        return decisions

    def synthetic_trial_ended(self, replica_id: str, *, well: bool, now: float) -> list[Decision]:
        """Record the end of a synthetic trial, as it should be or not."""
        record = self._records[replica_id]
        if not record.synthetic:
            return []
        record.synthetic = False
        end_trial(record.replica, well=well, now=now)
        return [self._reinstate(record, now)] if well else []

    def left(self, replica_id: str, request_id: str) -> None:
        """Record that a request is no longer there.

        If it was a trial, nothing was learned from it.
        """
        record = self._ejected.get(replica_id)
        if record is not None and record.trial == request_id:
            record.trial = None

    def failed(self, replica_id: str, request_id: str, now: float) -> list[Decision]:
        """Record an attempt that failed by the replica's fault."""
        record, most = self._records[replica_id], self._settings.consecutive_failures
        if not record.failures:
            record.failing_since = now
        record.failures += 1
        if record.trial == request_id:
            return [self._eject_again(record, Reason.FAILURES, now)]
        if record.reason is None and most and record.failures >= most:
            return self._eject_if_possible(record, Reason.FAILURES, now)
        return []

    def forgive(self, replica_ids: Iterable[str]) -> None:
        """Record that a request failed wherever it was sent: the fault may be its own."""
        for replica_id in replica_ids:
            record = self._records.get(replica_id)
            if record is not None and record.failures:
                record.failures -= 1

    def refused(
        self, replica_id: str, request_id: str, retry_after_s: float | None, now: float
    ) -> list[Decision]:
        """Record that the replica had no room, and may have named a time to come back."""
        record = self._records[replica_id]
        if record.reason is None or record.trial == request_id:
            return [self._eject(record, Reason.BUSY, now, retry_after_s)]
        if record.reason is Reason.BUSY:
            record.until = max(record.until, now + self._limits.rest_s(record, retry_after_s))
        return []

    def overdue(self, replica_id: str, now: float) -> list[Decision]:
        """Record that first tokens are overdue. The replica may stay in service nevertheless."""
        record = self._records[replica_id]
        if record.trial is not None:
            return [self._eject_again(record, Reason.OVERDUE, now)]
        if record.reason is not None or not self._may_be_ejected(record):
            return []
        ejected = self._eject(record, Reason.OVERDUE, now)
        record.synthetic = record.synthetic_due = True
        return [ejected]

    # -- changes -------------------------------------------------------------------------------

    def _outliers(self, model: str) -> list[OutlierRecord]:
        """Return those that count for the share: a replica that is busy says so itself."""
        return [each for each in self.ejected(model) if each.reason is not Reason.BUSY]

    def _may_be_ejected(self, record: OutlierRecord) -> bool:
        return self._limits.allow(record.replica, len(self._outliers(record.replica.model)))

    def _eject_if_possible(
        self, record: OutlierRecord, reason: Reason, now: float
    ) -> list[Decision]:
        return [self._eject(record, reason, now)] if self._may_be_ejected(record) else []

    def _eject_again(self, record: OutlierRecord, reason: Reason, now: float) -> Eject:
        """Eject a replica whose trial failed, perhaps for another reason than before."""
        if record.reason is Reason.BUSY and not self._may_be_ejected(record):
            reason = Reason.BUSY
        return self._eject(record, reason, now)

    def _eject(
        self, record: OutlierRecord, reason: Reason, now: float, named_s: float | None = None
    ) -> Eject:
        settings, replica_id = self._settings, record.replica.replica_id
        if record.reason is None:
            past = int((now - record.reinstated_at) / settings.interval_s)
            record.ejections = max(0, record.ejections - past)
        record.ejections += 1
        rest_s = self._limits.rest_s(record, named_s)
        record.reason, record.until, record.trial = reason, now + rest_s, None
        record.synthetic = record.synthetic_due = False
        self._ejected[replica_id] = record
        self._ledger.suspend(replica_id)
        return Eject(replica_id, reason, rest_s, record.ejections)

    def _synthetic_trial(self, record: OutlierRecord, now: float) -> SyntheticTrial:
        begin_trial(record.replica, now)
        record.synthetic_due = False
        return SyntheticTrial(record.replica.replica_id)

    def _reinstate(self, record: OutlierRecord, now: float) -> Reinstate:
        replica_id = record.replica.replica_id
        record.reason, record.trial, record.failures = None, None, 0
        record.synthetic = record.synthetic_due = False
        record.reinstated_at = now
        del self._ejected[replica_id]
        self._ledger.resume(replica_id)
        return Reinstate(replica_id)
