"""Readings of a replica's engine beside the ledger: its capacity, and a calibration's probes.

vLLM tells the size of its KV cache, but not its `max_num_seqs`. A request that waits there while
everything that runs decodes waits for a slot or for KV blocks, though: decoding never uses up the
tokens of a step.
"""

from __future__ import annotations

from dataclasses import dataclass

from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.scheduling.events import (
    LoadReported,
    ProbeEnded,
    ProbeEvent,
    ProbeProgressed,
    ProbeSent,
)

_LOOKS = 3
"""That must agree: one alone may have caught a request that had just come."""
_FULL = 0.9
"""Share of KV blocks from which a waiting request may lack blocks and not a slot."""
_CONFIRMED_S = 30.0
"""Seconds after which one request more is tried: the assumed limit may have been none."""


class EngineCapacity:
    """Observed capacity of one replica. Times on the scheduler's clock."""

    def __init__(self) -> None:
        self._most = 0
        """Most that ever ran."""
        self._agreed = 0
        """Looks that showed it as the limit."""
        self._confirmed_at = 0.0
        self.slots: int | None = None
        """Requests that run at once; None where it is not known."""
        self.kv_tokens: int | None = None
        """Tokens for which there are KV blocks; None where it is not reported."""
        self._uncounted = 0.0
        """Tokens in KV blocks less those that the ledger counted, at the last look."""

    def look(
        self, load: LoadReported, ours: int, decoding: int, kv_tokens: int, now: float
    ) -> None:
        """Take in one look at the engine's metrics.

        By the ledger, `ours` requests are there, `decoding` of them have had a token, and they have
        `kv_tokens` of context. A load above `ours` shows nothing of slots.
        """
        self.kv_tokens = load.kv_tokens
        self._uncounted = 0.0
        if load.kv_usage is not None:
            self._uncounted = load.kv_usage * (load.kv_tokens or 0) - kv_tokens
        if load.running + load.waiting <= ours:
            self._look_for_slots(load, decoding, now)

    def held(self, kv_tokens: int) -> float:
        """Return the tokens in KV blocks.

        `kv_tokens`: by the ledger, which counts shared blocks once for each prompt. What has come
        since the last look is counted in full.
        """
        return max(0.0, kv_tokens + self._uncounted)

    def _look_for_slots(self, load: LoadReported, decoding: int, now: float) -> None:
        if load.running > self._most:
            self._most, self._agreed = load.running, 0
        waits_for_slot = load.waiting > 0 and (load.kv_usage or 0.0) < _FULL
        if waits_for_slot and decoding >= load.running == self._most:
            self._agreed += 1
            self._confirmed_at = now
        tried = now > self._confirmed_at + _CONFIRMED_S
        self.slots = max(1, self._most) + tried if self._agreed >= _LOOKS else None


@dataclass(slots=True)
class _Probe:
    prompt_tokens: int
    emitted: int = 0


class Probes:
    """The probes under way."""

    def __init__(self, learned: LearnedLaw) -> None:
        self._learned = learned
        self.under_way: dict[str, _Probe] = {}
        """By name; only this class writes to it."""

    def __len__(self) -> int:
        return len(self.under_way)

    @property
    def decoding(self) -> int:
        """Those that have had their first token."""
        return sum(1 for probe in self.under_way.values() if probe.emitted)

    @property
    def kv_tokens(self) -> int:
        """Context tokens of all of them."""
        return sum(probe.prompt_tokens + probe.emitted for probe in self.under_way.values())

    def take(self, event: ProbeEvent, decoding: int, kv_tokens: int, now: float) -> None:
        """Record an event of one; `decoding` and `kv_tokens` are those of the ledger's requests."""
        match event:
            case ProbeSent():
                self._sent(event, now, idle=event.alone and not self.under_way and not kv_tokens)
            case ProbeProgressed():
                self._progressed(event, decoding, kv_tokens, now)
            case ProbeEnded(_, name):
                if self.under_way.pop(name, None) is not None:
                    self._learned.left(name)

    def _sent(self, event: ProbeSent, now: float, *, idle: bool) -> None:
        uncached, cached = event.uncached_tokens, event.cached_tokens
        self.under_way[event.name] = _Probe(uncached + cached)
        self._learned.dispatched(event.name, uncached, cached, now, idle=idle)

    def _progressed(
        self, event: ProbeProgressed, decoding: int, kv_tokens: int, now: float
    ) -> None:
        probe = self.under_way.get(event.name)
        if probe is None:
            return
        uncached, cached = event.uncached_tokens, event.cached_tokens
        if uncached is not None and cached is not None:
            probe.prompt_tokens = uncached + cached
            self._learned.counted(event.name, uncached, cached)
        probe.emitted += event.tokens
        decoding, kv_tokens = decoding + self.decoding, kv_tokens + self.kv_tokens
        self._learned.tokens(event.name, event.tokens, now, decoding, kv_tokens)
