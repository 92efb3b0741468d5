"""Prompts that one replica computes together: what comes before a step begins shares it.

A step reads the weights whatever it computes. Charged a whole step each, ten short prompts on a
large model would seem to take ten times as long as one; they take hardly longer. How much is sent
to a replica is still counted in whole steps: sent by this measure, more of an overload would wait
in the engine, out of reach.
"""

from __future__ import annotations

import math

from cato_backend.prediction.service import ServiceModel
from cato_backend.scheduling.replica import ReplicaView


class PromptBatch:
    """Those that the replica computes next. Times on the scheduler's clock."""

    def __init__(self, view: ReplicaView, service: ServiceModel) -> None:
        self._view = view
        self._service = service
        self._begins_at = self._last_step_at = -math.inf
        self._tokens = self._prompts = 0
        self._context_s = 0.0
        self.ends_at = -math.inf
        """When all of them are computed."""

    def believe(self, service: ServiceModel) -> None:
        """Record that the step law is this one now."""
        self._service = service

    def is_open(self, now: float) -> bool:
        """Return whether a prompt that is sent now is computed with them."""
        return now < self._last_step_at

    def begin(self, tokens: int, prompts: int, at: float) -> None:
        """Begin another batch, of so many pending prompts with so many uncached tokens."""
        self._begins_at, self._tokens, self._prompts = at, tokens, prompts
        self._context_s = 0.0
        self._schedule()

    def join(self, uncached: int, cached: int, now: float) -> None:
        """Add a prompt that was sent: to these if they are open, else to the next."""
        if not self.is_open(now):
            self.begin(0, 0, max(self.ends_at, now))
        self._context_s += self._service.context_s(uncached, cached)
        self._tokens += uncached
        self._prompts += 1
        self._schedule()

    def ends_with(self, uncached: int, cached: int) -> float:
        """Return when it would end with one more prompt."""
        compute_s = self._compute_s(self._tokens + uncached, self._prompts + 1)
        context_s = self._context_s + self._service.context_s(uncached, cached)
        return self._begins_at + compute_s + context_s

    def _schedule(self) -> None:
        """Note when it ends, and when its last step begins: what comes later is not in it."""
        compute_s = self._compute_s(self._tokens, self._prompts) if self._prompts else 0.0
        seconds = compute_s + self._context_s
        steps = self._service.steps(self._view.decoding, max(1, self._tokens))
        self._last_step_at = self._begins_at + seconds * (steps - 1) / steps
        self.ends_at = self._begins_at + seconds

    def _compute_s(self, tokens: int, prompts: int) -> float:
        view = self._view
        return self._service.backlog_s(view.decoding, view.kv_tokens, tokens, prompts)
