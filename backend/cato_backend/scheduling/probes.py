"""A calibration's requests on one replica, beside the ledger: what they teach of its law."""

from __future__ import annotations

from dataclasses import dataclass

from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.scheduling.events import ProbeEnded, ProbeEvent, ProbeProgressed, ProbeSent


@dataclass(slots=True)
class _Probe:
    prompt_tokens: int
    emitted: int = 0


class Probes:
    """Those under way."""

    def __init__(self, learned: LearnedLaw) -> None:
        self._learned = learned
        self._probes: dict[str, _Probe] = {}

    def __len__(self) -> int:
        return len(self._probes)

    @property
    def decoding(self) -> int:
        """Those that have had their first token."""
        return sum(1 for probe in self._probes.values() if probe.emitted)

    @property
    def kv_tokens(self) -> int:
        """Context tokens of all of them."""
        return sum(probe.prompt_tokens + probe.emitted for probe in self._probes.values())

    def take(self, event: ProbeEvent, decoding: int, kv_tokens: int, now: float) -> None:
        """An event of one; `decoding` and `kv_tokens` are those of the ledger's requests."""
        match event:
            case ProbeSent():
                self._sent(event, now, idle=event.alone and not self._probes and not kv_tokens)
            case ProbeProgressed():
                self._progressed(event, decoding, kv_tokens, now)
            case ProbeEnded(_, name):
                if self._probes.pop(name, None) is not None:
                    self._learned.left(name)

    def _sent(self, event: ProbeSent, now: float, *, idle: bool) -> None:
        uncached, cached = event.uncached_tokens, event.cached_tokens
        self._probes[event.name] = _Probe(uncached + cached)
        self._learned.dispatched(event.name, uncached, cached, now, idle=idle)

    def _progressed(
        self, event: ProbeProgressed, decoding: int, kv_tokens: int, now: float
    ) -> None:
        probe = self._probes.get(event.name)
        if probe is None:
            return
        uncached, cached = event.uncached_tokens, event.cached_tokens
        if uncached is not None and cached is not None:
            probe.prompt_tokens = uncached + cached
            self._learned.counted(event.name, uncached, cached)
        probe.emitted += event.tokens
        decoding, kv_tokens = decoding + self.decoding, kv_tokens + self.kv_tokens
        self._learned.tokens(event.name, event.tokens, now, decoding, kv_tokens)
