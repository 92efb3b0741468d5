"""Reports of replicas while they serve: tokens of running answers, and metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cato_backend.scheduling import Event, LoadReported, Progressed
from cato_lab.simulation.agenda import Agenda
from cato_lab.simulation.clients import Waiting
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.replica import SimulatedReplica


class Reports:
    """The reports of all replicas of a run, sent over the network to `tell`.

    `jobs` and `replicas` are those that run now. Times in seconds from the start of the run.
    """

    def __init__(
        self,
        fleet: Fleet,
        agenda: Agenda,
        jobs: Mapping[str, Waiting],
        replicas: Mapping[str, SimulatedReplica],
        tell: Callable[[Event, float], None],
    ) -> None:
        self._fleet = fleet
        self._agenda = agenda
        self._jobs = jobs
        self._replicas = replicas
        self._tell = tell
        self._freezes = {f"r{index}": (start, end) for start, end, index in fleet.freezes}

    def heard_at(self, replica: SimulatedReplica, now: float) -> float:
        """Return when what happens there now is sent; a frozen replica sends nothing."""
        start, end = self._freezes.get(replica.id, (0.0, 0.0))
        return end if start <= now < end else now

    def _later(
        self,
        replica: SimulatedReplica,
        now: float,
        action: Callable[..., None],
        argument: object,
    ) -> None:
        """Have the agenda do it when it has come over the network."""
        self._agenda.put(self.heard_at(replica, now) + self._fleet.network_s, action, argument)

    # -- tokens --------------------------------------------------------------------------------

    def begin(self, replica: SimulatedReplica, now: float) -> None:
        """Report the replica's tokens from its first running answer on."""
        if not replica.reported:
            replica.reported = True
            self._report_later(replica, now)

    def count(self, job: str, emitted: int, now: float) -> None:
        """Report to the scheduler how many tokens this attempt has emitted, after its first."""
        waiting = self._jobs.get(job)
        if waiting is None or waiting.told == waiting.resumed:
            return
        tokens = waiting.resumed + emitted - waiting.told
        if tokens > 0:
            waiting.told += tokens
            self._tell(Progressed(waiting.arrival.id, waiting.attempt, tokens), now)

    def _report_later(self, replica: SimulatedReplica, now: float) -> None:
        self._agenda.put(now + self._fleet.report_s, self._await_tokens, replica)

    def _await_tokens(self, replica: SimulatedReplica, now: float) -> None:
        """Tokens come at the end of a step, as they do live."""
        ends = replica.step_ends(now)
        if ends is None or self._replicas.get(replica.id) is not replica:
            replica.reported = False
        else:
            self._later(replica, ends, self._report, replica)

    def _report(self, replica: SimulatedReplica, now: float) -> None:
        if self._replicas.get(replica.id) is replica:
            for job, emitted in list(replica.running(now)):
                self.count(job, emitted, now)
        self._report_later(replica, now)

    # -- metrics -------------------------------------------------------------------------------

    def scrape(self, replica: SimulatedReplica, now: float) -> None:
        """Look at the replica's metrics regularly from now on, if the fleet is scraped."""
        if self._fleet.scrape_s:
            self._agenda.put(now + self._fleet.scrape_s, self._scrape, replica)

    def _scrape(self, replica: SimulatedReplica, now: float) -> None:
        """Report to the scheduler what the replica's metrics show."""
        if self._replicas.get(replica.id) is replica:
            engine = replica.engine
            load = LoadReported(
                replica.id, engine.running, engine.waiting, engine.kv_usage, engine.limits.kv_tokens
            )
            self._later(replica, now, self._tell, load)
            self.scrape(replica, now)
