"""States of replicas and of their sources; their hardware and expected profile; withdrawals."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from cato_backend.profile_files.hardware import model_key
from cato_backend.profile_files.profile import EngineLimits, Profile
from cato_backend.runtime.runtime import Runtime
from cato_backend.tasks.detection import AUTO

_MOST_TROUBLES = 16
"""Of one source that are logged: some texts have figures in them that change each time."""

MOST_GONE = 10_000
"""Replicas that are gone and still known; those that left first are forgotten first."""

_STUCK_S = 10.0
"""Requests move from a replica that is away and has brought no token for this long."""


class ReplicaPhase(StrEnum):
    """The states of a replica."""

    STARTING = "starting"
    """The replica has not been up yet."""
    UP = "up"
    ASLEEP = "asleep"
    """The replica has given its GPU memory back, and is woken for a request."""
    DOWN = "down"
    """The replica gets no requests, and is checked with back-off."""
    FAILED = "failed"
    """The replica was given up."""


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """The state of one replica, and its reason."""

    replica_id: str
    state: ReplicaPhase
    since: float
    """Seconds since the epoch."""
    reason: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        advice = f"; {self.remedy}" if self.remedy else ""
        return f"{self.state}: {self.reason}{advice}" if self.reason else self.state


class ReplicaStatuses:
    """The states of all replicas. `clock` returns seconds since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._statuses: dict[str, ReplicaStatus] = {}

    def all(self) -> tuple[ReplicaStatus, ...]:
        """Return all states, in the order in which the replicas became known."""
        return tuple(self._statuses.values())

    def state(self, replica_id: str) -> ReplicaPhase | None:
        """Return one replica's state; None where the replica is not known."""
        found = self._statuses.get(replica_id)
        return None if found is None else found.state

    def set(
        self, replica_id: str, state: ReplicaPhase, reason: str = "", remedy: str = ""
    ) -> ReplicaStatus | None:
        """Set a replica's state and return it; return None where nothing has changed."""
        old = self._statuses.get(replica_id)
        if old is not None and (old.state, old.reason) == (state, reason):
            return None
        since = old.since if old is not None and old.state is state else self._clock()
        self._statuses[replica_id] = new = ReplicaStatus(replica_id, state, since, reason, remedy)
        return new

    def forget(self, replica_id: str) -> None:
        """Forget a replica."""
        self._statuses.pop(replica_id, None)


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """The state of one source: a cluster, or a list of replicas that others run."""

    name: str
    since: float
    """Seconds since the epoch."""
    trouble: str = ""
    """Empty where it answers."""
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.trouble}; {self.remedy}" if self.trouble else "it answers"


class Sources:
    """The states of all sources. `clock` returns seconds since the epoch."""

    def __init__(self, clock: Callable[[], float], on_note: Callable[[str, str], None]) -> None:
        self._clock = clock
        self._on_note = on_note
        self._sources: dict[str, SourceStatus] = {}
        self._told: dict[str, set[str]] = {}
        """By source, the troubles that were logged since it last answered."""

    def all(self) -> tuple[SourceStatus, ...]:
        """Return all states."""
        return tuple(self._sources.values())

    def expect(self, name: str) -> None:
        """Name a source that has not answered yet."""
        self._sources[name] = SourceStatus(name, self._clock())

    def set(self, name: str, trouble: str, remedy: str) -> None:
        """Set a source's state; log each trouble once until it answers again, and that it does."""
        old = self._sources[name]
        lasts = bool(old.trouble) == bool(trouble)
        since = old.since if lasts else self._clock()
        new = self._sources[name] = SourceStatus(name, since, trouble, remedy)
        told = self._told.setdefault(name, set())
        if trouble:
            is_news = trouble not in told and len(told) < _MOST_TROUBLES
            told.add(trouble)
        else:
            is_news = not lasts
            told.clear()
        if is_news:
            self._on_note(name, str(new))


@dataclass(frozen=True, slots=True)
class Hardware:
    """The hardware of one replica."""

    name: str = ""
    """As profiles name it; empty where that is not known."""
    gpus: float = 1.0
    """How many of these it has: less than one where it shares one."""


class KnownHardware:
    """The hardware of replicas by their ids."""

    def __init__(self) -> None:
        self._present: dict[str, Hardware] = {}
        self._gone: OrderedDict[str, Hardware] = OrderedDict()

    def note(self, replica_id: str, hardware: Hardware) -> None:
        """Remember what a replica runs on."""
        self._gone.pop(replica_id, None)
        self._present[replica_id] = hardware

    def leaves(self, replica_id: str) -> None:
        """Keep what a replica ran on until many others have left after it."""
        found = self._present.pop(replica_id, None)
        if found is None:
            return
        self._gone[replica_id] = found
        if len(self._gone) > MOST_GONE:
            self._gone.popitem(last=False)

    def of(self, replica_id: str) -> Hardware:
        """Return what a replica runs or ran on."""
        return self._present.get(replica_id) or self._gone.get(replica_id) or Hardware()


class Withdrawals:
    """Takes replicas out of service. `is_up` tells whether one has come back meanwhile."""

    def __init__(self, runtime: Runtime, is_up: Callable[[str], bool]) -> None:
        self._runtime = runtime
        self._is_up = is_up
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def close(self) -> None:
        """End all waiting."""
        for timer in self._timers.values():
            timer.cancel()

    def withdraw(self, replica_id: str) -> None:
        """Send no new requests; running ones may finish as long as they bring tokens."""
        if self._is_stuck(replica_id):
            self.remove(replica_id)
            return
        self._runtime.members.pause(replica_id)
        if replica_id not in self._timers:
            later = asyncio.get_running_loop().call_later
            self._timers[replica_id] = later(_STUCK_S, self._check, replica_id)

    def remove(self, replica_id: str) -> None:
        """Take a replica out of service at once; what runs there moves."""
        timer = self._timers.pop(replica_id, None)
        if timer is not None:
            timer.cancel()
        self._runtime.members.remove(replica_id)

    def _check(self, replica_id: str) -> None:
        del self._timers[replica_id]
        if not self._is_up(replica_id):
            self.withdraw(replica_id)

    def _is_stuck(self, replica_id: str) -> bool:
        load = self._runtime.replica(replica_id)
        if load is None or not load.running:
            return True
        times = [attempt.dispatched_at for attempt in load.attempts.values()]
        return max(load.last_token_at or 0.0, *times) <= self._runtime.clock() - _STUCK_S


@dataclass(frozen=True, slots=True)
class Expected:
    """Properties of replicas that are known before they report them."""

    max_running: int
    """Requests that it is given at once."""
    family: str = AUTO
    """Its model's fill-in-the-middle family."""
    profile: Profile | None = None
    hardware: str = ""
    """As profiles name it, where that is known."""
    place: str = ""
    """Hardware and engine flags, where it is started here."""
    limits: EngineLimits | None = None
    """Limits that its engine was started with, where they are known."""
    instruct: bool | None = None
    """Whether its model follows instructions, where the configuration says so."""
    gpus: float = 1.0
    """How many GPUs are set aside for it: less than one where several replicas share one."""


def fitting(expected: Expected, model: str) -> tuple[Profile | None, str]:
    """Return the expected profile, or None and a complaint where it is another model's.

    That of a replica that is started here was chosen by its path, whatever name it is served under.
    """
    profile = expected.profile
    if profile is None or expected.place or model_key(profile.model) == model_key(model):
        return profile, ""
    return None, f"; its profile is of {profile.model}, not {model}: not used"
