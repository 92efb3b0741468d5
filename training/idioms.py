"""Prints what the network fills in at places that a person types often.

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
from training.predictors import Network
from training.presets import PRESETS
from training.shards import marks_of

SUM = "def total(values):\n    result = 0\n    "
CLASS = "class Person:\n    def __init__(self, name"
USE = "\n\n\ndef main():\n    "

LINES = (
    Hole(SUM + "for value in ", "", "\n        result += value\n    return result\n"),
    Hole("def squares(n):\n    for i in range(", "", "\n        print(i * i)\n"),
    Hole("def main():\n    print('hello')\n\n\nif __name__ == ", "", "\n    main()\n"),
    Hole(CLASS + "):\n        ", "", "\n"),
    Hole(CLASS + ", age):\n        self.name = name\n        ", "", "\n"),
    Hole("def read(path):\n    with open(path) as ", "", "\n        return file.read()\n"),
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
    Hole('def add(a, b):\n    """', "", '"""\n    return a + b\n'),
)


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
    kinds = ((LINES, LINE_TOKENS, True), (BLOCKS, BLOCK_TOKENS, False))
    for holes, limit, single_line in kinds:
        for hole in holes:
            print(repr(hole.prefix))
            print(f"  {evaluation.fill(hole, limit, single_line=single_line)!r}")


if __name__ == "__main__":
    main()
