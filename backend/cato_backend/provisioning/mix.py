"""The recent mix of requests, with which capacity is measured."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

from cato_backend.provisioning.pool import DemandKind
from cato_backend.provisioning.watch import AnsweredRequest
from cato_backend.wire.headers import Task

_KEPT = 400
_LEFT_OUTPUT_TOKENS = 16
"""At least so many tokens an answer is taken to have had that its client did not wait for."""


class Mix:
    """The last few hundred answers."""

    def __init__(self) -> None:
        self._kinds: deque[DemandKind] = deque(maxlen=_KEPT)

    def __len__(self) -> int:
        return len(self._kinds)

    def add(self, answer: AnsweredRequest) -> None:
        """Add a request. Refused ones are left out: only their prompts are known."""
        if not answer.output_tokens and answer.met is not None:
            return
        left = answer.met is None
        least = _LEFT_OUTPUT_TOKENS if left else 1
        self._kinds.append(
            DemandKind(
                task=answer.task,
                prompt_tokens=answer.uncached_tokens,
                output_tokens=max(least, answer.output_tokens),
                target=answer.request.target,
                left_s=answer.ended_s if left else None,
            )
        )

    def shares(self) -> Mapping[Task, float]:
        """The tasks' shares of what is counted; empty of nothing."""
        tasks = Counter(kind.task for kind in self._kinds if kind.left_s is None)
        return {task: count / tasks.total() for task, count in tasks.items()}

    def kinds(self) -> tuple[DemandKind, ...]:
        """All of them: tasks come in their shares."""
        return tuple(self._kinds)
