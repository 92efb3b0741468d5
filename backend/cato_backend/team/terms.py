"""The terms of a person's requests: share, isolation, requests a minute and at once. No I/O."""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict, deque
from dataclasses import dataclass
from enum import StrEnum

from cato_backend.errors import LimitReached
from cato_backend.requests import EQUAL_SHARE, Share
from cato_backend.team.records import Key, Person, Team, UsageLimits, limited

_MINUTE_S = 60.0

_SMOOTHING = 0.1

_FIRST_GUESS_S = 1.0

_SHORTEST_S = 0.1


class Isolation(StrEnum):
    """Groups of people that share the prefix cache of an engine."""

    TEAM = "team"
    PERSON = "person"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms for the requests of one person."""

    team: str = ""
    share: Share = EQUAL_SHARE
    cache_salt: str = ""
    """Prompts with different salts share no block of a prefix cache; empty: none is sent."""


NO_TERMS = Terms()


def terms_of(team: Team, person: Person, isolation: Isolation, key: bytes) -> Terms:
    """Return the terms. `key`: the store's secret, without which no salt can be guessed."""
    share = Share(team.weight, person.weight, team.priority)
    return Terms(team.name, share, _salt(team, person, isolation, key))


def mixed_salt(own: str, given: object) -> str:
    """Return the salt of a prompt for which the client gave one: it only separates further.

    A client that knows the salt of another team must not get at its cache.
    """
    if not isinstance(given, str) or not given:
        return own
    return hashlib.sha256(f"{own}\0{given}".encode()).hexdigest() if own else given


def _salt(team: Team, person: Person, isolation: Isolation, key: bytes) -> str:
    if isolation is Isolation.NONE:
        return ""
    scope = ("shared", team.shared_context)
    if not team.shared_context:
        by_person = isolation is Isolation.PERSON
        scope = ("person", person.name) if by_person else ("team", team.name)
    return hmac.new(key, "\0".join(scope).encode(), hashlib.sha256).hexdigest()


class RequestRates:
    """Counts each request in any 60 seconds, and those under way. Times on any clock, seconds."""

    def __init__(self) -> None:
        self._recent = defaultdict[Key, deque[float]](deque)
        self._live = defaultdict[Key, int](int)
        self._request_s = defaultdict[Key, float](lambda: _FIRST_GUESS_S)
        """The mean time of a request."""

    def enter(self, team: Team, person: Person, now: float) -> None:
        """Count a request in; `leave` must follow. Raises LimitReached, and counts nothing."""
        for key, limits in limited(team, person):
            self._check_at_once(key, limits)
            self._check_minute(key, limits, now)
        for key, limits in limited(team, person):
            self._live[key] += 1
            if limits.requests_per_minute is not None:
                self._recent[key].append(now)

    def leave(self, team: Team, person: Person, took_s: float) -> None:
        """Count a request out."""
        for key, _ in limited(team, person):
            self._request_s[key] += _SMOOTHING * (took_s - self._request_s[key])
            self._live[key] -= 1
            if not self._live[key]:
                del self._live[key]

    def _check_at_once(self, key: Key, limits: UsageLimits) -> None:
        most = limits.concurrent_requests
        if most is not None and self._live.get(key, 0) >= most:
            raise LimitReached(
                f"{_named(key)} may have {most} requests at once",
                retry_after_s=max(_SHORTEST_S, self._request_s[key] / max(most, 1)),
            )

    def _check_minute(self, key: Key, limits: UsageLimits, now: float) -> None:
        most = limits.requests_per_minute
        if most is None:
            self._recent.pop(key, None)
            return
        recent = self._recent[key]
        while recent and recent[0] <= now - _MINUTE_S:
            recent.popleft()
        if len(recent) >= most:
            raise LimitReached(
                f"{_named(key)} may send {most} requests a minute",
                retry_after_s=recent[0] + _MINUTE_S - now if recent else _MINUTE_S,
            )


def _named(key: Key) -> str:
    return f"the {key[0]} {key[1]!r}"
