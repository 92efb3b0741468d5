"""Follows requests through the scheduler's events and decisions: what came of them, and the mix."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cato_backend.provisioning.pool import DemandKind
from cato_backend.requests import Request
from cato_backend.scheduling import (
    Cancelled,
    Decision,
    Event,
    Finished,
    Progressed,
    Refusal,
    Reject,
    Submitted,
)
from cato_backend.wire.headers import Task

_KEPT = 400
_LEFT_OUTPUT_TOKENS = 16
"""At least so many tokens an answer is taken to have had that its client did not wait for."""


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request that is over. Times in seconds since its arrival."""

    request: Request
    ended_s: float
    ttft_s: float | None
    """None where no token came."""
    uncached_tokens: int
    """Of the prompt; all of it where the engine did not tell."""
    output_tokens: int
    met: bool | None
    """Whether the target was met; None where nobody wanted the answer any more at its deadline."""

    @property
    def task(self) -> Task:
        """What was asked for."""
        return self.request.task


@dataclass(slots=True)
class _OpenRequest:
    request: Request
    first_token: float | None = None
    uncached: int | None = None
    tokens: int = 0


class DemandWatch:
    """Requests under way."""

    def __init__(self) -> None:
        self._open: dict[str, _OpenRequest] = {}

    def observe(
        self, event: Event, decisions: Iterable[Decision], now: float
    ) -> Sequence[AnsweredRequest]:
        """Takes note of one event and what was decided; returns what is over with it."""
        answers: list[AnsweredRequest] = []
        match event:
            case Submitted(request) if not request.warm:
                self._open[request.id] = _OpenRequest(request)
            case Progressed(request_id):
                self._progress(request_id, event, now)
            case Finished(request_id):
                self._end(request_id, now, answers)
            case Cancelled(request_id):
                self._end(request_id, now, answers, left=True)
            case _:
                pass
        for decision in decisions:
            if isinstance(decision, Reject):
                left = decision.refusal is Refusal.SUPERSEDED
                self._end(decision.request_id, now, answers, left=left, refused=not left)
        return answers

    def _progress(self, request_id: str, event: Progressed, now: float) -> None:
        found = self._open.get(request_id)
        if found is None:
            return
        found.tokens += event.tokens
        if event.tokens and found.first_token is None:
            found.first_token = now
        if event.prompt_tokens is not None and found.uncached is None:
            found.uncached = event.prompt_tokens - (event.cached_tokens or 0)

    def _end(
        self,
        request_id: str,
        now: float,
        answers: list[AnsweredRequest],
        *,
        left: bool = False,
        refused: bool = False,
    ) -> None:
        found = self._open.pop(request_id, None)
        if found is None:
            return
        request, first = found.request, found.first_token
        prompt = request.prompt_tokens if found.uncached is None else found.uncached
        answers.append(
            AnsweredRequest(
                request=request,
                ended_s=now - request.arrival,
                ttft_s=None if first is None else first - request.arrival,
                uncached_tokens=max(1, prompt),
                output_tokens=found.tokens,
                met=False if refused else _met(found, now, left),
            )
        )


def _met(found: _OpenRequest, now: float, left: bool) -> bool | None:
    """A client that leaves after a first token in time has met a TTFT target: it had enough, or
    typed on; which of the two makes no difference to how many replicas there should be."""
    request = found.request
    due = found.first_token if request.target.ttft_s is not None else None if left else now
    if due is None and left and now < request.deadline:
        return None
    return due is not None and due <= request.deadline


class Mix:
    """The last few hundred answers."""

    def __init__(self) -> None:
        self._kinds: deque[DemandKind] = deque(maxlen=_KEPT)

    def __len__(self) -> int:
        return len(self._kinds)

    def add(self, answer: AnsweredRequest) -> None:
        """Takes note. Of what was refused nothing is known but the prompt: it is left out."""
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
