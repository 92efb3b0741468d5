"""A scaling rule within bounds for one model, and the requests that the rule observes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning.rules.base import (
    AnsweredRequest,
    Bounds,
    FleetState,
    Plan,
    ScalingRule,
    Wanted,
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


class Provisioner:
    """Decides how many replicas a model should have, from the scheduler's events."""

    def __init__(self, model: str, bounds: Bounds, rule: ScalingRule, idle_s: float = inf) -> None:
        """`idle_s`: seconds without a request after which it wants as few as the bounds allow."""
        self._model = model
        self._bounds = bounds
        self._rule = rule
        self._idle_s = idle_s
        self._tracker = RequestTracker()
        self._target: int | None = None
        self._asked_at: float | None = None

    def observe(self, event: Event, decisions: Iterable[Decision], now: float) -> None:
        """One event, and what the scheduler decided on it. Other models' are left aside."""
        if not isinstance(event, Submitted):
            answers = self._tracker.observe(event, decisions, now)
        elif event.request.model == self._model and not event.request.warm:
            self._asked_at = now
            self._rule.arrived(event.request, now)
            answers = self._tracker.observe(event, decisions, now)
        else:
            answers = self._tracker.decided(decisions, now)
        for answer in answers:
            self._rule.answered(answer, now)

    def learned(self, profile: Profile) -> None:
        """Take what the model's replicas were found to be."""
        self._rule.learned(profile)

    def decide(self, fleet: FleetState, now: float) -> Plan:
        """Return how many replicas there should be from now on, and why."""
        wanted = self._idle(fleet, now) or self._used(self._rule.wanted(fleet, now))
        target = self._bounds.clip(wanted.count)
        changed = target != self._target
        self._target = target
        return Plan(target, self._sentence(fleet, target, wanted.count, wanted.why), changed)

    @staticmethod
    def _used(wanted: Wanted) -> Wanted:
        """Return the wish of a rule for a model that is in use: one replica at least."""
        return wanted if wanted.count else Wanted(1, wanted.why)

    def _idle(self, fleet: FleetState, now: float) -> Wanted | None:
        """Return the wish of a model that nothing is asked of; None where it is in use.

        The first replica has its time from when it is ready, and each that starts likewise.
        """
        if fleet.waiting or fleet.running or fleet.starting:
            self._asked_at = now
        if self._asked_at is None and fleet.ready:
            self._asked_at = now
        if self._asked_at is None or now - self._asked_at < self._idle_s:
            return None
        return Wanted(0, f"nothing was asked for in {self._idle_s:g} s")

    def _sentence(self, fleet: FleetState, target: int, wished: int, why: str) -> str:
        move = f"{fleet.coming}" if target == fleet.coming else f"{fleet.coming} -> {target}"
        bound = "" if target == wished else f" (wished for {wished}, the bounds say {target})"
        return f"{move} replicas because {why}{bound}"
