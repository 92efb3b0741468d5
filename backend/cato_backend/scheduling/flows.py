"""The flows that share a model's replicas, with their weights, live requests and service."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from cato_backend.requests import Origin, Share

_MEMORY_S = 30.0
"""Service of this age, in seconds, counts 1/e; a flow without requests for this time is dropped."""
_MOST_TIMES = 2.0
"""Of the others' mean service, up to which a flow is within its share."""
_LARGEST_EXPONENT = 20.0
"""Of the scale, above which all former service is scaled down."""
Key: TypeAlias = tuple[str, ...]
"""A token, or a token and one of its sessions; each behind its team, where it has one."""
_TEAM_MARK = "team "


def keys_of(origin: Origin) -> tuple[Key, ...]:
    """Return the flows that a request belongs to, the largest first."""
    tenant, session, team = origin.tenant, origin.session, origin.team
    if not team:
        return (tenant,), (tenant, session)
    # No token is called so, and a team stands beside the tokens that have none.
    team = f"{_TEAM_MARK}{team}"
    return (team,), (team, tenant), (team, tenant, session)


def is_of_team(key: Key) -> bool:
    """Return whether the flow is a team or a member of one, and not one of their sessions."""
    return key[0].startswith(_TEAM_MARK) and len(key) < 3


def weights_of(origin: Origin, share: Share) -> tuple[float, ...]:
    """Return the weights of the flows of `keys_of`; sessions are equal."""
    if not origin.team:
        return share.weight, 1.0
    return share.team_weight, share.weight, 1.0


class _Flow:
    __slots__ = ("live", "seen", "service", "weight")

    def __init__(self) -> None:
        self.live = 0
        self.weight = 0.0
        self.service = 0.0
        self.seen = 0.0


class Flows:
    """Flows that share something, in the order in which they were last seen.

    Instead of all former service, what is served now is scaled: by `exp(now / _MEMORY_S)`.
    """

    def __init__(self) -> None:
        self._flows: dict[Key, _Flow] = {}
        self._service = 0.0
        self._weight = 0.0
        self._scaled_from = 0.0

    def __len__(self) -> int:
        return len(self._flows)

    def enter(self, key: Key, now: float, weight: float) -> int:
        """Count a request in, and return how many of the flow are live."""
        flow = self._see(key, now)
        flow.live += 1
        self._weight += weight - flow.weight
        flow.weight = weight
        return flow.live

    def leave(self, key: Key, now: float) -> int:
        """Count a request out, and return how many of the flow are live."""
        flow = self._see(key, now)
        flow.live -= 1
        return flow.live

    def charge(self, key: Key, tokens: int, now: float) -> None:
        """Raise KeyError for a flow that has no live request."""
        exponent = (now - self._scaled_from) / _MEMORY_S
        scale = math.exp(exponent) if exponent < _LARGEST_EXPONENT else self._rescale(now, exponent)
        scaled = tokens * scale
        self._flows[key].service += scaled
        self._service += scaled

    def live(self) -> Iterator[tuple[Key, int]]:
        """Return the flows with their live requests."""
        return ((key, flow.live) for key, flow in self._flows.items())

    def share(self, key: Key) -> float:
        """Return the flow's part of all weights."""
        return self._flows[key].weight / self._weight

    def exceeds_slots(self, key: Key, slots: float) -> bool:
        """Return whether the flow has more live requests than its share of the slots."""
        return self._flows[key].live > slots * self.share(key)

    def has_more_than_part(self, key: Key) -> bool:
        """Return whether the flow was served more than its share."""
        flow = self._flows[key]
        return len(self._flows) > 1 and flow.service > self._service * self.share(key)

    def is_above_share(self, key: Key) -> bool:
        """Return whether the flow was served more than twice the others' mean, by weight."""
        if len(self._flows) == 1:  # The sums of weights are not exact.
            return False
        flow = self._flows[key]
        others = self._weight - flow.weight
        return flow.service * others > _MOST_TIMES * (self._service - flow.service) * flow.weight

    def has_idle(self, now: float) -> bool:
        """Return whether the one seen first of all is to be forgotten."""
        for flow in self._flows.values():
            return not flow.live and flow.seen + _MEMORY_S < now
        return False

    def forget_idle(self, now: float) -> Sequence[Key]:
        """Forget those that have not been seen for long, and return them."""
        idle: list[tuple[Key, _Flow]] = []
        for key, flow in self._flows.items():
            if flow.live or flow.seen + _MEMORY_S >= now:
                break
            idle.append((key, flow))
        for key, flow in idle:
            self._service -= flow.service
            self._weight -= flow.weight
            del self._flows[key]
        return [key for key, _ in idle] if idle else ()

    def _see(self, key: Key, now: float) -> _Flow:
        flow = self._flows.pop(key, None) or _Flow()
        self._flows[key] = flow
        flow.seen = now
        return flow

    def _rescale(self, now: float, exponent: float) -> float:
        """Count from now on by a new scale, and return it."""
        faded = math.exp(-exponent)  # 0 after long: the other way round it would overflow.
        for flow in self._flows.values():
            flow.service *= faded
        self._service = sum(flow.service for flow in self._flows.values())
        self._scaled_from = now
        return 1.0
