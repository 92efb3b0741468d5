"""Holes in source text as an editor makes them, and the fill-in-the-middle layout.

Suffix first (arXiv 2207.14255; token names of Qwen2.5-Coder):

    <|fim_prefix|><|fim_suffix|>SUFFIX<|fim_middle|>PREFIX MIDDLE<|endoftext|>

MIDDLE follows PREFIX with nothing between them (that paper's "SPM" variant). PREFIX, SUFFIX and
MIDDLE are tokenized apart, so that a hole may begin inside a word.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

IDIOM = re.compile(
    r"\s*(for |while |if |elif |else:|with |try:|except|return|import |from |def |async def |class "
    r"|self\.\w+ = |print\(|raise |assert |yield |@\w+|const |let |function |export )"
)
PAUSE = re.compile(r" +|[(\[{.=@]")
"""Behind what a person waits for a suggestion."""
KEY_PLACES = (
    re.compile(
        r"(?<=\bin range\()|(?<=\bin enumerate\()|(?<=\bopen\()|(?<=\blen\()|(?<= as )|(?<= == )"
        r"|(?<= in )|(?<=\breturn )|(?<=\bimport )|(?<=\bself\.)|(?<=\braise )|(?<=\bexcept )"
        r"|(?<=\bdef __init__\(self, )"
    ),
    re.compile(r"\bself\.\w+ = "),
)
"""What ends where a suggestion is wanted most; without width: one place begins inside another."""
COMMON = re.compile(
    r"\b(in range\(|with open\(|def __init__\(self, |in enumerate\(|in zip\(|__name__ ==)"
)
"""What people write every day."""
LOOP_OR_FILE = re.compile(r"\b(in range\(|with open\(|in enumerate\(|in zip\()")
"""Of these the ones that library code, which is most of the corpus, seldom has."""
AT_KEYS = 0.2
AT_KEYS_OF_COMMON = 0.6
"""How often a hole in a line begins behind one of its key places."""
DOCSTRING = re.compile(r'"""([^"]{20,400}?)"""')


def key_places(text: str, start: int, end: int) -> set[int]:
    """Offsets in text[start:end] behind which a suggestion is wanted most."""
    return {key.end() for keys in KEY_PLACES for key in keys.finditer(text, start, end)}


@dataclass(frozen=True, slots=True)
class Hole:
    """A text in three parts; `middle` is what was taken out."""

    prefix: str
    middle: str
    suffix: str


def cut(text: str, start: int, end: int) -> Hole:
    """The hole text[start:end]."""
    return Hole(text[:start], text[start:end], text[end:])


def line_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each line, line end excluded."""
    spans, start = [], 0
    for line in text.split("\n"):
        spans.append((start, start + len(line)))
        start += len(line) + 1
    return spans


def indent_of(line: str) -> int:
    """Number of leading white-space characters."""
    return len(line) - len(line.lstrip())


def block_end(lines: list[str], head: int) -> int:
    """The last line of the block that line `head` opens; `head` itself when it is empty."""
    last = head
    for number in range(head + 1, len(lines)):
        if lines[number].strip() and indent_of(lines[number]) <= indent_of(lines[head]):
            break
        last = number if lines[number].strip() else last
    return last


def _weight(line: str) -> int:
    return 9 if COMMON.search(line) else 3 if IDIOM.match(line) else 1


class HoleMaker:
    """Chooses holes; all randomness comes from one seeded generator."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def make(self, text: str) -> Hole:
        """One hole in the text; kinds and shares are listed in docs/embedded-model.md."""
        kind = self._rng.random()
        if kind < 0.36:
            return self._line_end(text)
        if kind < 0.44:
            return self._inside_line(text)
        if kind < 0.72:
            return self._block(text)
        if kind < 0.9:
            return self._next_lines(text)
        if kind < 0.93:
            return self._docstring(text)
        return self._span(text)

    def _pick_line(self, text: str) -> tuple[int, int]:
        """A line with text on it, idiomatic ones three times as likely, common ones nine times."""
        spans = [span for span in line_spans(text) if text[span[0] : span[1]].strip()]
        return self._rng.choices(spans, [_weight(text[start:end]) for start, end in spans])[0]

    def _column(self, text: str, start: int, end: int) -> int:
        """The cursor: at the line's start, behind indentation, a key place or a pause, anywhere."""
        first = start + indent_of(text[start:end])
        place = self._rng.random()
        if place < 0.12:
            return start
        if place < 0.3:
            return first
        column = self._rng.randint(first, end)
        keys = sorted(key_places(text, first, end))
        share = AT_KEYS_OF_COMMON if COMMON.search(text, start, end) else AT_KEYS
        if keys and place < 0.3 + share:
            return self._rng.choice(keys)
        pause = PAUSE.search(text, column, end)
        return pause.end() if place < 0.3 + share + 0.25 and pause else column

    def _line_end(self, text: str) -> Hole:
        """From the cursor to the end of its line."""
        start, end = self._pick_line(text)
        return cut(text, self._column(text, start, end), end)

    def _inside_line(self, text: str) -> Hole:
        """A part of one line, with code on its right."""
        start, end = self._pick_line(text)
        begin = self._column(text, start, end)
        return cut(text, begin, self._rng.randint(begin, end))

    def _block(self, text: str) -> Hole:
        """The body of a line that opens a block; the indentation is typed half of the time."""
        lines = text.split("\n")
        heads = [n for n, line in enumerate(lines[:-1]) if line.rstrip().endswith((":", "{"))]
        if not heads:
            return self._next_lines(text)
        head = self._rng.choices(heads, [_weight(lines[number]) for number in heads])[0]
        last = block_end(lines, head)
        spans = line_spans(text)
        begin, end = spans[head][1], spans[last][1]
        if end > begin and self._rng.random() < 0.5:
            begin = spans[head + 1][0] + indent_of(lines[head + 1])
        return cut(text, min(begin, end), end)

    def _next_lines(self, text: str) -> Hole:
        """One to six whole lines, from the cursor's line start or indentation."""
        spans = line_spans(text)
        first = self._rng.randrange(len(spans))
        last = min(len(spans) - 1, first + self._rng.randrange(6))
        start, end = spans[first]
        if self._rng.random() < 0.5:
            start += indent_of(text[start:end])
        return cut(text, start, spans[last][1])

    def _docstring(self, text: str) -> Hole:
        """A docstring's text, the code it describes being in the suffix."""
        found = list(DOCSTRING.finditer(text))
        if not found:
            return self._line_end(text)
        return cut(text, *self._rng.choice(found).span(1))

    def _span(self, text: str) -> Hole:
        """A random run of characters."""
        start = self._rng.randrange(len(text))
        return cut(text, start, min(len(text), start + 1 + int(self._rng.expovariate(1 / 60))))


@dataclass(frozen=True, slots=True)
class Marks:
    """Ids of the special tokens that the layouts need."""

    end: int
    prefix: int
    middle: int
    suffix: int
    separator: int


def trim(prefix: list[int], suffix: list[int], room: int) -> tuple[list[int], list[int]]:
    """Cut the suffix's tail to a third of `room` tokens, then the prefix's head to the rest."""
    excess = len(prefix) + len(suffix) - room
    if excess > 0:
        keep = max(room // 3, len(suffix) - excess)
        suffix = suffix[:keep]
    room_for_prefix = room - len(suffix)
    return (prefix[-room_for_prefix:] if room_for_prefix else []), suffix


def render(prefix: list[int], suffix: list[int], marks: Marks) -> list[int]:
    """The prompt up to where the middle begins."""
    return [marks.prefix, marks.suffix, *suffix, marks.middle, *prefix]
