"""Fair shares of a model's replicas: by team, then by token, then by the sessions of a token.

Service is counted as in the Virtual Token Counter (Sheng et al., "Fairness in Serving Large
Language Models", OSDI 2024): uncached prompt tokens, and output tokens at twice their weight; here,
what was served long ago counts less. A flow is a team, a token, or a session of one; a token of no
team stands beside the teams. Teams and tokens have weights. A flow crowds while it has more
requests live than its share of the slots, and others have not. What crowds comes after the others
and beside no other prompt. Above twice the mean service of the others it gets only what leaves an
engine nearly idle: an engine never displaces what runs, so to be served first is of no use to a
newcomer who finds every engine full. For the same reason a flow with many requests leaves some
slots free even while it is alone. Requests of a higher priority come first. What is over its budget
comes behind everything, and gets a sixteenth of an engine at most while others ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from cato_backend.requests import EQUAL_SHARE, Origin, Share
from cato_backend.scheduling.flows import Flows, Key, is_of_team, keys_of, weights_of
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaLoad

_OUTPUT_WEIGHT = 2
_ALWAYS_LIVE = 16
"""Requests of a flow that never crowd: those of a whole task, side by side."""
_LEAST_LIVE = 2
"""The same where there are few slots, of which half may always be one flow's."""
_SPARE = 0.25
"""Share of a replica's slots up to which a flow above its share may fill it."""
_BACKGROUND = 1 / 16
"""The same for what is over its budget: others do not feel it."""


class Fairness:
    """The flows of one model. Times in seconds on the scheduler's clock."""

    def __init__(self) -> None:
        self._siblings: dict[Key, Flows] = {(): Flows()}
        """All tokens, and by token its sessions."""
        self._paths: dict[tuple[str, str, str], tuple[tuple[Flows, Key], ...]] = {}
        """By team, token and session, its flows, the largest first, each among its siblings."""
        self._slots = 0
        self._most_live = float(_ALWAYS_LIVE)
        """Requests of a flow that never crowd, given the slots."""
        self._many: set[Key] = set()
        """Flows that have more."""
        self._live = 0
        self._ranked = 0
        """Live requests with a priority, or over budget."""
        self._over_budget = 0

    def enter(self, origin: Origin, now: float, share: Share = EQUAL_SHARE) -> None:
        """Record that a request is live: queued, or on a replica."""
        self._count(share, 1)
        weights = weights_of(origin, share)
        for (flows, key), weight in zip(self._path(origin), weights, strict=True):
            if flows.enter(key, now, weight) > self._most_live:
                self._many.add(key)

    def leave(self, origin: Origin, now: float, share: Share = EQUAL_SHARE) -> None:
        """Record that a request is over."""
        self._count(share, -1)
        for flows, key in self._path(origin):
            if flows.leave(key, now) <= self._most_live:
                self._many.discard(key)
            if flows.has_idle(now):
                for forgotten in flows.forget_idle(now):
                    self._siblings.pop(forgotten, None)
                self._paths.clear()

    def prefilled(self, origin: Origin, tokens: int, now: float) -> None:
        """Charge `tokens` uncached prompt tokens, which are to be computed."""
        self._charge(origin, tokens, now)

    def decoded(self, origin: Origin, tokens: int, now: float) -> None:
        """Charge the output tokens of an attempt that has ended."""
        self._charge(origin, _OUTPUT_WEIGHT * tokens, now)

    def look(self, slots: int) -> Look:
        """Return the flows with many requests, and those that crowd; `slots`: of all replicas."""
        if slots != self._slots:
            self._resize(slots)
        if not self._many:
            return Look(self, self._many, frozenset(), self._ranked > 0, {})
        found = [key for key in self._many if self._flows(key).exceeds_slots(key, slots)]
        crowding = (key for key in found if self._crowds(key, found))
        return Look(self, self._many, frozenset(crowding), self._ranked > 0, {})

    @property
    def is_asked_within_budget(self) -> bool:
        """Whether a request is live that is not over its budget."""
        return self._live > self._over_budget

    def is_above_share(self, origin: Origin) -> bool:
        """Return whether token or session had more than twice the mean service of others."""
        return any(self._flows(key).is_above_share(key) for key in keys_of(origin))

    def keys(self, origin: Origin) -> tuple[Key, ...]:
        """Return the flows whose live requests count against this origin.

        A team's do so only for a member who has more than their part of what the team may have: the
        other members are not held back because of them.
        """
        keys = keys_of(origin)
        if not origin.team or self._exceeds_part(keys[0], keys[1]):
            return keys
        return keys[1:]

    def _exceeds_part(self, team: Key, person: Key) -> bool:
        slots = self._slots * self._flows(team).share(team)
        return self._flows(person).exceeds_slots(person, slots)

    def _crowds(self, key: Key, found: Sequence[Key]) -> bool:
        """Return whether one of those with more than their share of the slots crowds.

        Where all have more, teams and their people still get parts by their weights.
        """
        flows = self._flows(key)
        if len(flows) > _among(found, key):
            return True
        return is_of_team(key) and flows.has_more_than_part(key)

    def _resize(self, slots: int) -> None:
        self._slots = slots
        self._most_live = max(_LEAST_LIVE, min(_ALWAYS_LIVE, slots / 2))
        every = (item for flows in self._siblings.values() for item in flows.live())
        self._many = {key for key, live in every if live > self._most_live}

    def _count(self, share: Share, number: int) -> None:
        self._live += number
        if share.priority or share.over_budget:
            self._ranked += number
            self._over_budget += number * share.over_budget

    def _charge(self, origin: Origin, tokens: int, now: float) -> None:
        for flows, key in self._path(origin):
            flows.charge(key, tokens, now)

    def _path(self, origin: Origin) -> tuple[tuple[Flows, Key], ...]:
        """Return the flows that the origin's requests belong to, each with its siblings."""
        name = (origin.team, origin.tenant, origin.session)
        path = self._paths.get(name)
        if path is None:
            path = tuple((self._flows(key), key) for key in keys_of(origin))
            self._paths[name] = path
        return path

    def _flows(self, key: Key) -> Flows:
        """Return those that the flow shares something with, and itself."""
        parent = key[:-1]
        found = self._siblings.get(parent)
        if found is None:
            found = self._siblings[parent] = Flows()
        return found


class Look(NamedTuple):
    """One look at a model's queue."""

    fairness: Fairness
    many: Set[Key]
    crowding: Set[Key]
    is_ranked: bool
    """Whether a request is live that has a priority, or is over its budget."""
    known: dict[tuple[str, str, str], bool]
    """By team, token and session, whether it crowds: a long queue has few of them."""

    def others_first(self, queue: Iterable[Waiting]) -> Iterable[Waiting]:
        """Return the queue in its order, but what crowds behind all others.

        Before that counts the priority, and before that, whether a budget is spent.
        """
        if self.is_ranked:
            return sorted(queue, key=self._rank)
        return sorted(queue, key=self._crowds) if self.crowding else queue

    def open_to(
        self,
        waiting: Waiting,
        candidates: Sequence[ReplicaLoad],
        unreserved: Sequence[ReplicaLoad] | None = None,
    ) -> Sequence[ReplicaLoad]:
        """Of the candidates, those that the request may be sent to.

        `unreserved`: those of them that have an open slot, where they are known already.
        """
        if self.is_ranked and waiting.request.share.over_budget:
            return self._background(candidates)
        if not self.many:
            return candidates
        origin = waiting.request.origin
        if self.crowding and self._crowds(waiting):
            above_share = self.fairness.is_above_share(origin)
            candidates = [replica for replica in candidates if not replica.unstarted]
            unreserved = None
            if above_share:
                return [r for r in candidates if r.running < max(1, _SPARE * r.max_running)]
        if not any(key in self.many and key[-1] for key in self.fairness.keys(origin)):
            return candidates
        if unreserved is not None:
            return unreserved
        return [r for r in candidates if r.running < r.open_slots]

    def _background(self, candidates: Sequence[ReplicaLoad]) -> Sequence[ReplicaLoad]:
        """Return the candidates for requests over budget: all while no other request waits."""
        if not self.fairness.is_asked_within_budget:
            return candidates
        return [
            replica
            for replica in candidates
            if not replica.unstarted and replica.running < max(1, _BACKGROUND * replica.max_running)
        ]

    def _rank(self, waiting: Waiting) -> tuple[bool, int, bool]:
        share = waiting.request.share
        return share.over_budget, -share.priority, self._crowds(waiting)

    def _crowds(self, waiting: Waiting) -> bool:
        if not self.crowding:
            return False
        origin = waiting.request.origin
        flow = origin.team, origin.tenant, origin.session
        known = self.known.get(flow)
        if known is None:
            known = any(key in self.crowding for key in self.fairness.keys(origin))
            self.known[flow] = known
        return known


def _among(keys: Iterable[Key], key: Key) -> int:
    """Return how many of the keys are siblings of this one, itself included."""
    return sum(other[:-1] == key[:-1] for other in keys)
