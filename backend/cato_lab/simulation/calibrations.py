"""Calibrations of replicas that come up, in virtual time, as the gateway runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cato_backend.engine_model import Admission, Job, Passed
from cato_backend.prediction.calibration import Calibration, Probe, ProbeBounds
from cato_backend.scheduling import ProbeEnded, ProbeProgressed, ProbeSent, Scheduler
from cato_lab.simulation.agenda import Agenda
from cato_lab.simulation.replica import SimulatedReplica

_PRIORITY = 1 << 40
"""The engine takes everything else first."""


@dataclass(slots=True)
class _Sent:
    probe: Probe
    at: float
    emitted: int = 0
    cached: int = 0


@dataclass(slots=True)
class _Course:
    """The calibration of one replica."""

    replica: SimulatedReplica
    calibration: Calibration
    probes: dict[str, _Sent] = field(default_factory=dict[str, "_Sent"])
    """Under way, by job."""
    later: list[Probe] = field(default_factory=list[Probe])
    """Those of the round that are sent with its first token."""


class Calibrations:
    """The calibrations of all replicas of a run. `look_at` makes the loop update a replica."""

    def __init__(
        self,
        scheduler: Scheduler,
        agenda: Agenda,
        network_s: float,
        look_at: Callable[[SimulatedReplica], None],
    ) -> None:
        self._scheduler = scheduler
        self._agenda = agenda
        self._network_s = network_s
        self._look_at = look_at
        self._courses: dict[str, _Course] = {}

    def begin(self, replica: SimulatedReplica, now: float) -> None:
        """Record that the replica has come up.

        Nothing happens where it was sent a request at once.
        """
        load = self._scheduler.replica(replica.id)
        if load is None or load.running:
            return
        limits = replica.member.profile.limits
        longest = min(limits.max_model_len, limits.kv_tokens) // 2
        bounds = ProbeBounds(load.learned.limits, longest, load.max_running)
        self._courses[replica.id] = _Course(replica, Calibration(bounds, now))
        self._next_round(self._courses[replica.id], now)

    def stop(self, replica_id: str, now: float) -> None:
        """Record that the replica was sent a request, or is gone."""
        course = self._courses.pop(replica_id, None)
        if course is None:
            return
        for job_id, sent in course.probes.items():
            self._scheduler.handle(ProbeEnded(replica_id, sent.probe.name), now)
            self._agenda.put(now + self._network_s, self._abort, (course.replica, job_id))

    def hear(self, replica: SimulatedReplica, passed: Passed, now: float) -> None:
        """Pass on what a step of the replica brought over the network."""
        course = self._courses.get(replica.id)
        if course is None or course.replica is not replica:
            return
        self._admit(course, passed.admitted)
        for job_id in passed.end.prefilled:
            if job_id in course.probes:
                self._first_token(course, course.probes[job_id], now)
        for job_id in passed.end.finished:
            if sent := course.probes.pop(job_id, None):
                self._count(course, sent, sent.probe.output_tokens, now)
                self._scheduler.handle(ProbeEnded(replica.id, sent.probe.name), now)
        if passed.end.prefilled:
            self._send_later(course, now)
        if not course.probes:
            self._next_round(course, now)
        elif passed.end.prefilled:
            self._await_tokens(course, now)

    # -- rounds --------------------------------------------------------------------------------

    def _next_round(self, course: _Course, now: float) -> None:
        load = self._scheduler.replica(course.replica.id)
        assert load is not None
        probes = course.calibration.next_round(load.learned.belief, now)
        if not probes:
            del self._courses[course.replica.id]
        course.later = [probe for probe in probes if probe.beside]
        at_once = [probe for probe in probes if not probe.beside]
        for probe in at_once:
            self._send(course, probe, len(at_once) == 1, now)

    def _send_later(self, course: _Course, now: float) -> None:
        later, course.later = course.later, []
        for probe in later:
            self._send(course, probe, False, now)

    def _send(self, course: _Course, probe: Probe, alone: bool, now: float) -> None:
        uncached = probe.prompt_tokens - probe.known_tokens
        event = ProbeSent(course.replica.id, probe.name, uncached, probe.known_tokens, alone)
        self._scheduler.handle(event, now)
        job = _job(probe, course.replica.member.profile.limits.block_size)
        course.probes[job.id] = _Sent(probe, now)
        self._agenda.put(now + self._network_s, self._submit, (course, job))

    def _submit(self, argument: tuple[_Course, Job], now: float) -> None:
        course, job = argument
        if job.id in course.probes and self._courses.get(course.replica.id) is course:
            course.replica.submit(job, now)
            self._look_at(course.replica)

    def _abort(self, argument: tuple[SimulatedReplica, str], now: float) -> None:
        replica, job_id = argument
        replica.abort(job_id, now)
        self._look_at(replica)

    # -- tokens --------------------------------------------------------------------------------

    def _admit(self, course: _Course, admitted: tuple[Admission, ...]) -> None:
        for admission in admitted:
            if sent := course.probes.get(admission.id):
                sent.cached = admission.cached_tokens

    def _first_token(self, course: _Course, sent: _Sent, now: float) -> None:
        probe, replica_id = sent.probe, course.replica.id
        cached = course.calibration.cached_tokens(probe, now - sent.at)
        if cached is None:
            self._scheduler.handle(ProbeEnded(replica_id, probe.name), now)
            return
        sent.emitted = 1
        uncached = probe.prompt_tokens - cached
        event = ProbeProgressed(replica_id, probe.name, 1, uncached, cached)
        self._scheduler.handle(event, now)

    def _count(self, course: _Course, sent: _Sent, emitted: int, now: float) -> None:
        tokens = emitted - sent.emitted
        if sent.emitted and tokens > 0:
            sent.emitted = emitted
            event = ProbeProgressed(course.replica.id, sent.probe.name, tokens)
            self._scheduler.handle(event, now)

    def _await_tokens(self, course: _Course, now: float) -> None:
        """Every step's tokens are told, as they are live."""
        ends = course.replica.step_ends(now)
        if ends is not None and course.probes:
            self._agenda.put(ends + self._network_s, self._report, course)

    def _report(self, course: _Course, now: float) -> None:
        if self._courses.get(course.replica.id) is not course:
            return
        for job_id, emitted in list(course.replica.running(now)):
            if sent := course.probes.get(job_id):
                self._count(course, sent, emitted, now)
        self._await_tokens(course, now)


def _job(probe: Probe, block_size: int) -> Job:
    blocks = probe.prompt_tokens // block_size
    return Job(
        id=f"calibration-{probe.name}",
        prompt_tokens=probe.prompt_tokens,
        output_tokens=probe.output_tokens,
        block_hashes=[(1 << 62) + (probe.prompt << 24) + block for block in range(blocks)],
        priority=_PRIORITY,
    )
