"""Fair shares of a model's replicas: by token first, then by the sessions of a token.

Service is counted as in the Virtual Token Counter (Sheng et al., "Fairness in Serving Large
Language Models", OSDI 2024): uncached prompt tokens, and output tokens at twice their weight; here,
what was served long ago counts less. A flow is a token, or a session of one. It crowds while it has
more requests live than its share of the slots, and others have not. What crowds comes after the
others and beside no other prompt. Above twice the mean service of the others it gets only what
leaves an engine nearly idle: an engine never displaces what runs, so to be served first is of no
use to a newcomer who finds every engine full. For the same reason a flow with many requests leaves
some slots free even while it is alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import NamedTuple, TypeAlias

from cato_backend.requests import Origin
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaLoad

_OUTPUT_WEIGHT = 2
_MEMORY_S = 30.0
"""Service given so long ago counts 1/e, and a flow without requests for so long is forgotten."""
_MOST_TIMES = 2.0
"""Of the others' mean service, up to which a flow is within its share."""
_ALWAYS_LIVE = 16
"""Requests of a flow that never crowd: those of a whole task, side by side."""
_LEAST_LIVE = 2
"""The same where there are few slots, of which half may always be one flow's."""
_SPARE = 0.25
"""Share of a replica's slots up to which a flow above its share may fill it."""
_FEWEST_SLOTS = 4
_KEPT_FREE = 8
"""One slot in this many is kept for newcomers, and at least one from `_FEWEST_SLOTS` on."""
_LARGEST_EXPONENT = 20.0
"""Of the scale, above which all former service is scaled down."""

_Key: TypeAlias = tuple[str, ...]
"""A token, or a token and one of its sessions."""


class Fairness:
    """The flows of one model. Times in seconds on the scheduler's clock."""

    def __init__(self) -> None:
        self._siblings: dict[_Key, _Flows] = {(): _Flows()}
        """All tokens, and by token its sessions."""
        self._slots = 0
        self._most_live = float(_ALWAYS_LIVE)
        """Requests of a flow that never crowd, given the slots."""
        self.open_slots = _OpenSlots()
        self._many: set[_Key] = set()
        """Flows that have more."""

    def enter(self, origin: Origin, now: float) -> None:
        """Record that a request is live: queued, or on a replica."""
        for key in _keys(origin):
            if self._flows(key).enter(key, now) > self._most_live:
                self._many.add(key)

    def leave(self, origin: Origin, now: float) -> None:
        """Record that a request is over."""
        for key in _keys(origin):
            flows = self._flows(key)
            if flows.leave(key, now) <= self._most_live:
                self._many.discard(key)
            for forgotten in flows.forget_idle(now):
                self._siblings.pop(forgotten, None)

    def prefilled(self, origin: Origin, tokens: int, now: float) -> None:
        """So many uncached prompt tokens are to be computed."""
        self._charge(origin, tokens, now)

    def decoded(self, origin: Origin, tokens: int, now: float) -> None:
        """Charge the output tokens of an attempt that has ended."""
        self._charge(origin, _OUTPUT_WEIGHT * tokens, now)

    def look(self, slots: int) -> Look:
        """Return the flows with many requests, and those that crowd; `slots`: of all replicas."""
        if slots != self._slots:
            self._resize(slots)
        if not self._many:
            return Look(self, self._many, frozenset())
        found = [key for key in self._many if self._flows(key).exceeds_slots(key, slots)]
        crowding = (key for key in found if len(self._flows(key)) > _among(found, key))
        return Look(self, self._many, frozenset(crowding))

    def is_above_share(self, origin: Origin) -> bool:
        """Return whether token or session had more than twice the mean service of others."""
        return any(self._flows(key).is_above_share(key) for key in _keys(origin))

    def _resize(self, slots: int) -> None:
        self._slots = slots
        self._most_live = max(_LEAST_LIVE, min(_ALWAYS_LIVE, slots / 2))
        every = (item for flows in self._siblings.values() for item in flows.live())
        self._many = {key for key, live in every if live > self._most_live}

    def _charge(self, origin: Origin, tokens: int, now: float) -> None:
        for key in _keys(origin):
            self._flows(key).charge(key, tokens, now)

    def _flows(self, key: _Key) -> _Flows:
        """Return those that the flow shares something with, and itself."""
        parent = key[:-1]
        found = self._siblings.get(parent)
        if found is None:
            found = self._siblings[parent] = _Flows()
        return found


class Look(NamedTuple):
    """One look at a model's queue."""

    fairness: Fairness
    many: Set[_Key]
    crowding: Set[_Key]

    def others_first(self, queue: Iterable[Waiting]) -> Iterable[Waiting]:
        """Return the queue in its order, but what crowds behind all others."""
        return sorted(queue, key=self._crowds) if self.crowding else queue

    def open_to(self, waiting: Waiting, candidates: Sequence[ReplicaLoad]) -> Sequence[ReplicaLoad]:
        """Of the candidates, those that the request may be sent to."""
        if not self.many:
            return candidates
        origin = waiting.request.origin
        if self.crowding and self._crowds(waiting):
            above_share = self.fairness.is_above_share(origin)
            candidates = [replica for replica in candidates if not replica.unstarted]
            if above_share:
                return [r for r in candidates if r.running < max(1, _SPARE * r.max_running)]
        if not any(key in self.many and key[-1] for key in _keys(origin)):
            return candidates
        open_slots = self.fairness.open_slots
        return [r for r in candidates if r.running < open_slots[r.max_running]]

    def _crowds(self, waiting: Waiting) -> bool:
        return any(key in self.crowding for key in _keys(waiting.request.origin))


class _OpenSlots(dict[int, int]):
    """By a replica's slots, those that are not kept for newcomers.

    Kept, because a thousand replicas are asked for each request.
    """

    def __missing__(self, slots: int) -> int:
        kept = max(1, slots // _KEPT_FREE) if slots >= _FEWEST_SLOTS else 0
        found = self[slots] = slots - kept
        return found


def _keys(origin: Origin) -> tuple[_Key, _Key]:
    return (origin.tenant,), (origin.tenant, origin.session)


def _among(keys: Iterable[_Key], key: _Key) -> int:
    """Return how many of the keys are siblings of this one, itself included."""
    return sum(other[:-1] == key[:-1] for other in keys)


class _Flow:
    __slots__ = ("live", "seen", "service")

    def __init__(self) -> None:
        self.live = 0
        self.service = 0.0
        self.seen = 0.0


class _Flows:
    """Flows that share something, in the order in which they were last seen.

    Instead of all former service, what is served now is scaled: by `exp(now / _MEMORY_S)`.
    """

    def __init__(self) -> None:
        self._flows: dict[_Key, _Flow] = {}
        self._service = 0.0
        self._scaled_from = 0.0

    def __len__(self) -> int:
        return len(self._flows)

    def enter(self, key: _Key, now: float) -> int:
        flow = self._see(key, now)
        flow.live += 1
        return flow.live

    def leave(self, key: _Key, now: float) -> int:
        flow = self._see(key, now)
        flow.live -= 1
        return flow.live

    def charge(self, key: _Key, tokens: int, now: float) -> None:
        """Raise KeyError for a flow that has no live request."""
        scaled = tokens * self._scale(now)
        self._flows[key].service += scaled
        self._service += scaled

    def live(self) -> Iterator[tuple[_Key, int]]:
        return ((key, flow.live) for key, flow in self._flows.items())

    def exceeds_slots(self, key: _Key, slots: int) -> bool:
        return self._flows[key].live > slots / len(self._flows)

    def is_above_share(self, key: _Key) -> bool:
        own, others = self._flows[key].service, len(self._flows) - 1
        return own * others > _MOST_TIMES * (self._service - own)

    def forget_idle(self, now: float) -> Iterator[_Key]:
        """Forget those that have not been seen for long, and yield them."""
        while self._flows:
            key, flow = next(iter(self._flows.items()))
            if flow.live or flow.seen + _MEMORY_S >= now:
                return
            self._service -= flow.service
            del self._flows[key]
            yield key

    def _see(self, key: _Key, now: float) -> _Flow:
        flow = self._flows.pop(key, None) or _Flow()
        self._flows[key] = flow
        flow.seen = now
        return flow

    def _scale(self, now: float) -> float:
        exponent = (now - self._scaled_from) / _MEMORY_S
        if exponent < _LARGEST_EXPONENT:
            return math.exp(exponent)
        faded = math.exp(-exponent)  # 0 after long: the other way round it would overflow.
        for flow in self._flows.values():
            flow.service *= faded
        self._service = sum(flow.service for flow in self._flows.values())
        self._scaled_from = now
        return 1.0
