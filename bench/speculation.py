"""What n-gram speculation would bring whole tasks: `python -m bench.speculation --answers FILE`.

FILE is what `python -m bench.quality --answers FILE` has kept. vLLM's n-gram proposer looks for the
last tokens in the prompt and the answer so far, and proposes what followed there; at temperature 0
the engine takes exactly the tokens that it would have generated anyway. So the steps that an answer
takes follow from its text alone. What a step costs does not: `--token-cost` is the time of one more
token in a step, as a share of the step (by the calibration of the engine). Here the prompt is the
source alone; what the product's question adds is not looked up.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.machine import save
from cato_backend.commands.arguments import output_file
from cato_lab.scoring.statistics import percentile

_TOKENIZE = (
    "import json, sys, tokenizers; t = tokenizers.Tokenizer.from_file(sys.argv[1]); "
    "print(json.dumps([t.encode(x, add_special_tokens=False).ids for x in json.load(sys.stdin)]))"
)


@dataclass(frozen=True, slots=True)
class Proposer:
    """vLLM's settings: how many tokens are matched, and how many proposed."""

    least: int = 2
    most: int = 4
    tokens: int = 4

    def proposed(self, text: Sequence[int]) -> Sequence[int]:
        """Return what followed the earliest of the longest matches of the text's end."""
        for length in range(min(self.most, len(text) - 1), self.least - 1, -1):
            end = text[-length:]
            for start in range(len(text) - length):
                if text[start : start + length] == end:
                    return text[start + length : start + length + self.tokens]
        return ()


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and the engine's steps with speculation."""

    kind: str
    tokens: int
    steps: int
    proposed: int
    """Tokens that were verified, over all steps."""

    def gain(self, token_cost: float) -> float:
        """Return the time without speculation by the time with it."""
        return self.tokens / (self.steps + token_cost * self.proposed)


def replay(kind: str, prompt: Sequence[int], answer: Sequence[int], by: Proposer) -> Answered:
    """Return how an answer would have come: each step brings what is accepted, and one more."""
    at = steps = verified = 0
    while at < len(answer):
        proposed = by.proposed([*prompt, *answer[:at]]) if at else ()
        accepted = 0
        for token, wanted in zip(proposed, answer[at:], strict=False):
            if token != wanted:
                break
            accepted += 1
        at += accepted + 1
        steps, verified = steps + 1, verified + len(proposed)
    return Answered(kind, len(answer), steps, verified)


def tokenized(texts: Sequence[str], python: Path, tokenizer: Path) -> list[list[int]]:
    """Return the texts' tokens, by the library of an engine's environment."""
    done = subprocess.run(
        [str(python), "-c", _TOKENIZE, str(tokenizer)],
        input=json.dumps(texts),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return list(json.loads(done.stdout))


def measure(arguments: argparse.Namespace) -> Iterator[Answered]:
    """Yield each kept answer."""
    lines = arguments.answers.read_text(encoding="utf-8").splitlines()
    kept = [entry for entry in map(json.loads, lines) if entry["answer"]]
    texts = [text for entry in kept for text in (entry["prompt"], entry["answer"])]
    tokens = tokenized(texts, arguments.engine_python, arguments.tokenizer)
    for entry, prompt, answer in zip(kept, tokens[::2], tokens[1::2], strict=True):
        yield replay(entry["class"], prompt, answer, Proposer())


def rows(found: Sequence[Answered], token_cost: float) -> Iterator[dict[str, Any]]:
    """Yield each class of tasks: tokens per step and the gain, with the worst answer's."""
    classes = defaultdict[str, list[Answered]](list)
    for each in found:
        classes[each.kind].append(each)
    for kind, answers in classes.items():
        gains = sorted(each.gain(token_cost) for each in answers)
        tokens, steps = (sum(getattr(a, name) for a in answers) for name in ("tokens", "steps"))
        whole = Answered(kind, tokens, steps, sum(a.proposed for a in answers))
        yield {
            "class": kind,
            "answers": len(answers),
            "tokens": tokens,
            "tokens_per_step": round(tokens / steps, 3),
            "gain": round(whole.gain(token_cost), 3),
            "worst": round(gains[0], 3),
            "median": round(percentile(gains, 0.5), 3),
            "best": round(gains[-1], 3),
        }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--engine-python", type=Path, required=True, help="of `cato engine path`")
    parser.add_argument("--tokenizer", type=Path, required=True, help="the model's tokenizer.json")
    parser.add_argument("--token-cost", type=float, default=0.03, help="share of a step")
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    found = list(measure(arguments))
    of_classes = list(rows(found, arguments.token_cost))
    for row in of_classes:
        print(row)
    if arguments.json:
        cost = {"token_cost": arguments.token_cost, "proposer": asdict(Proposer())}
        save(arguments.json, {"settings": cost, "classes": of_classes})


if __name__ == "__main__":
    main()
