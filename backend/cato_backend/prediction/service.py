"""Predicts how long a request takes on a replica, from its step law and its other work.

Closed forms of a few multiplications each, because a policy asks thousands of times a second. They
follow vLLM's scheduler: each step decodes one token of every started sequence and fills the rest of
its token budget with prefill, in chunks, in the order of the queue.
"""

from __future__ import annotations

import math

from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.requests import value

_TURNOVER_S = 5.0
"""After so long, two thirds of what a replica decodes now has been replaced by others."""
_TYPICAL_PROMPT = 500.0
"""Uncached tokens."""


@value
class ReplicaState:
    """Work of a replica, without the request that is predicted."""

    decoding: int = 0
    """Sequences that have had their first token."""
    kv_tokens: int = 0
    """Context tokens of all that run on it."""
    pending_prefill: int = 0
    """Uncached prompt tokens that will be computed before the request's own."""
    unstarted: int = 0
    """The requests that these belong to."""
    prefill_rate: float = 0.0
    """Uncached prompt tokens per second that keep coming in; they stretch every decode."""
    usual_decoding: float | None = None
    """Average number of decoding sequences over about the last minute; None where not known."""
    computing: int = 0
    """Of `pending_prefill`, what was sent before the step under way began: it is at work on it."""
    since_step_s: float | None = None
    """How long ago that step began: when the last token came. None where that is not known."""


@value
class Work:
    """Work of a request, in tokens."""

    uncached: int
    """Uncached tokens of its prompt; at least 1: an engine always computes the last token."""
    cached: int = 0
    output: float = 1
    """A quantile of its output length."""


@value
class ServiceModel:
    """Seconds on one replica."""

    law: StepLaw
    limits: EngineLimits

    @classmethod
    def of(cls, profile: Profile) -> ServiceModel:
        """From a profile."""
        return cls(profile.law, profile.limits)

    def ttft_s(self, state: ReplicaState, work: Work) -> float:
        """From sending the request to its first token.

        What is left of the step under way, what is ahead, its own prompt, and those that come in
        meanwhile and share its last step.
        """
        if not state.decoding and not state.pending_prefill:
            return self._idle_ttft_s(state.kv_tokens, work)
        wait, computed = self._step_under_way(state)
        pending = state.pending_prefill - computed
        riding = int(state.prefill_rate * wait)
        prompts = max(1, state.unstarted)
        before = self._computed_before(work.uncached, pending, prompts, state.decoding)
        ahead = self._attention(pending, 0, prompts) * before / max(1, pending)
        own = self._attention(work.uncached, work.cached, 1)
        kv_tokens = state.kv_tokens + work.uncached + work.cached
        room = self._room(state.decoding, prompts + 1 if pending else 1)
        tokens = before + work.uncached
        return wait + ahead + own + self._chunks_s(tokens, room, state.decoding, kv_tokens, riding)

    def _idle_ttft_s(self, kv_tokens: int, work: Work) -> float:
        """Return the same for a replica that has nothing to do."""
        kv_tokens += work.uncached + work.cached
        own = self._attention(work.uncached, work.cached, 1)
        return own + self._chunks_s(work.uncached, self._room(0, 1), 0, kv_tokens)

    def _computed_before(self, uncached: int, pending: int, prompts: int, decoding: int) -> int:
        """Return the pending tokens that are computed before a prompt of `uncached` tokens.

        They are those of the `prompts` ahead: all, unless an engine with a threshold computes it
        beside.
        """
        threshold = self.limits.long_prefill_token_threshold
        if not threshold or pending <= 0:
            return max(0, pending)
        room = self._room(decoding)
        lanes = -(-room // threshold)  # The last one is narrower.
        queued = max(0, prompts + 1 - lanes) * pending // prompts
        beside = threshold * min(prompts, lanes - 1)
        steps = -(-uncached // min(threshold, room - beside))
        return min(pending, queued + steps * beside)

    def _step_under_way(self, state: ReplicaState) -> tuple[float, int]:
        """Return seconds that it will continue, and the prompt tokens that it computes."""
        prompts, pending = max(1, state.unstarted), max(1, state.pending_prefill)
        chunk = min(state.computing, self._room(state.decoding, prompts))
        sequences = state.decoding + (1 if chunk else 0)
        step = self.law.seconds(chunk + state.decoding, sequences, state.kv_tokens)
        step += self._attention(pending, 0, prompts) * chunk / pending
        if state.since_step_s is None:
            return step / 2, chunk
        return max(0.0, step - state.since_step_s), chunk

    def token_s(self, sequences: float, kv_tokens: float, prefill_rate: float = 0.0) -> float:
        """Return seconds between two tokens of a stream.

        So many sequences decode, and prompts of `prefill_rate` tokens a second are computed beside
        them. The result is at most ten times the undisturbed step.

        Solves t = law(sequences) + prefill_rate * t * (what a prompt token adds to its step).
        """
        alone = self.law.seconds(sequences, sequences, kv_tokens)
        share = prefill_rate * self._prompt_token_s(sequences, kv_tokens)
        return 10 * alone if share >= 0.9 else alone / (1 - share)

    def _prompt_token_s(self, sequences: float, kv_tokens: float) -> float:
        """Return what a token of a typical prompt adds.

        In the max form those that are computed while the weights are read anyway come for free.
        """
        law = self.law
        if law.form == "additive" or not law.per_new_token:
            return law.per_new_token
        free = (law.weights + law.per_kv_token * kv_tokens) / law.per_new_token - sequences
        return law.per_new_token * max(0.0, 1 - max(0.0, free) / _TYPICAL_PROMPT)

    def decode_s(self, state: ReplicaState, tokens: float) -> float:
        """Return seconds for further tokens of a sequence that decodes beside others.

        There are as many others as now at first, and later on as many as usual.
        """
        at_once = tokens * self._token_beside_s(state, state.decoding, tokens, 0.0)
        if at_once <= 0.0:
            return 0.0
        beside: float = state.decoding
        if state.usual_decoding is not None:
            lasting = _TURNOVER_S / at_once * -math.expm1(-at_once / _TURNOVER_S)
            beside = state.usual_decoding + (state.decoding - state.usual_decoding) * lasting
        # A short answer rather meets no prompt than a bit of the average one.
        met = -math.expm1(-state.prefill_rate * at_once / _TYPICAL_PROMPT)
        return tokens * self._token_beside_s(state, beside, tokens, state.prefill_rate * met)

    def _token_beside_s(
        self, state: ReplicaState, beside: float, tokens: float, prefill_rate: float
    ) -> float:
        """Return the mean step while `tokens` are decoded beside this number of sequences."""
        sequences = beside + 1
        per_sequence = state.kv_tokens / max(1, state.decoding)
        kv_tokens = per_sequence * max(1.0, beside) + sequences * tokens / 2
        return self.token_s(sequences, kv_tokens, prefill_rate)

    def e2e_s(self, state: ReplicaState, work: Work) -> float:
        """From sending the request to its last token; those ahead of it decode beside it."""
        return self.ttft_s(state, work) + self.after_first_s(state, work)

    def after_first_s(self, state: ReplicaState, work: Work) -> float:
        """From its first token to its last."""
        then = ReplicaState(
            decoding=state.decoding + state.unstarted,
            kv_tokens=state.kv_tokens + work.uncached + work.cached,
            prefill_rate=state.prefill_rate,
            usual_decoding=state.usual_decoding,
        )
        return self.decode_s(then, max(0.0, work.output - 1))

    def prefill_s(self, state: ReplicaState, work: Work) -> float:
        """Return all steps in which the prompt is computed, once the step under way has ended."""
        return self.prompt_s(state.decoding, state.kv_tokens, work.uncached, work.cached)

    def prompt_s(self, decoding: int, kv_tokens: int, uncached: int, cached: int) -> float:
        """Return the same from the bare counts.

        A policy asks it of every replica for every request.
        """
        seconds = self._chunks_s(uncached, self._room(decoding, 1), decoding, kv_tokens)
        if self.law.per_attention:
            seconds += self._attention(uncached, cached, 1)
        return seconds

    def steps(self, decoding: int, uncached: int) -> int:
        """In how many steps a prompt is computed."""
        return -(-uncached // self._room(decoding, 1))

    def work_s(self, uncached: int, cached: int) -> float:
        """Return seconds of computing that a prompt adds to steps that are taken anyway.

        In the max form that is hidden where a step reads more than it computes, but it fills the
        step up.
        """
        return self.law.per_new_token * uncached + self._attention(uncached, cached, 1)

    def backlog_s(self, decoding: int, kv_tokens: int, uncached: int, prompts: int) -> float:
        """Return seconds to compute this many prompts of `uncached` tokens together."""
        attention = self._attention(uncached, 0, max(1, prompts))
        room = self._room(decoding, max(1, prompts))
        return self._chunks_s(uncached, room, decoding, kv_tokens) + attention

    def context_s(self, uncached: int, cached: int) -> float:
        """Return seconds of attention of `uncached` tokens to those in front of them."""
        return self.law.per_attention * uncached * cached

    def stall_s(self, state: ReplicaState, work: Work) -> float:
        """Return the seconds by which this prompt delays every sequence that decodes."""
        steps = self.steps(state.decoding, work.uncached)
        plain = self.law.seconds(state.decoding, state.decoding, state.kv_tokens)
        return max(0.0, self.prefill_s(state, work) - steps * plain)

    def _room(self, decoding: int, prompts: int | None = None) -> int:
        """Return the prefill tokens that fit into one step; of `prompts` prompts, if given."""
        limits = self.limits
        room = max(1, limits.max_num_batched_tokens - decoding)
        if prompts is None or not limits.long_prefill_token_threshold or decoding + prompts == 1:
            return room
        return min(room, prompts * limits.long_prefill_token_threshold)

    def _chunks_s(
        self, tokens: int, room: int, decoding: int, kv_tokens: float, riding: int = 0
    ) -> float:
        """Return the seconds of all steps that `tokens` prefill tokens take, `room` in a step.

        Their attention is not counted; `riding` further tokens fill up the last step.
        """
        law = self.law
        full, rest = divmod(max(1, tokens) - 1, room)
        last = min(rest + 1 + riding, room)
        seconds = law.seconds(last + decoding, decoding + 1, kv_tokens)
        if full:
            seconds += full * law.seconds(room + decoding, decoding + 1, kv_tokens)
        return seconds

    def _attention(self, uncached: int, cached: int, prompts: int) -> float:
        """Return the seconds of attention of `prompts` prompts that share the tokens evenly."""
        if not self.law.per_attention:
            return 0.0
        return self.law.per_attention * uncached * (cached + uncached / prompts / 2)
