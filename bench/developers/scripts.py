"""What developers type, and what the model would suggest: the same for every client and router."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from bench.typing.scripts import PAUSE_S
from cato_lab.workloads.arrival import CHARS_PER_TOKEN
from cato_lab.workloads.developers import keystrokes
from cato_lab.workloads.lengths import Context, Size, completion_prompt, resized_completion

_KEYS, _TEXT = 1, 3
"""Streams of random numbers. `DeveloperWorkload` draws its keys from stream 1 too, and takes 2 for
what people command."""
_LINE_MEDIAN, _LINE_SIGMA, _SHORTEST_LINE, _LONGEST_LINE = 25.0, 0.6, 4, 100
_LONGEST_PROMPT = 7437
"""Tokens, as in `DeveloperWorkload`."""


SURPRISE, MOVES = 0.022, 0.3


@dataclass(frozen=True, slots=True)
class Coding:
    """What is assumed of the code and of the model."""

    surprise: float = SURPRISE
    """Chance that a key is not the one that the model expects behind all keys before it."""
    moves: float = MOVES
    """Chance that a pause ends in another file, which no replica has seen."""
    context: Context = Context.RICH


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What the model says at a cursor: the rest of the line, Enter first where a line ended."""

    start: int
    """Keys that had been typed."""
    end: int
    """Keys that will have been typed when the line ends."""
    departs: int
    """The first of its keys that is not what will be typed; `end` where all of it is right."""

    @property
    def right(self) -> bool:
        """Whether all of it will be typed."""
        return self.departs == self.end

    @property
    def tokens(self) -> int:
        """How many it has."""
        return max(1, round((self.end - self.start) / CHARS_PER_TOKEN))

    def fits(self, cursor: int) -> bool:
        """Return whether the text typed so far is its own, and some of it is left."""
        return self.start <= cursor <= self.departs and cursor < self.end


@dataclass(frozen=True, slots=True)
class File:
    """What a developer works on from one move to the next. `opened_s`: when it is opened."""

    number: int
    first: int
    """Keys that had been typed before."""
    opened_s: float
    tokens: int
    """Of its prompt when it is opened."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: when it is pressed, and how long the hands rest after it."""

    time: float
    rest_s: float


class Script:
    """All keys of one developer, and what a model suggests behind each of them.

    The model decodes greedily: while a suggestion is typed along with, its rest is what the model
    would say again. So the suggestion at a cursor is right where no key in the rest of its line
    surprises the model. Surprises are drawn for each key, whichever client asks there.
    """

    def __init__(self, seed: int, index: int, duration_s: float, coding: Coding) -> None:
        self.index = index
        rng = np.random.default_rng([seed, index, _TEXT])
        typed = keystrokes(0.0, duration_s, np.random.default_rng([seed, index, _KEYS]))
        self.keys = [Key(time, rest_s) for time, rest_s in typed]
        surprises = (rng.random(len(self.keys) + _LONGEST_LINE + 1) < coding.surprise).tolist()
        self.files = list(_files(self.keys, coding, rng))
        self._firsts = [file.first for file in self.files]
        self._ends = _line_ends(len(surprises), self._firsts, rng)
        self._departs = _departures(self._ends, surprises)
        self._naturals = [resized_completion(1, rng) for _ in range(len(self.keys) + 1)]

    def suggestion(self, cursor: int) -> Suggestion:
        """Return what the model says once so many keys have been typed."""
        return Suggestion(cursor, self._ends[cursor], self._departs[cursor])

    def natural(self, cursor: int) -> Size:
        """Return how long the model goes on where nobody stops it; the prompt's length is void."""
        return self._naturals[cursor]

    def file(self, cursor: int) -> File:
        """Return the file in which the key before the cursor was typed."""
        return self.files[bisect_right(self._firsts, max(cursor - 1, 0)) - 1]

    def prompt_tokens(self, cursor: int) -> int:
        """Return the tokens of a prompt there."""
        file = self.file(cursor)
        return min(_LONGEST_PROMPT, file.tokens + round((cursor - file.first) / CHARS_PER_TOKEN))


def _files(keys: list[Key], coding: Coding, rng: Generator) -> Iterator[File]:
    yield File(0, 0, 0.0, completion_prompt(coding.context, rng))
    number = 0
    for typed, key in enumerate(keys, start=1):
        if key.rest_s >= PAUSE_S and rng.random() < coding.moves:
            number += 1
            opened_s = key.time + key.rest_s * rng.random()
            yield File(number, typed, opened_s, completion_prompt(coding.context, rng))


def _line_ends(length: int, begins: list[int], rng: Generator) -> list[int]:
    """Return for each cursor where its line ends; a line begins wherever a file does."""
    ends: list[int] = []
    for begin, until in zip(begins, [*begins[1:], length], strict=True):
        end = begin
        while end < until:
            drawn = round(_LINE_MEDIAN * rng.lognormal(0, _LINE_SIGMA))
            start, end = end, end + min(max(drawn, _SHORTEST_LINE), _LONGEST_LINE)
            end = min(end, until)
            ends += [end] * (end - start)
    return ends


def _departures(ends: list[int], surprises: list[bool]) -> list[int]:
    """Return for each cursor the first surprise of its line from there on, or the line's end."""
    departs = [0] * len(ends)
    next_one = len(ends)
    for cursor in range(len(ends) - 1, -1, -1):
        if surprises[cursor]:
            next_one = cursor
        departs[cursor] = min(next_one, ends[cursor])
    return departs
