"""Windows of an engine's steps whose duration and work are known, derived from token times.

Every stream of a replica gets one token a step, so the times at which tokens arrive show where
steps end, and the first tokens of answers show which prompts were computed in between. A window
begins and ends at such a boundary. Waiting is never part of a window: it lies between two tokens
of one stream, or between the dispatch to an idle replica and the first token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

_CLUSTER_SHARE = 0.35
"""Tokens that arrive within this share of a step of each other belong to the same step."""
_CLUSTER_MIN_S, _CLUSTER_MAX_S = 0.0005, 0.010
_DECODE_STEPS = 8
"""A window without a prompt ends after this many steps, so that jitter averages out."""
_DECODE_S = 0.25
"""Or after this many seconds, where steps are long."""
_UNSURE_SHARE = 0.25
"""Largest share of a window's prompt tokens that may lie outside of it."""
_LONGEST_S = 6.0
"""A window whose contents are still not known after this long is dropped."""


class Window(NamedTuple):
    """Some whole steps of one engine. Counts are means per step unless said otherwise."""

    seconds: float
    """Duration of all steps together; from an idle start, with the request's way in and out."""
    steps: float
    prefill_steps: float
    """The number of steps that compute a prompt."""
    prefill_tokens: float
    """Uncached prompt tokens, over all steps."""
    sequences: float
    kv_tokens: float
    """Context tokens of all sequences."""
    attention: float
    """Sum over prompts of uncached tokens x mean context, over all steps; see `StepLaw`."""
    from_idle: bool = False
    """Whether it began with a dispatch to an idle replica."""


@dataclass(slots=True)
class _Prompt:
    dispatched_at: float
    uncached: int
    cached: int

    @property
    def attention(self) -> float:
        return self.uncached * (self.cached + self.uncached / 2)


@dataclass(slots=True)
class _Open:
    """The window that is being filled."""

    began: float
    witness: str
    """The stream that counts its steps: the oldest one that decodes."""
    witness_tokens: int
    sequences: int
    kv_tokens: int
    edge: int
    """Tokens of the longest prompt that may have been computed in part when the window began."""
    prefill_tokens: int = 0
    prefill_steps: int = 0
    longest: int = 0
    """Tokens of the longest of these prompts."""
    attention: float = 0.0
    unsure: int = 0
    """Tokens of prompts that left before their first token: computed or not."""


class StepWindows:
    """The step windows of one replica.

    Calls come in the order of time; `decoding` and `kv_tokens` describe the replica after the
    event.
    """

    def __init__(self, step_tokens: int, chunk_tokens: int | None = None) -> None:
        """`chunk_tokens`: of one prompt in one step beside others; None: as many as fit."""
        self._step_tokens = step_tokens
        self._chunk_tokens = chunk_tokens or step_tokens
        self._unstarted: dict[str, _Prompt] = {}
        self._decoding: dict[str, int] = {}
        """Tokens of each stream that decodes, oldest first."""
        self._idle_start: str | None = None
        """The request that an idle replica was sent."""
        self._open: _Open | None = None
        self._cluster_at = float("-inf")
        self._cluster: set[str] = set()
        """Streams that had tokens in it."""
        self._cluster_has_prompt = False
        self._decoding_count = 0
        self._kv_tokens = 0
        self._step_s = 0.02
        self._cluster_s = _cluster_s(self._step_s)

    def dispatched(self, name: str, uncached: int, cached: int, now: float, *, idle: bool) -> None:
        """Record a request that was sent; the replica was `idle` if it had nothing to do."""
        self._unstarted[name] = _Prompt(now, max(1, uncached), cached)
        self._idle_start = name if idle else self._idle_start

    def tokens(
        self, name: str, count: int, now: float, decoding: int, kv_tokens: int
    ) -> Window | None:
        """Record tokens, and return a window that is complete, which ended before them."""
        had = self._decoding.get(name)
        if had is None and name not in self._unstarted:
            return None
        found = None
        if now - self._cluster_at > self._cluster_s:
            found = self._end_cluster()
            self._cluster_at = now
            self._cluster.clear()
            self._cluster_has_prompt = False
        if had is None or name in self._unstarted:
            prompt = self._unstarted.pop(name)
            found = self._first_token(name, prompt, now, decoding, kv_tokens) or found
        self._decoding[name] = (had or 0) + count
        self._cluster.add(name)
        self._decoding_count, self._kv_tokens = decoding, kv_tokens
        return found

    def counted(self, name: str, uncached: int, cached: int) -> None:
        """Record how much of a prompt the engine computed, before the first token."""
        prompt = self._unstarted.get(name)
        if prompt is not None:
            prompt.uncached, prompt.cached = max(1, uncached), cached

    def left(self, name: str) -> None:
        """Record that a request has left the replica."""
        self._decoding.pop(name, None)
        prompt = self._unstarted.pop(name, None)
        if self._idle_start == name:
            self._idle_start = None
        if self._open is not None:
            if prompt is not None and prompt.dispatched_at <= self._cluster_at:
                self._open.unsure += prompt.uncached
            if name == self._open.witness:
                self._open = None

    # -- steps ---------------------------------------------------------------------------------

    def _first_token(
        self, name: str, prompt: _Prompt, now: float, decoding: int, kv_tokens: int
    ) -> Window | None:
        if self._open is not None:
            self._open.prefill_tokens += prompt.uncached
            self._open.longest = max(self._open.longest, prompt.uncached)
            self._open.attention += prompt.attention
            if not self._cluster_has_prompt:
                self._open.prefill_steps += 1
        self._cluster_has_prompt = True
        if self._idle_start != name:
            return None
        self._idle_start = None
        steps = -(-prompt.uncached // self._step_tokens)
        # Others may have had a part of its later steps, or kept it to a chunk of each.
        shared = steps > 1 and (self._unstarted or self._decoding)
        if shared or now <= prompt.dispatched_at:
            return None
        return Window(
            now - prompt.dispatched_at,
            steps,
            steps,
            prompt.uncached,
            1,
            kv_tokens,
            prompt.attention,
            from_idle=True,
        )

    def _end_cluster(self) -> Window | None:
        """End the step at `_cluster_at`, once all that it brought has arrived."""
        if self._open is None:
            self._begin()
            return None
        if self._open.witness not in self._cluster:
            return None
        found = self._complete(self._open)
        if found is not None or self._cluster_at - self._open.began > _LONGEST_S:
            self._begin()
        return found

    def _complete(self, window: _Open) -> Window | None:
        """Return the open window, if it may end here."""
        steps = self._decoding[window.witness] - window.witness_tokens
        seconds = self._cluster_at - window.began
        if steps < 1 or seconds <= 0:
            return None
        if not window.prefill_tokens and steps < _DECODE_STEPS and seconds < _DECODE_S:
            return None
        unsure = window.edge + window.unsure + self._edge()
        if unsure > _UNSURE_SHARE * window.prefill_tokens:
            return None
        self._step_s += 0.2 * (seconds / steps - self._step_s)
        self._cluster_s = _cluster_s(self._step_s)
        prefill_steps = max(
            window.prefill_steps,
            -(-window.prefill_tokens // self._step_tokens),
            -(-window.longest // self._chunk_tokens),
        )
        return Window(
            seconds,
            steps,
            min(steps, prefill_steps),
            window.prefill_tokens,
            (window.sequences + self._decoding_count) / 2,
            (window.kv_tokens + self._kv_tokens) / 2,
            window.attention,
        )

    def _begin(self) -> None:
        # Of a stream that had no token just now, it is not known how many it is owed.
        witness = next((name for name in self._decoding if name in self._cluster), None)
        if witness is None:
            self._open = None
            return
        self._open = _Open(
            began=self._cluster_at,
            witness=witness,
            witness_tokens=self._decoding[witness],
            sequences=self._decoding_count,
            kv_tokens=self._kv_tokens,
            edge=self._edge(),
        )

    def _edge(self) -> int:
        """Return tokens of the longest prompt that may be computed in part.

        It was there when the step that has just ended began, and has no token yet.
        """
        began = self._cluster_at - self._step_s
        waiting = (p.uncached for p in self._unstarted.values() if p.dispatched_at < began)
        return max(waiting, default=0)


def _cluster_s(step_s: float) -> float:
    return min(_CLUSTER_MAX_S, max(_CLUSTER_MIN_S, _CLUSTER_SHARE * step_s))
