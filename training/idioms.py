"""Prints what the network fills in at places that a person types often, and how often it is right.

python -m training.idioms --preset cpu --run RUN --tokenizer CORPUS/tokenizer.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tokenizers import Tokenizer

from training.checkpoint import load_model
from training.evaluate import BLOCK_TOKENS, LINE_TOKENS, Evaluation
from training.infill import Hole
from training.model import Qwen2
from training.packer import marks_of
from training.places import IDIOMS, Idiom
from training.predictors import Network
from training.presets import PRESETS

CLASS = "class Person:\n    def __init__(self, name"
USE = "\n\n\ndef main():\n    "

LINES = (
    Hole(
        "def total(values):\n    result = 0\n    for value in ", "", "\n        result += value\n"
    ),
    Hole(CLASS + ", age):\n        self.name = name\n        ", "", "\n"),
    Hole("import numpy as ", "", USE + "print(np.zeros(3))\n"),
    Hole("import ", "", USE + "print(json.dumps({}))\n"),
    Hole("from dataclasses import ", "", "\n\n\n@dataclass\nclass Point:\n    x: int\n"),
    Hole("def add(a, b):\n    return ", "", "\n"),
    Hole("def is_empty(self):\n    return len(self.", "", "\n"),
    Hole("try:\n    value = int(text)\nexcept ", "", "\n    value = None\n"),
    Hole("def get(self, key):\n    if key not in self.cache:\n        raise ", "", "\n"),
)
BLOCKS = (
    Hole(CLASS + ", age):", "", "\n\n    def greet(self):\n        return self.name\n"),
    Hole("def read_lines(path):\n    with open(path) as f:", "", "\n"),
    Hole("def largest(values):\n    ", "", "\n\n\nprint(largest([1, 2, 3]))\n"),
)


def count_right(evaluation: Evaluation, idiom: Idiom) -> int:
    """In how many of its files the answer is right; prints each."""
    total = 0
    for place in idiom.places:
        hole = Hole(place.before, "", place.after)
        answer = evaluation.fill(hole, BLOCK_TOKENS, single_line=idiom.lines == 1)
        right = place.is_right(idiom, answer)
        total += right
        print(f"{'right' if right else 'wrong'}  {place.before[-50:]!r} {answer!r}")
    return total


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    arguments = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    model = Qwen2(PRESETS[arguments.preset].shape)
    load_model(arguments.run / "checkpoint", model)
    evaluation = Evaluation(Network(model, marks_of(tokenizer)), tokenizer)
    counts = {idiom.name: count_right(evaluation, idiom) for idiom in IDIOMS}
    for hole in LINES:
        print(f"{hole.prefix!r} {evaluation.fill(hole, LINE_TOKENS, single_line=True)!r}")
    for hole in BLOCKS:
        print(f"{hole.prefix!r} {evaluation.fill(hole, BLOCK_TOKENS, single_line=False)!r}")
    for idiom in IDIOMS:
        print(f"{idiom.name}: {counts[idiom.name]} of {len(idiom.places)} right")


if __name__ == "__main__":
    main()
