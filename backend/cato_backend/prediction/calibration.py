"""Chooses the probes that show the step law of an idle replica soonest, and decides when to stop.

Probes are sent in rounds, each when the one before has ended: a single short answer (the way in
and out, a step), prompts of growing length (a prompt token), one that begins as an earlier one
did (the prefix cache, attention), short answers side by side (a sequence), and prompts beside an
answer, whose tokens show how long they take without the way in and out. Each round is sent only if
it is expected to fit into what is left of the time, but for the first, which is cut to fit and sent
again while it shows that the replica is not as believed: what was learned of it before may be of a
day on which its machine was busy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from cato_backend.prediction.learned_law import LawBelief
from cato_backend.prediction.service import ReplicaState, ServiceModel, Work
from cato_backend.profile_files.profile import EngineLimits

LONGEST_S = 3.0
"""A calibration is over after so long, whatever it has found."""
_LONGEST_ROUND_S = 1.0
_LONGEST_PROMPT_S = 0.25
"""Expected time of a prompt: what comes meanwhile waits for the step under way."""
_SHORTEST_PROMPT = 64
"""Tokens of a prompt that is cut to fit."""
_TAIL = 32
"""Tokens that a repeated prompt has behind its known head."""
_FITS = 0.5
"""Share of the cold time within which a repeated prompt's first token shows that it was cached."""
_FITS_NOT = 0.8
"""And beyond which it shows that it was computed again."""


class Probe(NamedTuple):
    """One request of a calibration."""

    name: str
    prompt: int
    """Prompts of the same number begin with the same text; those of others share nothing."""
    prompt_tokens: int
    known_tokens: int
    """At the prompt's head, that the replica has computed for an earlier probe."""
    output_tokens: int
    beside: bool = False
    """Sent once the first of its round has had its first token."""


class ProbePlan(NamedTuple):
    """One round of probes that are sent at once."""

    probes: int
    prompt_tokens: int
    output_tokens: int
    repeats: bool = False
    """Begins as the longest prompt so far did."""
    beside: int = 0
    """Tokens of a prompt that is computed while the probe decodes."""


_FIRST_PROMPT = 16
_FIRST_OUTPUTS = (17, 9, 5, 3, 2)
"""Tokens of the first answer: as many as fit, and the fewest where none do."""
_MOST_FIRST = 12
"""Times that it is sent at most: what some servers stream says nothing of their steps."""
_FASTER = 0.5
"""Share of the expected time within which it shows that the replica is not as believed."""
_ROUNDS = (
    ProbePlan(1, 128, 1),
    ProbePlan(1, 512, 1),
    ProbePlan(1, 2048, 9),
    ProbePlan(1, 2048, 9, repeats=True),
    ProbePlan(1, 16, 13, beside=512),
    ProbePlan(16, 64, 49),
    ProbePlan(1, 16, 13, beside=1024),
    ProbePlan(1, 256, 17, beside=256),
    ProbePlan(1, 1024, 1),
    ProbePlan(1, 64, 17, beside=2048),
)


@dataclass(frozen=True, slots=True)
class ProbeBounds:
    """Bounds of the probes of one replica."""

    limits: EngineLimits
    longest_prompt: int
    """Tokens."""
    most_at_once: int


class Calibration:
    """The calibration of one replica, from `began` on. Times in seconds on any clock."""

    def __init__(self, bounds: ProbeBounds, began: float) -> None:
        self._bounds = bounds
        self._ends = began + LONGEST_S
        self._rounds = list(_ROUNDS)
        self._prompts = 0
        self._probes = 0
        self._as_believed_from = began
        """An answer to the first probe before this came much faster than is believed."""
        self._longest: Probe | None = None
        self._cold_s: dict[int, float] = {}
        """Times to the first token of prompts that were computed whole, by number."""

    def next_round(self, belief: LawBelief, now: float) -> tuple[Probe, ...]:
        """Return the probes to be sent now, together; none where the calibration is over."""
        if now >= self._ends:
            return ()
        if not self._probes:
            return self._first(belief, now)
        if now < self._as_believed_from and self._probes < _MOST_FIRST:
            return self._expecting(self._short(_FIRST_OUTPUTS[0]), belief, now)
        while self._rounds:
            probes = self._probes_of(self._rounds.pop(0), belief)
            if probes and now + self._expected_s(probes, belief) <= self._ends:
                return probes
        return ()

    def cached_tokens(self, probe: Probe, first_token_s: float) -> int | None:
        """Return the prompt's cached tokens, judged by its first token; None if unclear."""
        if not probe.known_tokens:
            self._cold_s[probe.prompt] = first_token_s
            return 0
        share = first_token_s / self._cold_s.get(probe.prompt, first_token_s)
        if share <= _FITS:
            return probe.known_tokens
        return 0 if share >= _FITS_NOT else None

    def _first(self, belief: LawBelief, now: float) -> tuple[Probe, ...]:
        """Return the first probe, with as long an answer as fits."""
        shortest = self._longest = self._short(_FIRST_OUTPUTS[-1])
        probes = (shortest._replace(output_tokens=tokens) for tokens in _FIRST_OUTPUTS)
        fitting = (p for p in probes if now + self._expected_s((p,), belief) <= self._ends)
        return self._expecting(next(fitting, shortest), belief, now)

    def _short(self, output_tokens: int) -> Probe:
        return self._fresh(min(_FIRST_PROMPT, self._bounds.longest_prompt), output_tokens)

    def _expecting(self, first: Probe, belief: LawBelief, now: float) -> tuple[Probe, ...]:
        in_steps_s = self._expected_s((first,), belief) - belief.overhead_s
        self._as_believed_from = now + _FASTER * in_steps_s
        return (first,)

    def _probes_of(self, plan: ProbePlan, belief: LawBelief) -> tuple[Probe, ...]:
        if plan.repeats:
            return self._repeated(plan)
        longest = min(self._bounds.longest_prompt, self._longest_now(belief))
        tokens, beside = min(plan.prompt_tokens, longest), min(plan.beside, longest)
        most = self._bounds.most_at_once
        if tokens < min(plan.prompt_tokens, _SHORTEST_PROMPT) or (plan.beside and most < 2):
            return ()
        probes = [self._fresh(tokens, plan.output_tokens) for _ in range(min(plan.probes, most))]
        if self._longest is None or tokens > self._longest.prompt_tokens:
            self._longest = probes[0]
        if beside:
            probes.append(self._fresh(beside, 1, beside=True))
        return tuple(probes)

    def _fresh(self, tokens: int, output_tokens: int, *, beside: bool = False) -> Probe:
        self._prompts += 1
        return Probe(self._name(), self._prompts, tokens, 0, output_tokens, beside)

    def _repeated(self, plan: ProbePlan) -> tuple[Probe, ...]:
        longest = self._longest
        if longest is None or longest.prompt not in self._cold_s:
            return ()
        tokens = min(longest.prompt_tokens + _TAIL, self._bounds.longest_prompt)
        known = longest.prompt_tokens - longest.prompt_tokens % self._bounds.limits.block_size
        known = min(known, tokens - 1)
        probe = Probe(self._name(), longest.prompt, tokens, known, plan.output_tokens)
        return (probe,)

    def _name(self) -> str:
        self._probes += 1
        return f"probe-{self._probes}"

    def _longest_now(self, belief: LawBelief) -> int:
        """Return the prompt tokens computed within the bound, by the worst likely law."""
        service = ServiceModel(belief.law, self._bounds.limits)
        pessimism = 1 + belief.spread
        low, high = 1, self._bounds.longest_prompt
        while low < high:
            middle = (low + high + 1) // 2
            fits = pessimism * service.prompt_s(0, 0, middle, 0) <= _LONGEST_PROMPT_S
            low, high = (middle, high) if fits else (low, middle - 1)
        return low

    def _expected_s(self, probes: tuple[Probe, ...], belief: LawBelief) -> float:
        service = ServiceModel(belief.law, self._bounds.limits)
        first, others = probes[0], probes[1:]
        ahead = ReplicaState(
            pending_prefill=sum(each.prompt_tokens for each in others), unstarted=len(others)
        )
        uncached = first.prompt_tokens - first.known_tokens
        work = Work(uncached, first.known_tokens, first.output_tokens)
        return belief.overhead_s + service.e2e_s(ahead, work)
