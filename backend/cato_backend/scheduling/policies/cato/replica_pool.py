"""The replica models of one model, and the candidates among them for a request."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from cato_backend.requests import Request
from cato_backend.scheduling.policies.cato.options import CatoOptions
from cato_backend.scheduling.policies.cato.order import Pace
from cato_backend.scheduling.policies.cato.relegated_queue import RelegatedQueue
from cato_backend.scheduling.policies.cato.replica_model import ReplicaModel
from cato_backend.scheduling.policies.cato.reserves import Needs, Slots
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.wire.headers import Task

_ALL = 8
"""Fleets up to this size are looked at whole."""
_HOLDERS, _LEAST_BUSY = 2, 4
_MOST_TRIED = 128
"""Replicas that are asked for room one by one; a microsecond each."""
_PACE_RATE = 0.05
"""Weight of one replica's pace on average."""
_PER_RUNNING_S = 0.001
"""Among replicas that are free, the one with fewer sequences."""


class ReplicaPool:
    """Replica models by replica; the times at which each is free, in one array."""

    def __init__(self, options: CatoOptions) -> None:
        self.slots = Slots(options)
        self.needs = Needs(options.room)
        self._options = options
        self.pace = Pace(0.0, 0.0, 0.0)
        """In the recent mean over replicas."""
        self.changes = 0
        """Changes of replicas so far."""
        self._first: tuple[float, int] | None = None
        """When the first is free, and its place: the rest of the fleet cannot move it."""
        self.relegated = RelegatedQueue()
        self.refused = 0
        """Relegated or warm requests for which no replica had time in this look."""
        self._models: dict[str, ReplicaModel] = {}
        self._order: list[str] = []
        self._places: dict[str, int] = {}
        self._busy: NDArray[np.float64] = np.empty(0)
        self._spare: NDArray[np.float64] = np.empty(0)
        """Seconds of prefill that may be ahead of one more request."""
        self._lone_token_s: NDArray[np.float64] = np.empty(0)
        self._full: dict[bool, NDArray[np.bool_]] = {}
        """Whether it has no slot: for a completion (True), for another request (False)."""
        self._kept: dict[str, float] = {}
        self._blocked: set[str] = set()

    def __contains__(self, replica_id: str) -> bool:
        return replica_id in self._models

    def add(self, model: ReplicaModel) -> None:
        """Record that a replica has come."""
        if not self._models:
            self.pace = model.pace(0.0)
        self._models[model.view.replica_id] = model
        self._arrange()

    def remove(self, replica_id: str) -> None:
        """Record that a replica has gone."""
        self.relegated.loaded(self._models.pop(replica_id))
        self._blocked.discard(replica_id)
        self._arrange()

    def model(self, replica_id: str) -> ReplicaModel:
        """Raise KeyError."""
        return self._models[replica_id]

    def __len__(self) -> int:
        return len(self._models)

    @property
    def blocked(self) -> int:
        """Replicas that compute long prompts, and nothing else beside them."""
        return len(self._blocked)

    def learn_pace(self, model: ReplicaModel, now: float) -> None:
        """Record that a replica has shown how fast it is."""
        old, new = self.pace, model.pace(now)
        self.pace = Pace(
            old.prompt_token_s + _PACE_RATE * (new.prompt_token_s - old.prompt_token_s),
            old.token_s + _PACE_RATE * (new.token_s - old.token_s),
            float(self._lone_token_s.min()),
        )

    def changed(self, model: ReplicaModel) -> None:
        """Record that the replica has more or less to do than before."""
        self._first = None
        self.changes += 1
        model.changed = self.changes
        place = self._places[model.view.replica_id]
        self._busy[place] = model.free_at + _PER_RUNNING_S * model.view.running
        self._spare[place] = self.spare_s(model)
        self._lone_token_s[place] = model.unit_s
        if model.long.is_blocking:
            self._blocked.add(model.view.replica_id)
        else:
            self._blocked.discard(model.view.replica_id)
        for completes, full in self._full.items():
            full[place] = not self.slots.has_slot(model, completes=completes)

    def spare_s(self, model: ReplicaModel) -> float:
        """Return seconds of prefill that may be ahead of one more request there.

        What is typed does not count.
        """
        options = self._options
        bearable_s = options.outstanding_share * self.needs.first_token_s
        steps = min(options.outstanding_steps, bearable_s / model.unit_s)
        return model.typed_s + max(options.outstanding_least_steps, steps) * model.unit_s

    def is_idle(self, model: ReplicaModel, now: float) -> bool:
        """Return whether the replica has time for work that need not run now.

        It has nothing to prefill, slots to spare, and keeps the pace that the next requests need.
        """
        return not model.queued and self.has_spare(model, now)

    def has_spare(self, model: ReplicaModel, now: float) -> bool:
        """Return whether it has slots to spare, and keeps the pace that the next requests need."""
        return self.slots.has_spare(model) and self.needs.keeps_pace(model, now)

    def begin_look(self) -> None:
        """Nothing is kept for any replica yet, and no class has been without a slot."""
        self.slots.begin_look()
        self.refused = 0
        if self._kept:
            self._first = None
            self._kept.clear()

    def keep(self, model: ReplicaModel, seconds: float) -> None:
        """Record that in this round a request waits for this replica, and its prefill."""
        replica_id = model.view.replica_id
        self._kept[replica_id] = self._kept.get(replica_id, 0.0) + seconds
        if self._first is not None and self._first[1] == self._places[replica_id]:
            self._first = None

    def kept_s(self, model: ReplicaModel) -> float:
        """Prefill that waits for this replica, of requests looked at before."""
        return self._kept.get(model.view.replica_id, 0.0)

    def first_free(self) -> float:
        """Return when some replica may be sent more.

        With what waits for it, and without what is typed, behind which other requests do not wait;
        it may have no slot then.
        """
        if self._first is None:
            free_at = self._promised() - self._spare
            place = int(free_at.argmin())
            self._first = (float(free_at[place]), place)
        return self._first[0]

    def candidates(
        self, request: Request, open_to: Sequence[ReplicaView], held: Mapping[str, int]
    ) -> list[ReplicaModel]:
        """Of those that may take one more.

        All of a small fleet; else those that hold the most of the prompt, and those with a slot
        that are free first. Where none of these is open and has a slot and room in its KV cache: of
        the open ones that have, those that are free first.
        """
        if len(open_to) <= _ALL:
            return [self._models[view.replica_id] for view in open_to]
        holders = sorted(held, key=lambda replica_id: (-held[replica_id], replica_id))[:_HOLDERS]
        completes = request.task is Task.COMPLETION
        free_at = np.where(self._full[completes], np.inf, self._promised())
        some = min(_LEAST_BUSY, len(free_at))
        places: list[int] = free_at.argpartition(some - 1)[:some].tolist()
        least = sorted(self._order[place] for place in places)
        models = [self._models[name] for name in dict.fromkeys([*holders, *least])]
        found = [model for model in models if _is_among(model.view, open_to)]
        if any(self.slots.has_free(model, request) for model in found):
            return found
        return self._free_of(request, [view.replica_id for view in open_to], free_at)

    def _free_of(
        self, request: Request, ids: Sequence[str], free_at: NDArray[np.float64]
    ) -> list[ReplicaModel]:
        """Return the first of these that are free for the request; if there is none, one of them.

        A replica with a full KV cache gets no prompts, and seems to be free first.
        """
        of_these = free_at[[self._places[replica_id] for replica_id in ids]]
        places: list[int] = of_these.argsort(kind="stable")[:_MOST_TRIED].tolist()
        models = [self._models[ids[place]] for place in places]
        free = (model for model in models if self.slots.has_free(model, request))
        return list(islice(free, _LEAST_BUSY)) or models[:1]

    def _promised(self) -> NDArray[np.float64]:
        """Return when each is free, with what waits for it."""
        if not self._kept:
            return self._busy
        promised = self._busy.copy()
        for replica_id, seconds in self._kept.items():
            promised[self._places[replica_id]] += seconds
        return promised

    def _arrange(self) -> None:
        self._order = sorted(self._models)
        self._places = {replica_id: place for place, replica_id in enumerate(self._order)}
        self._busy, self._spare, self._lone_token_s = np.zeros((3, len(self._order)))
        self._full = {completes: np.zeros(len(self._order), bool) for completes in (True, False)}
        self._kept.clear()
        self.relegated.wake_all()
        for model in self._models.values():
            self.changed(model)


def _is_among(view: ReplicaView, open_to: Sequence[ReplicaView]) -> bool:
    """Return whether the candidates, which are ordered by id, include the replica."""
    place = bisect_left(open_to, view.replica_id, key=lambda other: other.replica_id)
    return place < len(open_to) and open_to[place] is view
