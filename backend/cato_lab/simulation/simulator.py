"""The scheduling core over engine models in virtual time.

The very Scheduler of the gateway decides; here are only the clock, the wires and the clients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from cato_backend.engine_model import Job, Passed
from cato_backend.scheduling import (
    Abort,
    AttemptFailed,
    Cancelled,
    Cause,
    Decision,
    Dispatch,
    Eject,
    Event,
    Finished,
    Progressed,
    Recall,
    Refusal,
    Reinstate,
    Reject,
    ReplicaDown,
    ReplicaUp,
    Scheduler,
    Submitted,
    SyntheticTrial,
    SyntheticTrialEnded,
    WakeAt,
    Woke,
)
from cato_backend.scheduling.outlier_record import TRIAL_TOKENS
from cato_backend.scheduling.policies import Policy
from cato_lab.scoring.outcome import Ending, Outcome
from cato_lab.simulation.agenda import Agenda
from cato_lab.simulation.calibrations import Calibrations
from cato_lab.simulation.clients import Clients, Waiting, job_id
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.replica import SimulatedReplica
from cato_lab.simulation.reports import Reports
from cato_lab.workloads.arrival import Arrival, Workload

_DRAIN_S = 120.0
_FIRST = -(2**31)
"""An engine priority before every other."""
_Emitted: TypeAlias = tuple[str, int]
"""A job, and the output tokens that it has emitted."""


@dataclass(frozen=True, slots=True)
class SimulatedRun:
    """Outcomes of all requests, and the busy time of the engines."""

    outcomes: list[Outcome]
    busy_s: float
    """Over all replicas, until the last arrival could come."""
    events: int
    """Told to the scheduler."""


class Simulator:
    """One run of one policy. Times in seconds from its start."""

    def __init__(self, policy: Policy, fleet: Fleet) -> None:
        self._fleet = fleet
        self._members = {f"r{index}": member for index, member in enumerate(fleet.members)}
        self._longest_request = fleet.longest_request
        self._scheduler = Scheduler(policy, fleet.limits)
        self._agenda = Agenda()
        self._calibrations = Calibrations(
            self._scheduler, self._agenda, fleet.network_s, self._look_at
        )
        self._clients = Clients()
        self._replicas: dict[str, SimulatedReplica] = {}
        self._jobs: dict[str, Waiting] = {}
        self._arrivals: Iterator[Arrival] = iter(())
        self._wake: float | None = None
        self._events = 0
        self._busy_s = 0.0
        self._trials: dict[str, float] = {}
        """Synthetic trials that have not been answered, and when they were sent."""
        self._reports = Reports(fleet, self._agenda, self._jobs, self._replicas, self._tell)

    def run(
        self, workload: Workload, seed: int, progress: Callable[[float], None] = lambda now: None
    ) -> SimulatedRun:
        """Everything until all have their answers, or two minutes after the last has asked."""
        for replica_id, member in self._members.items():
            if member.ready_s:
                self._agenda.put(member.ready_s, self._start, replica_id)
            else:
                self._start(replica_id, 0.0)
        for time, index in self._fleet.kills:
            self._agenda.put(time, self._kill, f"r{index}")
        self._arrivals = workload.arrivals(seed)
        self._await_next_arrival()
        end = workload.duration_s
        for second in range(1, int(end) + 1):
            self._agenda.run(float(second))
            progress(float(second))
        self._agenda.run(end)
        busy_s = self._busy_s + sum(r.busy_s(end) for r in self._replicas.values())
        self._drain(end)
        return SimulatedRun(self._clients.outcomes, busy_s, self._events)

    def _drain(self, end: float) -> None:
        now = end
        while len(self._clients) and now < end + _DRAIN_S:
            now += 1.0
            self._agenda.run(now)
        self._clients.give_up(now)

    # -- clients -------------------------------------------------------------------------------

    def _await_next_arrival(self) -> None:
        arrival = next(self._arrivals, None)
        if arrival is not None:
            self._agenda.put(arrival.time, self._arrive, arrival)

    def _arrive(self, arrival: Arrival, now: float) -> None:
        self._await_next_arrival()
        self._ask(arrival, now)

    def _ask(self, arrival: Arrival, now: float) -> None:
        self._clients.ask(arrival)
        if arrival.prompt_tokens + arrival.output_tokens > self._longest_request:
            self._clients.end(arrival.id, Ending.REJECTED, now, "too_long")
            return
        if arrival.cancel_after_s is not None:
            self._agenda.put(now + arrival.cancel_after_s, self._cancel, arrival.id)
        self._tell(Submitted(arrival.request(self._fleet.model, now)), now)

    def _cancel(self, request_id: str, now: float) -> None:
        if self._clients.get(request_id) is not None:
            self._clients.end(request_id, Ending.CANCELLED, now)
            self._tell(Cancelled(request_id), now)

    # -- the scheduler -------------------------------------------------------------------------

    def _tell(self, event: Event, now: float) -> None:
        self._events += 1
        for decision in self._scheduler.handle(event, now):
            self._carry_out(decision, now)

    def _carry_out(self, decision: Decision, now: float) -> None:
        match decision:
            case Dispatch(request_id, replica_id):
                self._calibrations.stop(replica_id, now)
                waiting = self._clients.get(request_id)
                if waiting is not None:
                    waiting.dispatch(decision, now)
                    job = waiting.job(decision.priority)
                    self._jobs[job.id] = waiting
                    self._later(now, self._submit, (waiting.replica_id, job))
            case WakeAt(time):
                self._wake = time
                self._agenda.put(max(time, now), self._woke, time)
            case Abort(request_id, attempt):
                self._abort(request_id, attempt, now)
            case Recall(request_id, attempt):
                self._abort(request_id, attempt, now)
                failed = AttemptFailed(request_id, attempt, cause=Cause.RECALLED)
                self._agenda.put(now, self._tell, failed)
            case SyntheticTrial(replica_id):
                self._try(replica_id, now)
            case Reject(request_id, refusal):
                ending = Ending.REJECTED
                if refusal is Refusal.SUPERSEDED:
                    ending = Ending.CANCELLED
                self._clients.end(request_id, ending, now, refusal.value)
            case Eject() | Reinstate():
                pass  # The scheduler itself acts on them; the gateway logs them.

    def _woke(self, time: float, now: float) -> None:
        if self._wake == time:
            self._wake = None
            self._tell(Woke(), now)

    # -- replicas ------------------------------------------------------------------------------

    def _later(self, now: float, action: Callable[..., None], argument: object) -> None:
        """One way over the network."""
        self._agenda.put(now + self._fleet.network_s, action, argument)

    def _submit(self, sent: tuple[str, Job], now: float) -> None:
        replica_id, job = sent
        replica = self._replicas.get(replica_id)
        if replica is not None and (job.id in self._jobs or job.id in self._trials):
            replica.submit(job, now)
            self._look_at(replica)

    def _try(self, replica_id: str, now: float) -> None:
        name = f"trial of {replica_id}"
        if name in self._trials:
            self._later(now, self._drop, (replica_id, name))
        self._trials[name] = now
        job = Job(name, TRIAL_TOKENS, 1, priority=_FIRST)
        self._later(now, self._submit, (replica_id, job))

    def _abort(self, request_id: str, attempt: int, now: float) -> None:
        waiting = self._jobs.pop(job_id(request_id, attempt), None)
        if waiting is not None:
            self._later(now, self._drop, (waiting.replica_id, job_id(request_id, attempt)))

    def _drop(self, sent: tuple[str, str], now: float) -> None:
        replica = self._replicas.get(sent[0])
        if replica is not None:
            replica.abort(sent[1], now)
            self._look_at(replica)

    def _look_at(self, replica: SimulatedReplica) -> None:
        """Have the agenda come back when something will have happened there."""
        time = replica.next_time
        if time is not None and time != replica.looked_for:
            self._agenda.put(time, self._advance, (replica, time))
        replica.looked_for = time

    def _advance(self, entry: tuple[SimulatedReplica, float], now: float) -> None:
        replica, time = entry
        if replica.looked_for == time:
            for passed in replica.advance(now):
                oldest = replica.oldest(now) if passed.end.prefilled else None
                self._later(
                    self._reports.heard_at(replica, now), self._hear, (replica, passed, oldest)
                )
            self._look_at(replica)

    def _hear(self, heard: tuple[SimulatedReplica, Passed, _Emitted | None], now: float) -> None:
        """Pass on what a step brought over the network."""
        replica, passed, oldest = heard
        self._calibrations.hear(replica, passed, now)
        if oldest is not None:
            self._reports.count(*oldest, now)
        for admission in passed.admitted:
            if waiting := self._jobs.get(admission.id):
                waiting.cached_tokens = admission.cached_tokens
        for job in passed.end.prefilled:
            waiting = self._jobs.get(job)
            if waiting is not None and waiting.told == waiting.resumed:
                self._begin(waiting, replica, now)
        for job in passed.end.finished:
            if waiting := self._jobs.pop(job, None):
                self._finish(waiting, now)
            elif job in self._trials:
                self._tell(SyntheticTrialEnded(replica.id, now - self._trials.pop(job)), now)

    def _begin(self, waiting: Waiting, replica: SimulatedReplica, now: float) -> None:
        if waiting.first_token is None:
            waiting.first_token = now
        waiting.told += 1
        prompt = waiting.arrival.prompt_tokens + waiting.resumed
        request_id, attempt = waiting.arrival.id, waiting.attempt
        cached = waiting.cached_tokens
        self._tell(Progressed(request_id, attempt, 1, prompt, cached), now)
        self._reports.begin(replica, now)

    def _finish(self, waiting: Waiting, now: float) -> None:
        request_id, attempt = waiting.arrival.id, waiting.attempt
        rest = waiting.arrival.output_tokens - waiting.told
        waiting.told += rest
        self._clients.end(request_id, Ending.FINISHED, now)
        if rest:
            self._tell(Progressed(request_id, attempt, rest), now)
        self._tell(Finished(request_id, attempt), now)

    def _start(self, replica_id: str, now: float) -> None:
        member = self._members[replica_id]
        self._replicas[replica_id] = SimulatedReplica(replica_id, member)
        told = ReplicaUp(replica_id, member.profile.model, member.max_running, member.told)
        self._tell(told, now)
        if self._fleet.calibrates:
            self._calibrations.begin(self._replicas[replica_id], now)
        self._reports.scrape(self._replicas[replica_id], now)

    def _kill(self, replica_id: str, now: float) -> None:
        replica = self._replicas.pop(replica_id, None)
        if replica is None:
            return
        self._busy_s += replica.busy_s(now)
        replica.looked_for = None
        self._trials.pop(f"trial of {replica_id}", None)
        self._calibrations.stop(replica_id, now)
        self._tell(ReplicaDown(replica_id), now)
        start_s = replica.member.profile.start_s
        self._agenda.put(now + start_s, self._start, replica_id)
