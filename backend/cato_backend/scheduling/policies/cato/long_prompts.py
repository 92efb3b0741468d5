"""Which replicas may take a long prompt or an agent's turn.

vLLM has no limit on the prompts that it computes at once. Without a threshold (see
`EngineLimits.long_prefill_token_threshold`) it computes nothing else beside one of 100,000 tokens,
for seconds; with one, each long prompt makes every step longer. So:

- A long prompt goes where most of it is cached, or to a replica that computes fewer long ones than
  it may.
- Agents leave a share of each replica's slots, and of its KV cache, to others.

An idle replica takes every request, and so does any replica once the request has waited for
`LongPromptLimits.patience_s`: nothing waits for ever, and no replica idles beside a queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cato_backend.requests import Request
from cato_backend.scheduling.limits import LongPromptLimits
from cato_backend.scheduling.policies.cato.replica_model import ReplicaModel
from cato_backend.scheduling.policies.cato.replica_pool import ReplicaPool
from cato_backend.wire.headers import Task

_COMPARABLE = 2
"""A replica is as good as the best with up to this many times its uncached tokens."""
_MOST_REFUSED = 8
"""In one look: those behind them are of the same kind, and would be refused, too."""


class LongPrompts:
    """Narrows the replicas for one request."""

    def __init__(self, limits: LongPromptLimits) -> None:
        self._limits = limits
        self._refused = 0
        """Requests to which no replica was open in this look."""

    def begin_look(self) -> None:
        """No request has been refused in this look."""
        self._refused = 0

    def open_to(
        self,
        request: Request,
        models: Sequence[ReplicaModel],
        cached: Mapping[str, int],
        pool: ReplicaPool,
        now: float,
    ) -> Sequence[ReplicaModel]:
        """Return the replicas that may take the request; `cached`: its tokens in each cache."""
        is_agent = request.task is Task.AGENT
        is_long = any(request.prompt_tokens > model.long.bound for model in models)
        if not is_agent and not is_long:
            return models
        if now >= self.patient_until(request):
            return models
        if self._refused >= _MOST_REFUSED:
            return ()
        found = self._open(request, models, cached, pool, is_agent=is_agent)
        self._refused += not found
        return found

    def _open(
        self,
        request: Request,
        models: Sequence[ReplicaModel],
        cached: Mapping[str, int],
        pool: ReplicaPool,
        *,
        is_agent: bool,
    ) -> Sequence[ReplicaModel]:
        near = self._near(request, models, cached, pool)
        return [
            model
            for model in models
            if not model.view.running
            or (model in near and not (is_agent and self._leaves_no_share(request, model)))
        ]

    def patient_until(self, request: Request) -> float:
        """Return when every replica is open to it."""
        return request.arrival + self._limits.patience_s

    def _near(
        self,
        request: Request,
        models: Sequence[ReplicaModel],
        cached: Mapping[str, int],
        pool: ReplicaPool,
    ) -> Sequence[ReplicaModel]:
        """Return the replicas where the prompt is not long, or one more long one is computed.

        To wait for the replica that holds a prompt costs less, also for all others, than to compute
        it again.
        """
        most = self._limits.per_replica
        if not most:
            return models
        uncached = [request.prompt_tokens - cached.get(b.view.replica_id, 0) for b in models]
        pairs = list(zip(models, uncached, strict=True))
        bound = _COMPARABLE * min(uncached)
        may_block = pool.blocked < max(1.0, self._limits.replica_share * len(pool))
        return [
            model
            for model, tokens in pairs
            if tokens <= model.long.bound
            or (
                tokens <= bound
                and model.long.long < most
                and (may_block or model.long.is_blocking or not model.long.would_block)
            )
        ]

    def _leaves_no_share(self, request: Request, model: ReplicaModel) -> bool:
        """Return whether agents would have too much of the replica with this request."""
        share, view = self._limits.agent_share, model.view
        agents = view.running_by_task[Task.AGENT]
        if not agents:
            return False
        if agents + 1 > share * model.room.slots:
            return True
        room, tokens = model.room, model.agent_tokens + request.prompt_tokens
        size = room.kv_size
        return size is not None and tokens > share * size and not room.is_roomy_for(request, size)
