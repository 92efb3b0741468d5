"""Events that the scheduler receives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from cato_backend.prediction.kept_law import KeptLaw
from cato_backend.profile_files.profile import EngineLimits, Profile
from cato_backend.requests import Request


class Submitted(NamedTuple):
    """A valid request has arrived."""

    request: Request


class Progressed(NamedTuple):
    """A replica sent `tokens` more output tokens of this attempt.

    `prompt_tokens` is the engine's own count where the stream carried one.
    """

    request_id: str
    attempt: int
    tokens: int
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    """Prompt tokens in the engine's prefix cache; reported with `prompt_tokens`."""


class Finished(NamedTuple):
    """The replica ended this attempt's answer properly."""

    request_id: str
    attempt: int


class Cause(StrEnum):
    """Causes of failed attempts."""

    ERROR = "error"
    """By the replica's fault: an error, a connection that broke, an answer that is none."""
    BUSY = "busy"
    """The replica has no room for it now."""
    RECALLED = "recalled"
    """It was given up because of a Recall."""
    NOT_SENT = "not_sent"
    """It never reached the replica, which has nothing to do with it."""


class AttemptFailed(NamedTuple):
    """Record an attempt that ended without an answer."""

    request_id: str
    attempt: int
    resumable: bool = True
    cause: Cause = Cause.ERROR
    retry_after_s: float | None = None
    """Where the replica is busy: the time after which it wants to be asked again, if it said so."""


class Cancelled(NamedTuple):
    """The client has ended the request."""

    request_id: str


class ReplicaUp(NamedTuple):
    """A replica is ready to serve `model` with at most `max_running` requests at once."""

    replica_id: str
    model: str
    max_running: int
    profile: Profile | None = None
    """The replica's profile; None where none is known."""
    kept: KeptLaw | None = None
    """The stored law of the replica."""
    context: int | None = None
    """Tokens of prompt and output that fit; None where it is not known."""
    adapters: tuple[str, ...] = ()
    """Further names that it serves, such as those of LoRA adapters."""
    limits: EngineLimits | None = None
    """The engine's limits; None: those of the profile, or the usual ones."""


class ReplicaChanged(NamedTuple):
    """A replica serves the same model with another context, or under other names."""

    replica_id: str
    context: int | None
    adapters: tuple[str, ...]


class ReplicaDraining(NamedTuple):
    """A replica finishes what runs on it and gets nothing new.

    ReplicaDown or ReplicaResumed follows.
    """

    replica_id: str


class ReplicaAsleep(NamedTuple):
    """A replica gets nothing until ReplicaResumed or ReplicaUp, and can be woken for a request.

    Requests wait for it beyond their deadline, as they do for a replica that is busy.
    """

    replica_id: str


class ReplicaResumed(NamedTuple):
    """A replica that was draining takes requests again."""

    replica_id: str


class ReplicaDown(NamedTuple):
    """A replica has died or must not be used; what ran on it is lost."""

    replica_id: str


class OthersRunning(NamedTuple):
    """A replica's metrics show this number of requests of other clients."""

    replica_id: str
    requests: int


class LoadReported(NamedTuple):
    """A replica's metrics show what its engine has in hand, requests of others included."""

    replica_id: str
    running: int
    waiting: int
    kv_usage: float | None = None
    """0..1: the share of KV blocks that running requests hold; None where it is not reported."""
    kv_tokens: int | None = None
    """Tokens for which there are KV blocks; None where it is not reported."""


class SyntheticTrialEnded(NamedTuple):
    """A SyntheticTrial has been answered."""

    replica_id: str
    seconds: float | None
    """After so long, by a token; None where it was answered by anything else."""


class ProbeSent(NamedTuple):
    """A calibration sent a request to a replica.

    Probes teach its law; they are not in the ledger, take no slot, and are ended before a request
    has to wait for them.
    """

    replica_id: str
    name: str
    """Unique on the replica."""
    uncached_tokens: int
    cached_tokens: int
    alone: bool
    """Whether it is the only one of its round."""


class ProbeProgressed(NamedTuple):
    """A replica sent `tokens` more output tokens of this probe.

    The counts of its prompt come with the first.
    """

    replica_id: str
    name: str
    tokens: int
    uncached_tokens: int | None = None
    cached_tokens: int | None = None


class ProbeEnded(NamedTuple):
    """A probe has ended, successfully or not."""

    replica_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Woke:
    """The time of a WakeAt has come."""


Event: TypeAlias = (
    Submitted
    | Progressed
    | Finished
    | AttemptFailed
    | Cancelled
    | ReplicaUp
    | ReplicaChanged
    | ReplicaDraining
    | ReplicaAsleep
    | ReplicaResumed
    | ReplicaDown
    | OthersRunning
    | LoadReported
    | SyntheticTrialEnded
    | ProbeSent
    | ProbeProgressed
    | ProbeEnded
    | Woke
)
ProbeEvent: TypeAlias = ProbeSent | ProbeProgressed | ProbeEnded
