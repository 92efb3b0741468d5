"""The estimate of one replica's step law: a prior that its streams update."""

from __future__ import annotations

from dataclasses import dataclass

from cato_backend.prediction.kept_law import KeptLaw
from cato_backend.prediction.law_filter import LawFilter
from cato_backend.prediction.step_windows import StepWindows, Window
from cato_backend.profile_files.profile import EngineLimits, Form, Profile, StepLaw

UNKNOWN_LAW = StepLaw(
    "max",
    base=0.004,
    weights=0.010,
    per_new_token=0.0001,
    per_sequence=5e-5,
    per_kv_token=3e-8,
    per_attention=2e-9,
)
"""Where no profile is known: a 7B model on a data-centre GPU (bf16, A100 class)."""
_UNKNOWN_COMMON, _UNKNOWN_OWN = 1.0, 0.7
_OWN_SHARE = 0.6
"""Of a profile's declared spread, what each term may be off by itself."""
_OVERHEAD_S = 0.004
_FORM_LEAD = 0.04
"""A law of the other form must explain windows better by this mean log-likelihood: some e^2 times
as likely over what it remembers."""
TYPICAL = Window(0.0, 1, 1, 400, 8, 8_000, 160_000)
"""A step with a prompt of usual size: what the spread of a law is told for."""


@dataclass(frozen=True, slots=True)
class LawBelief:
    """A snapshot of a learned law."""

    law: StepLaw
    overhead_s: float
    spread: float
    """Relative standard deviation of the predicted time of a typical step."""
    noise: float
    """Relative standard deviation of single windows around the law."""


class LearnedLaw:
    """Updated by the replica's events, in the order of time; see `StepWindows` for the counts.

    Two filters run side by side, one for each form of the law; the one that explains the replica's
    windows better speaks.
    """

    def __init__(
        self,
        profile: Profile | None,
        kept: KeptLaw | None = None,
        limits: EngineLimits | None = None,
    ) -> None:
        """Begin with a profile's law and limits.

        `kept`, what was learned before, takes precedence over the law, and `limits` over the
        limits.
        """
        self.limits = limits or (profile.limits if profile is not None else EngineLimits())
        self._filters = _fresh(profile) if kept is None else _restored(kept)
        limits = self.limits
        self._windows = StepWindows(limits.max_num_batched_tokens, limits.longest_chunk)
        self._speaks = 0 if kept is None else kept.speaks
        self._observed_at: float | None = None
        self._kept_windows = 0 if kept is None else kept.windows
        self.windows = 0
        """Windows learned from since it is there."""
        self._law: StepLaw | None = None
        self._belief: LawBelief | None = None
        """None until it is asked for again: under load windows end more often than that."""

    @property
    def law(self) -> StepLaw:
        """The law of `belief`, without its uncertainty, which takes longer to compute."""
        if self._law is None:
            self._law = self._filters[self._speaks].law
        return self._law

    @property
    def overhead_s(self) -> float:
        """The overhead of `belief`."""
        return self._filters[self._speaks].overhead_s

    @property
    def belief(self) -> LawBelief:
        """The current estimate; the same object until something is learned."""
        if self._belief is None:
            self._belief = self._believe()
        return self._belief

    @property
    def all_windows(self) -> int:
        """Windows learned from, those of earlier runs included."""
        return self._kept_windows + self.windows

    def kept(self, now: float) -> KeptLaw:
        """Return its state as values."""
        first, second = (each.kept for each in self._filters)
        return KeptLaw((first, second), self._speaks, self.all_windows, self.age_s(now) or 0.0)

    def age_s(self, now: float) -> float | None:
        """Return seconds since a window was last learned from; None before the first."""
        return None if self._observed_at is None else max(0.0, now - self._observed_at)

    def dispatched(self, name: str, uncached: int, cached: int, now: float, *, idle: bool) -> None:
        """Record a request that was sent; the replica was `idle` if it had nothing to do."""
        self._windows.dispatched(name, uncached, cached, now, idle=idle)

    def tokens(self, name: str, count: int, now: float, decoding: int, kv_tokens: int) -> bool:
        """Learn from tokens that arrived, and return whether the belief has changed."""
        window = self._windows.tokens(name, count, now, decoding, kv_tokens)
        if window is None:
            return False
        self.learn(window, now)
        return True

    def counted(self, name: str, uncached: int, cached: int) -> None:
        """Record how much of a prompt the engine computed, before the first token."""
        self._windows.counted(name, uncached, cached)

    def left(self, name: str) -> None:
        """Record that a request has left the replica."""
        self._windows.left(name)

    def learn(self, window: Window, now: float) -> None:
        """Record a stretch of its work that ended now."""
        elapsed_s = 0.0 if self._observed_at is None else now - self._observed_at
        for each in self._filters:
            each.observe(window, elapsed_s)
        self._observed_at = now
        self.windows += 1
        speaking, other = self._filters[self._speaks], self._filters[1 - self._speaks]
        if other.score > speaking.score + _FORM_LEAD:
            self._speaks = 1 - self._speaks
        self._law = self._belief = None

    def _believe(self) -> LawBelief:
        filter_ = self._filters[self._speaks]
        return LawBelief(self.law, filter_.overhead_s, filter_.spread(TYPICAL), filter_.noise)


def _fresh(profile: Profile | None) -> list[LawFilter]:
    law = profile.law if profile is not None else UNKNOWN_LAW
    common = profile.spread if profile is not None else _UNKNOWN_COMMON
    own = _OWN_SHARE * common if profile is not None else _UNKNOWN_OWN
    other: Form = "additive" if law.form == "max" else "max"
    return [
        LawFilter.of_prior(law, law.form, _OVERHEAD_S, common, own),
        LawFilter.of_prior(law, other, _OVERHEAD_S, common, max(own, 0.5 * common)),
    ]


def _restored(kept: KeptLaw) -> list[LawFilter]:
    return [LawFilter.restored(each, *kept.widening) for each in kept.filters]
