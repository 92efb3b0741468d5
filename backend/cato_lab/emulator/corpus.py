"""A model that continues files with their true text, with errors at a given rate.

For measuring editors and language servers, where it matters that what is shown is what would have
been typed. The prompt's text before the cursor is looked up in the files; what follows there is
said, up to the prompt's suffix or the end of the file.

How sure it is of a token is what its log probability says: its chance to err at a place is drawn
from a distribution whose mean is the error rate, and it errs there at that chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from cato_backend.errors import ConfigError
from cato_lab.emulator.text import EmittedToken, pseudo_code
from cato_lab.emulator.tokenizer import EOS, Tokenizer

_PREFIX, _SUFFIX, _MIDDLE = "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"
_SUFFIX_CHARS = 120
"""So much of the suffix's start tells where the hole ends."""
_NEARNESS_CHARS = 4000
"""So much of the text before is compared where the same lines stand in several places."""
_WRONG = ("valu", "self", "item", "data", "name")
_LEAST_SURE = 1e-6

CONCENTRATION = 1.0


class Corpus:
    """The text of files, found by the last whole line before the cursor."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts
        self._places: dict[str, list[tuple[int, int]]] = {}
        for number, text in enumerate(texts):
            self._places.setdefault("", []).append((number, 0))
            self._index(number, text)

    def place(self, before: str, suffix: str) -> tuple[int, int] | None:
        """Return the text's number and the offset where `before` ends, at the best place."""
        line, tail = _last_line(before)
        ends = [
            (number, start + len(tail))
            for number, start in self._places.get(line, ())
            if self._texts[number].startswith(tail, start)
        ]
        nearness = [self._nearness(end, before) for end in ends]
        most = max(nearness, default=0)
        best = [end for end, near in zip(ends, nearness, strict=True) if near == most]
        followed = (end for end in best if self._find(end, suffix) >= 0)
        return next(followed, best[0] if best else None)

    def rest(self, place: tuple[int, int], suffix: str) -> str:
        """Return what follows there, up to the suffix."""
        number, offset = place
        end = self._find(place, suffix)
        return self._texts[number][offset : None if end < 0 else end]

    def text(self, number: int) -> str:
        """Return the text of this number."""
        return self._texts[number]

    def _find(self, place: tuple[int, int], suffix: str) -> int:
        """Return where the suffix begins, after that place; -1 if nowhere.

        White space tells nothing.
        """
        number, offset = place
        start = suffix[:_SUFFIX_CHARS]
        return self._texts[number].find(start, offset) if start.strip() else -1

    def _index(self, number: int, text: str) -> None:
        offset = 0
        for line in text.split("\n"):
            if line.strip():
                self._places.setdefault(line, []).append((number, offset))
            offset += len(line) + 1

    def _nearness(self, end: tuple[int, int], before: str) -> int:
        """Characters that `before` and the text up to that place have in common, from the end."""
        number, offset = end
        there = self._texts[number][max(0, offset - _NEARNESS_CHARS) : offset]
        pairs = zip(reversed(there), reversed(before[-_NEARNESS_CHARS:]), strict=False)
        return next((i for i, (a, b) in enumerate(pairs) if a != b), len(there))


@dataclass(frozen=True, slots=True)
class Errors:
    """The error rate of a model, and how well its probabilities show the errors."""

    rate: float = 0.0
    """The share of tokens (white space aside) that are wrong."""
    seed: int = 0
    concentration: float | None = CONCENTRATION
    """Of the beta distribution of the chance to err: the smaller, the more its confidence tells.
    None: it is equally sure of every token."""

    def at(self, place: tuple[int, int]) -> tuple[float, float]:
        """Return the chance to err there, and the draw that decides: it errs where that is below.

        Place and seed decide: a keystroke later the same mistakes are made, as by a model.
        """
        chance = Random(f"{self.seed} {place}")
        draw = chance.random()
        if self.concentration is None or not 0 < self.rate < 1:
            return self.rate, draw
        wrong, right = self.rate * self.concentration, (1 - self.rate) * self.concentration
        return chance.betavariate(wrong, right), draw


class CorpusText:
    """A text source that continues the corpus. Where a prompt is not found: pseudo-code."""

    def __init__(self, corpus: Corpus, errors: Errors, tokenizer: Tokenizer | None = None) -> None:
        self._corpus, self._errors = corpus, errors
        self._tokenizer = tokenizer or Tokenizer()

    def __call__(self, prompt: list[int]) -> Iterator[EmittedToken]:
        """Return the tokens that continue the prompt in the corpus."""
        text = self._tokenizer.decode(prompt)
        before, suffix = split_infill(text)
        place = self._corpus.place(before, suffix)
        if place is None:
            return map(EmittedToken, pseudo_code(text, self._tokenizer, self._errors.seed))
        return self._said(place, self._corpus.rest(place, suffix))

    def truth(self, prompt: list[int]) -> tuple[str, int] | None:
        """Return the text that the prompt is a part of, and where it ends; None if unknown."""
        place = self._corpus.place(*split_infill(self._tokenizer.decode(prompt)))
        return None if place is None else (self._corpus.text(place[0]), place[1])

    def _said(self, place: tuple[int, int], rest: str) -> Iterator[EmittedToken]:
        number, offset = place
        for token in self._tokens(rest):
            piece = self._tokenizer.decode((token,))
            yield (
                self._drawn(token, piece, (number, offset))
                if piece.strip()
                else EmittedToken(token)
            )
            offset += len(piece)
        yield EmittedToken(EOS)

    def _drawn(self, token: int, piece: str, place: tuple[int, int]) -> EmittedToken:
        chance, draw = self._errors.at(place)
        errs = draw < chance
        wrong = self._wrong(piece, draw / chance if errs else (draw - chance) / (1 - chance))
        said, other = (wrong, token) if errs else (token, wrong)
        return EmittedToken(said, math.log(max(1 - chance, _LEAST_SURE)), other)

    def _tokens(self, text: str) -> Iterator[int]:
        """Line by line: a stop ends most answers long before the file does."""
        for line in text.splitlines(keepends=True):
            yield from self._tokenizer.encode(line)

    def _wrong(self, piece: str, draw: float) -> int:
        others = [word for word in _WRONG if word != piece]
        return self._tokenizer.encode(others[int(draw * len(others))])[0]


def read_corpus(path: Path) -> Corpus:
    """Return the UTF-8 files of a folder, hidden ones left out, or one file. Raises ConfigError."""
    if not path.exists():
        raise ConfigError.of("corpus", str(path), "a file, or a folder of source files")
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    shown = [file for file in files if not _hidden(file.relative_to(path))]
    texts = [text for file in shown if (text := _text(file))]
    if not texts:
        raise ConfigError.of("corpus", str(path), "at least one file of UTF-8 text")
    return Corpus(texts)


def split_infill(text: str) -> tuple[str, str]:
    """Return the text before the place of generation, and the text after it.

    In both orders of a fill-in-the-middle prompt; whatever stands after the middle marker is part
    of the text before the cursor.
    """
    head, found, said = text.rpartition(_MIDDLE)
    if not found or _PREFIX not in head:
        return text, ""
    prefix = head.rpartition(_PREFIX)[2].partition(_SUFFIX)[0]
    suffix = head.rpartition(_SUFFIX)[2].partition(_PREFIX)[0]
    return prefix + said, suffix


def _last_line(before: str) -> tuple[str, str]:
    """Return the last whole line with something in it, and everything from its start.

    "" where none is.
    """
    end = before.rfind("\n") + 1
    whole = before[:end].rstrip()
    if not whole:
        return "", before
    start = whole.rfind("\n") + 1
    return before[start : before.index("\n", len(whole))], before[start:]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
