"""How long calls of one model have lately taken: first token, time per token, output length."""

from __future__ import annotations

from cato_backend.prediction.lengths import OutputLengths
from cato_backend.prediction.workflows import PlannedCall
from cato_backend.wire.headers import Task

_SMOOTHING = 0.1
_FIRST_TTFT_S = 0.2
_FIRST_TOKEN_S = 0.02
"""Before anything was observed; a mid-size model on a current GPU."""


class LearnedTimes:
    """Implements `CallTimes` from answers that have ended."""

    def __init__(self) -> None:
        self._lengths = OutputLengths()
        self._ttft_s: dict[Task, float] = {}
        self._token_s = _FIRST_TOKEN_S

    def observe(self, call: PlannedCall, tokens: int, ttft_s: float, e2e_s: float) -> None:
        """An answer came to its end. Seconds from when it was sent to a replica's queue."""
        self._lengths.observe(call.task, call.prompt_tokens, call.max_tokens, tokens, finished=True)
        before = self._ttft_s.get(call.task, ttft_s)
        self._ttft_s[call.task] = before + _SMOOTHING * (ttft_s - before)
        if tokens > 1:
            per_token = (e2e_s - ttft_s) / (tokens - 1)
            self._token_s += _SMOOTHING * (per_token - self._token_s)

    def median_tokens(self, call: PlannedCall) -> float:
        """Half of such answers are no longer."""
        return self._lengths.quantile(call.task, call.prompt_tokens, call.max_tokens, 0.5)

    def quantile_s(self, call: PlannedCall, q: float) -> float:
        """Seconds from sending to the last token; only the length is taken to be uncertain."""
        tokens = self._lengths.quantile(call.task, call.prompt_tokens, call.max_tokens, q)
        first = self._ttft_s.get(call.task, _FIRST_TTFT_S)
        return first + max(0.0, tokens - 1) * self._token_s
