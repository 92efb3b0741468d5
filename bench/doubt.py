"""What is shown of the answers of an unsure model, by what is known of its doubts.

    python -m bench.doubt FOLDER                    # Python files below it
    python -m bench.doubt FOLDER --suffix .js --places 700 --seed 11

At random places of real files, without the rest of the block, a model answers what stands there.
It errs in 5% of its tokens, and goes on with anything from there. `told`: it tells the probability
of each token, which is calibrated (as in `bench.typing`). `estimated N`: it tells none, and the
language server estimates it from N further answers, which differ where the model is unsure, and
from the places before. `whole`: everything is shown up to the statement's end. Nothing is timed, so
that a busy machine does not change the figures.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cato_lsp.backend.models import LEAST_CONFIDENCE
from cato_lsp.commands.arguments import LANGUAGES
from cato_lsp.completion.beliefs import Reliability, parts_of
from cato_lsp.completion.reuse import Answer, PromptAnchor, Token
from cato_lsp.decisions.classify import Action, classify
from cato_lsp.decisions.habits import LEAST_ESTIMATED
from cato_lsp.settings.settings import CompletionSettings, Targets
from cato_lsp.suggestions.questions import CompletionContext, Question
from cato_lsp.syntax import open_document, syntax_context

TOLD, ESTIMATED, WHOLE = "told", "estimated ", "whole"
ERRORS = (0.05, 0.95)
"""Of a beta distribution: the chance of a token to be wrong."""
ANSWERED = 400
"""Characters."""
SMALLEST, LARGEST = 2_000, 60_000
"""Bytes of a file."""
_TOKEN = re.compile(r"\n[ \t]*|[ ]?\w{1,6}|[ ]?[^\w\s]{1,2}|\s")
_OUTSIDE = re.compile(r"\n(?=\S)")


@dataclass(frozen=True, slots=True)
class Texts:
    """Answers of several, each with the text that it has said."""

    said: tuple[str, ...]

    def texts(self) -> Sequence[str]:
        """As the language server's."""
        return self.said


def answers(
    truth: str, chosen: random.Random, others: int, *, told: bool
) -> tuple[list[Token], Texts]:
    """What the model says, and what it says where it is sampled."""
    tokens: Sequence[str] = _TOKEN.findall(truth[:ANSWERED])
    chances = [chosen.betavariate(*ERRORS) for _ in tokens]
    wrong = [chosen.random() < chance for chance in chances]
    surest = _said(tokens, wrong, chosen)
    logprobs = [math.log(max(1 - chance, 1e-6)) if told else None for chance in chances]
    sampled = (
        [
            is_wrong != (chosen.random() < chance)
            for is_wrong, chance in zip(wrong, chances, strict=True)
        ]
        for _ in range(others)
    )
    texts = tuple("".join(_said(tokens, each, chosen)) for each in sampled)
    return list(map(Token, surest, logprobs)), Texts(texts)


def _said(tokens: Sequence[str], wrong: Sequence[bool], chosen: random.Random) -> list[str]:
    """The tokens up to the first wrong one, and anything from there."""
    right = wrong.index(True) if True in wrong else len(tokens)
    return [*tokens[:right], *(chosen.choice(tokens) for _ in tokens[right:])]


def asked_at(
    text: str, offset: int, language: str, how: str, reliability: Reliability
) -> CompletionContext:
    """The question at a place whose block is not written on yet."""
    outside = _OUTSIDE.search(text, text.find("\n", offset))
    after = text[outside.start() :] if outside else ""
    snapshot = open_document("file:///sample", language, 1, text[:offset] + after).snapshot()
    context = syntax_context(snapshot, offset)
    action = Action.AUTOMATIC_COMPLETION
    return CompletionContext(
        Question(snapshot, offset, action, time.perf_counter()),
        context,
        classify(action, context, Targets(), doubts=how != WHOLE),
        CompletionSettings(),
        0.0 if how == WHOLE else LEAST_CONFIDENCE,
        LEAST_ESTIMATED if how.startswith(ESTIMATED) else 0.0,
        reliability,
    )


def shown(asked: CompletionContext, said: Sequence[Token], others: Texts) -> str:
    """What is shown of the answer."""
    reader = asked.reader()
    read: list[Token] = []
    for token in said:
        read.append(token)
        if reader.feed([token]):
            break
    text = "".join(token.text for token in read)
    whole = not reader.broken_off
    place = PromptAnchor("", "", from_start=False, to_end=False)
    answer = Answer(place, text, "", whole, False, False, tuple(read), others)
    judged = asked.judged(answer, 0)
    return judged.text(truncated=len(read) == len(said) and not judged.complete)


def measure(paths: Sequence[Path], language: str, places: int, seed: int, how: str) -> Counter[str]:
    """Counts what is shown, and the characters of what is right."""
    chosen, counts, reliability = random.Random(seed), Counter[str](), Reliability()
    further = int(how.removeprefix(ESTIMATED)) if how.startswith(ESTIMATED) else 0
    for _ in range(places):
        text = chosen.choice(paths).read_text(errors="ignore")
        offset = chosen.randrange(len(text) // 4, len(text) - 50)
        asked = asked_at(text, offset, language, how, reliability)
        said, others = answers(text[offset:], chosen, further, told=how == TOLD)
        suggestion = shown(asked, said, others)
        learn(reliability, "".join(token.text for token in said), others, text[offset:])
        if not suggestion:
            counts["nothing"] += 1
        elif text.startswith(suggestion, offset):
            counts["right"] += 1
            counts["characters"] += len(suggestion)
        else:
            counts["wrong"] += 1
    return counts


def learn(reliability: Reliability, said: str, others: Texts, truth: str) -> None:
    """Compares an answer with what stands there."""
    for part in parts_of(said, others.texts()):
        right = truth.startswith(said[: part.end])
        reliability.observe(part.evidence, right=right)
        if not right:
            return


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--suffix", default=".py", choices=sorted(LANGUAGES))
    parser.add_argument("--further", type=int, nargs="*", default=[0, 1, 2, 3])
    parser.add_argument("--places", type=int, default=700)
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()
    paths = sorted(
        path
        for path in arguments.folder.rglob(f"*{arguments.suffix}")
        if path.is_file() and SMALLEST < path.stat().st_size < LARGEST
    )
    if not paths:
        parser.error(f"no files of that size below {arguments.folder}")
    language = LANGUAGES[arguments.suffix]
    print("                right    wrong  characters a place")
    for how in (TOLD, *(f"{ESTIMATED}{number}" for number in arguments.further), WHOLE):
        counts = measure(paths, language, arguments.places, arguments.seed, how)
        shares = (100 * counts[name] / arguments.places for name in ("right", "wrong"))
        characters = counts["characters"] / arguments.places
        print(f"{how:12}", *(f"{share:7.0f}%" for share in shares), f"{characters:8.1f}")


if __name__ == "__main__":
    main()
