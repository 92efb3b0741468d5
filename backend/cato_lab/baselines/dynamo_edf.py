"""Dynamo's cost of a replica, and the same with deadlines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from cato_backend.profile_files.profile import EngineLimits
from cato_backend.requests import Request
from cato_backend.scheduling.attempt import Attempt
from cato_backend.scheduling.policies.base import FleetView, Hold, Place, Policy, Verdict
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.wire.headers import Task
from cato_lab.baselines.estimates import MEAN_OUTPUT

_QUEUE_THRESHOLD = 4.0
"""A replica is busy above this multiple of its `max_num_batched_tokens` of prefill in flight
(`--router-queue-threshold`). Of 0.25 to 4 the best in thirty worlds of the arena, and once Dynamo's
default."""

_TPOT_S = 0.04
"""Dynamo knows targets of the first token only: an E2E target less the class's mean answer."""

_PREFILL_SCALE = 1.0
"""Dynamo's `kv_overlap_score_weight`."""


_QUANTA = {
    Task.COMPLETION: 8000,
    Task.GENERATION: 8000,
    Task.SUMMARIZATION: 4000,
    Task.TRANSLATION: 2000,
    Task.AGENT: 1000,
}
"""Uncached prompt tokens that a class may have sent in each round (`policy_quantum` in
`uncached_isl`): 8000 for interactive classes and 1000 for batches, as in Dynamo's proposal."""


@dataclass(slots=True)
class _Class:
    """The queue of one class of one model."""

    due: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    deficit: float = 0.0


@dataclass(slots=True)
class _Queues:
    """The queues of one model, and the order in which they are served."""

    classes: dict[Task, _Class] = field(default_factory=lambda: {task: _Class() for task in Task})
    turn: int = 0


class DynamoEdf(Policy):
    """Queued while every replica is busy; the replica with the least prefill and active blocks.

    After NVIDIA Dynamo's router: policy classes (PR 10744, DEP 9755), deadlines (PR 14176, 14123),
    and the routing cost of `dynamo`. What is queued sleeps until its turn comes.
    """

    def __init__(self) -> None:
        self._queues: defaultdict[str, _Queues] = defaultdict(_Queues)
        self._waiting: dict[str, Request] = {}
        self._sent: set[str] = set()
        """Those whose turn has come."""

    def key(self, waiting: Waiting, fleet: FleetView) -> tuple[float, ...]:
        """Return the deadline of the first token."""
        request, due = waiting.request, _due(waiting.request)
        self._waiting[request.id] = request
        heappush(self._queues[request.model].classes[request.task].due, (due, request.id))
        return (due,)

    def looking(self, model: str, fleet: FleetView) -> Iterable[str]:
        """As many as the replicas that are not busy take, in the order of the classes' turns."""
        queues, free = self._queues[model], _free_tokens(model, fleet)
        woken: list[str] = []
        while free > 0 and (request := self._next(queues, fleet)):
            free -= _uncached(request, fleet)
            woken.append(request.id)
        self._sent.update(woken)
        return woken

    def place(
        self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView
    ) -> Verdict:
        """Place the request where the routing cost is least, or hold it until its turn."""
        if waiting.request.id not in self._sent:
            return Hold(asleep=True)
        cached = fleet.prefix_holders(waiting.request)
        prompt = waiting.request.prompt_tokens

        def cost(replica: ReplicaView) -> tuple[float, str]:
            overlap = cached.get(replica.replica_id, 0)
            prefill = max(0, replica.pending_prefill + prompt - overlap)
            return (prefill + replica.kv_tokens) / _limits(replica).block_size, replica.replica_id

        return Place(min(candidates, key=cost).replica_id)

    def opened(self, attempt: Attempt, fleet: FleetView) -> None:
        """Record that it has left the queue."""
        self._forget(attempt.request.id)

    def withdrawn(self, waiting: Waiting, fleet: FleetView) -> None:
        """Do the same."""
        self._forget(waiting.request.id)

    def _forget(self, request_id: str) -> None:
        self._waiting.pop(request_id, None)
        self._sent.discard(request_id)

    def _next(self, queues: _Queues, fleet: FleetView) -> Request | None:
        """Take out the request whose turn it is; None where nothing is queued."""
        tasks = list(queues.classes)
        if not any(self._head(each) for each in queues.classes.values()):
            return None
        while True:
            task = tasks[queues.turn]
            queue = queues.classes[task]
            head = self._head(queue)
            if head is not None and (cost := _uncached(head, fleet)) <= queue.deficit:
                queue.deficit -= cost
                heappop(queue.due)
                return head
            queue.deficit = queue.deficit if head else 0.0
            queues.turn = (queues.turn + 1) % len(tasks)
            queues.classes[tasks[queues.turn]].deficit += _QUANTA[tasks[queues.turn]]

    def _head(self, queue: _Class) -> Request | None:
        """Return the earliest that still waits."""
        while queue.due:
            request = self._waiting.get(queue.due[0][1])
            if request is not None and request.id not in self._sent:
                return request
            heappop(queue.due)
        return None


def _due(request: Request) -> float:
    if request.target.e2e_s is None:
        return request.deadline
    answer_s = _TPOT_S * MEAN_OUTPUT[request.task]
    return max(request.arrival + request.target.budget_s / 4, request.deadline - answer_s)


def _uncached(request: Request, fleet: FleetView) -> int:
    """Return the tokens left to compute on the replica that holds most of the prompt."""
    most = max(fleet.prefix_holders(request).values(), default=0)
    return max(1, request.prompt_tokens - most)


def _free_tokens(model: str, fleet: FleetView) -> float:
    """Prefill that all replicas together take before every one of them is busy."""
    replicas = fleet.replicas(model).values()
    open_ = [r for r in replicas if r.running < r.max_running and not r.draining]
    rooms = (
        _QUEUE_THRESHOLD * _limits(r).max_num_batched_tokens - r.pending_prefill for r in open_
    )
    return sum(max(0.0, room) for room in rooms)


def _limits(replica: ReplicaView) -> EngineLimits:
    return replica.profile.limits if replica.profile else EngineLimits()


class DynamoCost(Policy):
    """First come, first served; least of prefill blocks (what is cached left out) + active blocks.

    After NVIDIA Dynamo's KV router, at temperature zero.
    """

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        """Place the request where it costs least; ties go to the smaller id."""
        cached = fleet.prefix_holders(waiting.request)
        incoming = waiting.request.prompt_tokens

        def cost(replica: ReplicaView) -> tuple[float, str]:
            size = (replica.profile.limits if replica.profile else EngineLimits()).block_size
            overlap = cached.get(replica.replica_id, 0)
            prefill = max(0, replica.pending_prefill + incoming - overlap)
            return (_PREFILL_SCALE * prefill + replica.kv_tokens) / size, replica.replica_id

        return Place(min(candidates, key=cost).replica_id)
