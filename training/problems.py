"""The evaluation's infill problems: held-out packages and HumanEval-Infilling."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.corpus import Text
from training.infill import Hole, block_end, cut, indent_of, line_spans

MIN_MIDDLE = 4  # characters; shorter line ends say little


@dataclass(frozen=True, slots=True)
class Problem:
    """A hole, and the whole file with the hole still open (for parsing)."""

    hole: Hole
    head: str
    tail: str


def window(text: str, start: int, end: int, before: int, after: int) -> Problem:
    """The hole text[start:end] seen through a window of that many characters on each side."""
    hole = Hole(text[max(0, start - before) : start], text[start:end], text[end : end + after])
    return Problem(hole, text[:start], text[end:])


def line_problems(texts: list[Text], count: int, seed: int) -> Iterator[Problem]:
    """Rests of lines: half from the first letter, half from a random column; one per file."""
    rng = random.Random(seed)
    for text in rng.sample(texts, min(count, len(texts))):
        source = text["text"]
        spans = [s for s in line_spans(source) if len(source[slice(*s)].strip()) > MIN_MIDDLE]
        start, end = rng.choice(spans)
        first = start + indent_of(source[start:end])
        column = first if rng.random() < 0.5 else rng.randint(first, end - MIN_MIDDLE)
        yield window(source, column, end, before=2400, after=800)


def block_problems(texts: list[Text], count: int, seed: int) -> Iterator[Problem]:
    """Bodies of two to ten lines in Python files, the cursor at the end of the opening line."""
    rng = random.Random(seed)
    python = [text["text"] for text in texts if text["language"] == "python"]
    rng.shuffle(python)
    for source in python:
        lines = source.split("\n")
        heads = [n for n, line in enumerate(lines) if line.rstrip().endswith(":")]
        fitting = [n for n in heads if 2 <= block_end(lines, n) - n <= 10]
        if not fitting:
            continue
        head = rng.choice(fitting)
        spans = line_spans(source)
        start, end = spans[head][1], spans[block_end(lines, head)][1]
        yield window(source, start, end, before=2400, after=800)
        count -= 1
        if count == 0:
            return


def human_eval_problems(path: Path) -> Iterator[Problem]:
    """HumanEval-Infilling's single lines (arXiv 2207.14255); the line end stays in the suffix."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for line in stream:
            entry = json.loads(line)
            middle = entry["canonical_solution"].rstrip("\n")
            suffix = "\n" + entry["suffix"]
            hole = cut(entry["prompt"] + middle + suffix, len(entry["prompt"]), -len(suffix))
            yield Problem(hole, hole.prefix, hole.suffix)
