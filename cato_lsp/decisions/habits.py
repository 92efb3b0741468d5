"""Learns a person's habits: when to ask, and which suggestions are likely to be accepted.

The debounce follows from how a person types. The gaps between keys within a burst are log-normal,
and each key ends the burst with about the same probability. This gives the probability that a
person who has paused for a while pauses until the answer is there, and so when a request pays.

Acceptance is a naive Bayes estimate over a few signals, each shrunk towards no effect until it was
seen often. It orders suggestions better than it estimates probabilities, because signals are
correlated: long suggestions are also less certain.

A person who pauses reads the suggestion, and accepts it if it is what they want. If they type on
although the suggestion begins with what they type, the rest is probably wrong. It is then shown
again only as far as its probability is higher than was required before.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass

from cato_backend.wire.headers import Task

LONGEST_GAP_S = 1.0
"""A longer gap is a pause between bursts."""

KEYS_KEPT = 64

_PRIOR_KEYS = 8
"""How many keys the typical rhythm counts for, until the person's own is known."""

_TYPICAL_SPREAD = 0.5

_LEAST_SPREAD = 0.1

_PAUSE_SHARE = 1 / 16

_STEP_MS = 10

PATIENT = 0.8
"""How likely the person must be to wait for the answer where the backend is full."""

EAGER = 0.2
"""The same where it is idle: an answer that is typed along with is not lost."""

TYPICAL_TTFT_MS = 100.0
"""Until the backend's own is known."""

LOOK_AHEAD_MS = 2000
"""The budget of requests that no person waits for yet: they are served after the others."""

MIN_BUDGET_SHARE = 0.5

LEAST_SEEN = 100
"""Suggestions whose outcome must be known before anything is said."""

TYPICAL_ACCEPTANCE = 0.3
"""Of what is shown; published rates are 22% to 34%."""

_PRIOR_SUGGESTIONS = 20.0
"""How many suggestions the typical rate, and a signal's saying nothing, count for."""

_RECENT_SEEN = 8

LEAST_ESTIMATED = 0.8
"""Where nothing is set: an estimate is not as good as what an engine tells."""

REST_S = 0.5
"""A person who pauses for this time has read the suggestion."""

LEFT_THOUGH_RIGHT = 0.4
"""The probability that a person types on although the suggestion is right."""

_REMEMBERED = 16


_TYPICAL_LN_S = math.log(0.17)


SHOW_BY_MS = {Task.COMPLETION: 250.0, Task.GENERATION: 1500.0}
"""From then on the text so far is shown, as far as its lines are whole; the rest is there when
the person types on. Ghost text cannot grow: editors take one answer."""


class TypingRhythm:
    """The gaps between one person's last keys."""

    def __init__(self) -> None:
        self._gaps: deque[float] = deque(maxlen=KEYS_KEPT)
        self._last_s: float | None = None
        self.gap_s = 0.0
        """Between the last two keys."""
        self._mean, self._spread = _TYPICAL_LN_S, _TYPICAL_SPREAD

    def key(self, now_s: float) -> None:
        """Record that a key was pressed."""
        self.gap_s = now_s - self._last_s if self._last_s is not None else 0.0
        self._last_s = now_s
        if 0 < self.gap_s <= LONGEST_GAP_S:
            self._gaps.append(math.log(self.gap_s))
            self._fit()

    def still(self, after_ms: float) -> float:
        """Return the probability that no key comes within that time of the last one."""
        if after_ms < 1:
            return 1.0
        deviations = (math.log(after_ms / 1000) - self._mean) / self._spread
        typing_on = 0.5 * math.erfc(deviations / math.sqrt(2))
        return _PAUSE_SHARE + (1 - _PAUSE_SHARE) * typing_on

    def _fit(self) -> None:
        """Fit mean and standard deviation of the logarithm, drawn towards the typical ones."""
        known = len(self._gaps) + _PRIOR_KEYS
        self._mean = (sum(self._gaps) + _PRIOR_KEYS * _TYPICAL_LN_S) / known
        squares = sum((gap - self._mean) ** 2 for gap in self._gaps)
        spread = math.sqrt((squares + _PRIOR_KEYS * _TYPICAL_SPREAD**2) / known)
        self._spread = max(spread, _LEAST_SPREAD)


def debounce_ms(
    rhythm: TypingRhythm, *, answer_ms: float, load: float, editor_ms: float, longest_ms: float
) -> float:
    """Return the debounce in milliseconds, counted from the editor's request.

    The least pause that is likely enough to last for the `answer_ms` of an answer: with probability
    `EAGER` where the backend is idle, `PATIENT` where its `load` (0..1) is full. `editor_ms`: the
    editor's own wait so far. Never above `longest_ms`.
    """
    enough = EAGER + (PATIENT - EAGER) * min(max(load, 0.0), 1.0)
    waited_ms = editor_ms
    while waited_ms < editor_ms + longest_ms:
        if rhythm.still(waited_ms + answer_ms) >= enough * rhythm.still(waited_ms):
            break
        waited_ms += _STEP_MS
    return min(waited_ms - editor_ms, longest_ms)


def budget_ms(target_ms: float, *, spent_ms: float, round_trip_ms: float) -> int:
    """Return what is left of a TTFT target once the request is on the wire.

    A wait that was chosen because the backend is busy leaves half of the target at least: less
    than that no backend could meet.
    """
    return int(max(target_ms - spent_ms - round_trip_ms, target_ms * MIN_BUDGET_SHARE))


@dataclass(frozen=True, slots=True)
class Signals:
    """Known properties of a suggestion before it is shown."""

    characters: int
    lines: int
    begins_line: bool
    language: str
    confidence: float | None = None
    """The probability that it is right, by the engine's word."""


class Acceptance:
    """Learns the probability of acceptance from the outcomes of suggestions, in their order."""

    def __init__(self) -> None:
        self._seen: Counter[bool] = Counter()
        self._by_signal: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
        self._recent: deque[bool] = deque(maxlen=_RECENT_SEEN)

    def learn(self, signals: Signals, *, accepted: bool) -> None:
        """Learn that a suggestion was accepted, or was not."""
        self._by_signal[accepted].update(self._names(signals))
        self._seen[accepted] += 1
        self._recent.append(accepted)

    def probability(self, signals: Signals) -> float | None:
        """Return the chance that a suggestion is accepted; None while too little is known."""
        if self._seen.total() < LEAST_SEEN:
            return None
        taken = self._seen[True] + TYPICAL_ACCEPTANCE * _PRIOR_SUGGESTIONS
        left = self._seen[False] + (1 - TYPICAL_ACCEPTANCE) * _PRIOR_SUGGESTIONS
        evidence = math.log(taken / left) + sum(map(self._evidence, self._names(signals)))
        return 1 / (1 + math.exp(-evidence))

    def _evidence(self, name: str) -> float:
        """Return by how much a signal changes the logarithm of the odds."""
        counts = {outcome: self._by_signal[outcome][name] for outcome in (True, False)}
        share = sum(counts.values()) / self._seen.total()
        if not share:
            return 0.0
        taken, left = (
            (counts[outcome] + _PRIOR_SUGGESTIONS * share)
            / (self._seen[outcome] + _PRIOR_SUGGESTIONS)
            for outcome in (True, False)
        )
        return math.log(taken / left)

    def _names(self, signals: Signals) -> tuple[str, ...]:
        """Return the signals in coarse steps."""
        return (
            f"length {_step(signals.characters, (12, 30, 60))}",
            f"lines {_step(signals.lines, (1, 4))}",
            f"begins line {signals.begins_line}",
            f"language {signals.language}",
            f"recent {_step(sum(self._recent), (1, 3))} of {len(self._recent) == _RECENT_SEEN}",
            "confidence unknown"
            if signals.confidence is None
            else f"confidence {_step(signals.confidence, (0.85, 0.95))}",
        )


def _step(value: float, limits: tuple[float, ...]) -> int:
    return sum(value > limit for limit in limits)


class LogprobSupport:
    """Whether the backend's engine reports log probabilities, learned from its answers.

    Servers may refuse the question, or ignore it and answer without log probabilities. A new
    backend is asked from the start.
    """

    def __init__(self) -> None:
        self._backend: object = None
        self._tells = False

    def may_tell(self, backend: object) -> bool:
        """Return whether it is worth asking: this backend has not shown that it does not tell."""
        return backend is not self._backend or self._tells

    def tells(self, backend: object) -> bool:
        """Return whether this backend has told them."""
        return backend is self._backend and self._tells

    def observe(self, backend: object, *, told: bool) -> None:
        """Learn from an answer that was asked to tell them."""
        self._backend, self._tells = backend, told


def least_confidence(setting: float | None, of_model: float) -> float:
    """Return the least probability of being right that a suggestion must have.

    It is what the setting says, else what suits the model.
    """
    return of_model if setting is None else setting


def least_estimated(setting: float | None) -> float:
    """Return the least estimated probability of what is shown, where the engine tells none."""
    return LEAST_ESTIMATED if setting is None else setting


@dataclass(frozen=True, slots=True)
class _Left:
    """A suggestion that was not accepted; `offset` is where it begins in the document."""

    offset: int
    text: str


class IgnoredSuggestions:
    """The last suggestions in one document that were shown during a pause and not accepted."""

    def __init__(self) -> None:
        self._left: deque[_Left] = deque(maxlen=_REMEMBERED)

    def add(self, offset: int, text: str) -> None:
        """Record that `text` was shown at `offset` during a pause and not accepted."""
        self._left.append(_Left(offset, text.rstrip()))

    def times(self, text: str, offset: int, rest: str) -> int:
        """Return how often a suggestion of `rest` at `offset`, or its beginning, was ignored."""
        return sum(
            left.offset <= offset
            and f"{text[left.offset : offset]}{rest}".startswith(left.text)
            and len(left.text) > offset - left.offset
            for left in self._left
        )


def raised(least: float, times: int) -> float:
    """Return the least probability to show a suggestion that was ignored this number of times."""
    if not 0 < least < 1:
        return least
    odds = least / (1 - least) / LEFT_THOUGH_RIGHT**times
    return odds / (1 + odds)
