"""One emulated replica in virtual time, and how busy it has been."""

from __future__ import annotations

from cato_backend.engine_model import Engine, Job, Passed, Timeline
from cato_backend.profile_files.profile import Profile


class SimulatedReplica:
    """A timeline that the event loop can ask when to look again. Times in seconds."""

    def __init__(self, replica_id: str, profile: Profile) -> None:
        self.id = replica_id
        self.profile = profile
        self.looked_for: float | None = None
        """The time for which the event loop has an entry; an entry of another time is stale."""
        self._timeline = Timeline(Engine(profile.law, profile.limits))
        self._busy_s = 0.0
        self._busy_since: float | None = None

    @property
    def next_time(self) -> float | None:
        """When something will have happened; None while idle."""
        return self._timeline.next_time

    def submit(self, job: Job, now: float) -> None:
        """A job arrives."""
        self._timeline.submit(job, now)
        if self._busy_since is None:
            self._busy_since = now

    def abort(self, job_id: str, now: float) -> None:
        """Nobody waits for it any more."""
        self._timeline.abort(job_id, now)
        self._note_idle(now)

    def advance(self, now: float) -> list[Passed]:
        """What has happened until now."""
        passed = self._timeline.advance(now)
        self._note_idle(now)
        return passed

    def emitted(self, job_id: str, now: float) -> int:
        """Tokens that a running job has emitted by now."""
        return self._timeline.emitted(job_id, now)

    def step_began(self, now: float) -> float | None:
        """When the engine's step under way began; None while idle."""
        return self._timeline.step_began(now)

    def busy_s(self, now: float) -> float:
        """Seconds until now in which a step was under way."""
        running = 0.0 if self._busy_since is None else now - self._busy_since
        return self._busy_s + running

    def stop(self, now: float) -> None:
        """It is gone: no further step."""
        self._busy_s = self.busy_s(now)
        self._busy_since = None

    def _note_idle(self, now: float) -> None:
        if self._busy_since is not None and self._timeline.next_time is None:
            self.stop(now)
