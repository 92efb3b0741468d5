"""What a model's own probabilities are worth on real code: right suggestions by threshold.

    cato serve --port 8700 &
    python -m bench.confidence --url http://127.0.0.1:8700 --places 200

At random places of the given files (default: this repository's, which the embedded model has not
seen), the rest of the line is asked for as the language server does. A token is judged while all
before it were right; a suggestion is right if all of it is what stands there.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from cato_backend.wire.headers import CancelReason
from cato_lsp.backend.answers import TokenStream
from cato_lsp.backend.calls import ClientIds, RequestOptions, completion_call, window_for
from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.discovery import Origin, Target
from cato_lsp.backend.models import Model
from cato_lsp.completion import Completeness
from cato_lsp.completion.reader import AnswerReader
from cato_lsp.completion.reuse import Token
from cato_lsp.decisions.classify import Action, classify
from cato_lsp.settings.settings import Targets
from cato_lsp.syntax import open_document, syntax_context

THRESHOLDS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
BINS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
CLIENT_IDS = ClientIds("bench", "confidence")


@dataclass(frozen=True, slots=True)
class Place:
    """A file without the rest of one line."""

    before: str
    rest: str
    after: str

    def reading(self, least: float) -> AnswerReader:
        """Reads an answer as the language server does for an automatic completion."""
        snapshot = open_document("file:///a.py", "python", 1, self.before + self.after).snapshot()
        context = syntax_context(snapshot, len(self.before))
        assignment = classify(Action.AUTOMATIC_COMPLETION, context, Targets())
        return AnswerReader(partial(Completeness, context, assignment, max_lines=1), least)

    def is_right(self, text: str) -> bool:
        """Whether all of it stands there."""
        return (self.rest + self.after).startswith(text)


def main() -> None:
    """Asks and prints two tables."""
    arguments = _parser().parse_args()
    chance = random.Random(arguments.seed)
    files = [path.read_text(encoding="utf-8") for path in sorted(arguments.files.rglob("*.py"))]
    places = [_place(chance.choice(files), chance) for _ in range(arguments.places)]
    answers = asyncio.run(_answers(arguments.url, places))
    _print_tokens(
        [pair for at, said in zip(places, answers, strict=True) for pair in judged(at, said)]
    )
    _print_thresholds(places, answers)


def _place(text: str, chance: random.Random) -> Place:
    """Somewhere in a line that has something to say, the beginning more often than the middle."""
    starts = [0, *(at + 1 for at, character in enumerate(text) if character == "\n")]
    while True:
        start = chance.choice(starts)
        line = text[start:].partition("\n")[0]
        begins = len(line) - len(line.lstrip())
        at = begins + (chance.random() < 0.5) * chance.randrange(max(len(line) - begins, 1))
        if line[at:].strip():
            end = start + len(line)
            return Place(text[: start + at], text[start + at : end], text[end:])


async def _answers(url: str, places: Sequence[Place]) -> list[list[Token]]:
    client = BackendClient(Target(url, None, Origin.SETTINGS))
    try:
        model = await client.model()
        return [await _answer(client, model, place) for place in places]
    finally:
        await client.close()


async def _answer(client: BackendClient, model: Model, place: Place) -> list[Token]:
    snapshot = open_document("file:///a.py", "python", 1, place.before + place.after).snapshot()
    context = syntax_context(snapshot, len(place.before))
    assignment = classify(Action.AUTOMATIC_COMPLETION, context, Targets())
    seen = window_for(model, snapshot, len(place.before))
    options = RequestOptions(10_000, confidence=True)
    call = completion_call(assignment, seen, (), model, CLIENT_IDS, options)
    stream, said = client.open(call, cancels=model.cancels), list[Token]()
    async for tokens in TokenStream(stream):
        said += tokens
        if "\n" in "".join(token.text for token in said).lstrip("\n"):
            break
    stream.cancel(CancelReason.ENOUGH)
    return said


def judged(place: Place, said: Sequence[Token]) -> list[tuple[float, bool]]:
    """The probability of each token, white space aside, and whether it was right; up to the first
    wrong one."""
    found: list[tuple[float, bool]] = []
    text = ""
    for token in said:
        text += token.text
        right = place.is_right(text)
        if token.text.strip() and token.logprob is not None:
            found.append((math.exp(token.logprob), right))
        if not right or len(text) > len(place.rest):
            break
    return found


def _print_tokens(pairs: Sequence[tuple[float, bool]]) -> None:
    print("| token's probability | tokens | mean | right |\n|---|---|---|---|")
    for low, high in pairwise(BINS):
        inside = [pair for pair in pairs if low <= pair[0] < high or pair[0] == high == 1]
        if inside:
            mean = sum(p for p, _ in inside) / len(inside)
            right = sum(is_right for _, is_right in inside) / len(inside)
            print(f"| {low:g} to {high:g} | {len(inside)} | {mean:.0%} | {right:.0%} |")
    errors = [1 - p for p, _ in pairs]
    mean = sum(errors) / len(errors)
    square = sum(error**2 for error in errors) / len(errors)
    print(f"errors: {1 - sum(r for _, r in pairs) / len(pairs):.1%}, expected {mean:.1%}; ", end="")
    print(f"concentration of a beta distribution: {(mean - square) / (square - mean**2):.2f}")


def _print_thresholds(places: Sequence[Place], answers: Sequence[Sequence[Token]]) -> None:
    print("| at least | shown | right of these | right characters per place |\n|---|---|---|---|")
    for least in THRESHOLDS:
        texts: list[tuple[str, bool]] = []
        for place, said in zip(places, answers, strict=True):
            reading = place.reading(least)
            reading.feed(said)
            text = reading.text()
            texts += [(text, place.is_right(text))] if text else []
        right = [text for text, is_right in texts if is_right]
        share = len(right) / max(len(texts), 1)
        saved = sum(map(len, right)) / len(places)
        print(f"| {least:g} | {len(texts) / len(places):.0%} | {share:.0%} | {saved:.1f} |")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--files", type=Path, default=Path("cato_lsp"))
    parser.add_argument("--places", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()
