"""One emulated replica in virtual time, and its busy time."""

from __future__ import annotations

from collections.abc import Iterator

from cato_backend.engine_model import Engine, Job, Passed, Timeline
from cato_lab.simulation.fleet import STEADY, Member

_PACED_S = 300.0
"""How long the pace of a replica varies: longer than any run of which that is asked."""


class SimulatedReplica:
    """A timeline that the event loop can ask when to look again. Times in seconds.

    The timeline keeps the time of the law; the replica's pace maps it to the time of the run.
    """

    def __init__(self, replica_id: str, member: Member) -> None:
        self.id = replica_id
        self.member = member
        self.looked_for: float | None = None
        """The time for which the event loop has an entry; an entry of another time is stale."""
        self.reported = False
        """Whether the event loop has an entry for the next report of its running answers."""
        self._timeline = Timeline(Engine(member.profile.law, member.profile.limits))
        self._pace = None if member.speed == STEADY else member.speed.pace(_PACED_S)
        self._busy_s = 0.0
        self._busy_since: float | None = None

    @property
    def next_time(self) -> float | None:
        """When something will have happened; None while idle."""
        return self._real(self._timeline.next_time)

    def submit(self, job: Job, now: float) -> None:
        """Record that a job arrives."""
        self._timeline.submit(job, self._engine(now))
        if self._busy_since is None:
            self._busy_since = now

    def abort(self, job_id: str, now: float) -> None:
        """Abort a job; its client has left."""
        self._timeline.abort(job_id, self._engine(now))
        self._note_idle(now)

    def advance(self, now: float) -> list[Passed]:
        """Return what has happened until now; at `next_time` that is at least one thing."""
        due = now == self.next_time
        time = self._timeline.next_time
        passed = self._timeline.advance(time if due and time else self._engine(now))
        self._note_idle(now)
        return passed

    def running(self, now: float) -> Iterator[tuple[str, int]]:
        """Yield the jobs that decode, oldest first, and the tokens that each has emitted by now."""
        return self._timeline.running(self._engine(now))

    def oldest(self, now: float) -> tuple[str, int] | None:
        """Return the first of these; None where none decodes."""
        return next(self.running(now), None)

    @property
    def engine(self) -> Engine:
        """Whose load its metrics show."""
        return self._timeline.engine

    def step_began(self, now: float) -> float | None:
        """Return when the engine's step under way began; None while idle."""
        return self._real(self._timeline.step_began(self._engine(now)))

    def step_ends(self, now: float) -> float | None:
        """Return when the engine's step under way ends; None while idle."""
        return self._real(self._timeline.step_ends(self._engine(now)))

    def busy_s(self, now: float) -> float:
        """Return seconds until now in which a step was under way."""
        running = 0.0 if self._busy_since is None else now - self._busy_since
        return self._busy_s + running

    def stop(self, now: float) -> None:
        """End it: it takes no further step."""
        self._busy_s = self.busy_s(now)
        self._busy_since = None

    def _engine(self, now: float) -> float:
        return now if self._pace is None else self._pace.engine_time(now)

    def _real(self, time: float | None) -> float | None:
        return time if self._pace is None or time is None else self._pace.real_time(time)

    def _note_idle(self, now: float) -> None:
        if self._busy_since is not None and self._timeline.next_time is None:
            self.stop(now)
