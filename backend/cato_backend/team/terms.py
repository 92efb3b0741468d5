"""On which terms a person's requests are served: their share, and with whom they share a cache."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

from cato_backend.requests import EQUAL_SHARE, Share
from cato_backend.team.records import Person, Team


class Isolation(StrEnum):
    """Who shares the prefix cache of an engine."""

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
