"""Measures the trained network beside a 5-gram Kneser-Ney model and the same network untrained.

    python -m training.evaluate --preset cpu --run RUN --corpus CORPUS --shards SHARDS \
        --human-eval HumanEval-SingleLineInfilling.jsonl.gz --out RESULTS.json

Bits per byte on held-out files; exact match and edit similarity of single-line infills; the share
of multi-line completions after which the file parses. Decoding is greedy.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from training.checkpoint import load_model
from training.corpus import Text
from training.infill import Hole
from training.metrics import edit_similarity, parses
from training.model import Qwen2
from training.ngram import KneserNey
from training.packer import marks_of
from training.predictors import Network, NGram, Predictor
from training.presets import PRESETS
from training.problems import Problem, block_problems, human_eval_problems, line_problems
from training.shards import read_texts

PROMPT_TOKENS = 900
LINE_TOKENS, BLOCK_TOKENS = 40, 128
BYTES_FILES, BYTES_TOKENS = 100, 800
Result = dict[str, float]


class Evaluation:
    """All measures for one predictor."""

    def __init__(self, predictor: Predictor, tokenizer: Tokenizer) -> None:
        self._predictor = predictor
        self._tokenizer = tokenizer
        self._marks = marks_of(tokenizer)

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def bits_per_byte(self, texts: Sequence[Text], tokens: int) -> float:
        """Over the first `tokens` tokens of each file, the separator being given."""
        nats, size = 0.0, 0
        for text in texts:
            ids = self._encode(text["text"])[:tokens]
            nats += self._predictor.nats([self._marks.separator, *ids])
            size += len(self._tokenizer.decode(ids).encode())
        return nats / math.log(2) / size

    def fill(self, hole: Hole, limit: int, *, single_line: bool) -> str:
        """The text for the hole, up to the end token, `limit` tokens or a single line's end."""
        prompt = self._encode(hole.prefix), self._encode(hole.suffix)
        ids: list[int] = []
        tokens = self._predictor.continuation(*prompt, PROMPT_TOKENS)
        for token in islice(tokens, limit):
            if token == self._marks.end:
                return self._tokenizer.decode(ids)
            ids.append(token)
            if single_line and "\n" in self._tokenizer.decode(ids[-1:]):
                return self._tokenizer.decode(ids).split("\n")[0]
        text = self._tokenizer.decode(ids)
        return text if single_line else text.rpartition("\n")[0]

    def lines(self, problems: Sequence[Problem]) -> Result:
        """Exact match (trailing white space ignored) and edit similarity of single lines."""
        exact, similar = 0, 0.0
        for problem in problems:
            got = self.fill(problem.hole, LINE_TOKENS, single_line=True).rstrip()
            wanted = problem.hole.middle.rstrip()
            exact += got == wanted
            similar += edit_similarity(got, wanted)
        count = len(problems)
        return {"exact": exact / count, "similarity": similar / count, "problems": count}

    def blocks(self, problems: Sequence[Problem]) -> Result:
        """Share of block bodies after which the whole file parses, and that are not empty."""
        good = 0
        for problem in problems:
            middle = self.fill(problem.hole, BLOCK_TOKENS, single_line=False)
            good += bool(middle.strip()) and parses(problem.head + middle + problem.tail)
        return {"parses": good / len(problems), "problems": len(problems)}


def network(arguments: argparse.Namespace, tokenizer: Tokenizer, trained: bool) -> Predictor:
    """The network of the run, or a fresh one of the same seed."""
    torch.manual_seed(arguments.seed)
    model = Qwen2(PRESETS[arguments.preset].shape)
    if trained:
        load_model(arguments.run / "checkpoint", model)
    return Network(model, marks_of(tokenizer))


def ngram(arguments: argparse.Namespace, tokenizer: Tokenizer) -> Predictor:
    """The 5-gram model of the rows that the network was trained on."""
    progress = json.loads((arguments.run / "checkpoint" / "progress.json").read_text())
    rows = []
    for path in sorted(arguments.shards.glob("shard-*.npz")):
        with np.load(path) as archive:
            rows.append(archive["rows"])
    seen = np.concatenate(rows)
    used = min(len(seen), progress["tokens"] // (seen.shape[1] - 1))
    return NGram(KneserNey(seen[:used], tokenizer.get_vocab_size()))


def evenly(problems: Iterable[Problem], count: int) -> list[Problem]:
    """`count` of the problems, or all, spread over their order."""
    every = list(problems)
    count = min(count, len(every))
    return [every[at * len(every) // count] for at in range(count)]


def measure(
    name: str, predictor: Predictor, tokenizer: Tokenizer, arguments: argparse.Namespace
) -> dict[str, object]:
    """Every measure of one predictor."""
    evaluation = Evaluation(predictor, tokenizer)
    texts = read_texts(arguments.corpus / "test.jsonl.gz")
    python = [text for text in texts if text["language"] == "python"]
    scripts = [text for text in texts if text["language"] != "python"]
    shuffled = random.Random(arguments.seed).sample(python, len(python))
    count, seed = arguments.problems, arguments.seed
    held_out = list(line_problems(python, count, seed))
    human_eval = evenly(human_eval_problems(arguments.human_eval), arguments.human_eval_problems)
    blocks = list(block_problems(python, count // 2, seed))
    result: dict[str, object] = {
        "bits per byte, Python": evaluation.bits_per_byte(shuffled[:BYTES_FILES], BYTES_TOKENS),
        "bits per byte, JavaScript and TypeScript": evaluation.bits_per_byte(
            scripts[:BYTES_FILES], BYTES_TOKENS
        ),
    }
    measures: dict[str, Callable[[], Result]] = {
        "held-out lines": lambda: evaluation.lines(held_out),
        "HumanEval lines": lambda: evaluation.lines(human_eval),
        "held-out blocks": lambda: evaluation.blocks(blocks),
    }
    for title, run in measures.items():
        result[title] = run()
        print(name, title, result[title], flush=True)
    return result


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--shards", type=Path, required=True, help="for the n-gram model")
    parser.add_argument("--human-eval", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--human-eval-problems", type=int, default=1033)
    parser.add_argument("--only", nargs="*", default=["5-gram", "untrained", "trained"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tokenizer = Tokenizer.from_file(str(arguments.corpus / "tokenizer.json"))
    makers: dict[str, Callable[[], Predictor]] = {
        "5-gram": lambda: ngram(arguments, tokenizer),
        "untrained": lambda: network(arguments, tokenizer, trained=False),
        "trained": lambda: network(arguments, tokenizer, trained=True),
    }
    results = {name: measure(name, makers[name](), tokenizer, arguments) for name in arguments.only}
    arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
