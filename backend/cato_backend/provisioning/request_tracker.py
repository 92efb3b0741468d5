"""Requests of one model from their arrival to their end, as scaling rules learn of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cato_backend.provisioning.rules.base import (
    AnsweredRequest,
)
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


@dataclass(slots=True)
class _OpenRequest:
    request: Request
    first_token: float | None = None
    uncached: int | None = None
    tokens: int = 0


class RequestTracker:
    """Follows the requests under way, and returns each once it is answered or has ended."""

    def __init__(self) -> None:
        self._open: dict[str, _OpenRequest] = {}

    def observe(
        self, event: Event, decisions: Iterable[Decision], now: float
    ) -> Sequence[AnsweredRequest]:
        """Record one event and its decisions. Returns the requests that ended with it."""
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
        return [*answers, *self.decided(decisions, now)]

    def decided(self, decisions: Iterable[Decision], now: float) -> Sequence[AnsweredRequest]:
        """Record decisions alone, such as on the event of another model."""
        answers: list[AnsweredRequest] = []
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
    """Return whether the target was met; None where that is not known.

    A client that leaves after a first token in time has met a TTFT target: it had enough, or typed
    on.
    """
    request = found.request
    due = found.first_token if request.target.ttft_s is not None else None if left else now
    if due is None and left and now < request.deadline:
        return None
    return due is not None and due <= request.deadline
