"""Lengths of prompts and answers per task, and what prompts have in common.

Sources: Azure's code trace of 2023 (completions), RealHumanEval (generation), and inference where
no data exist; docs/workloads.md lists each number with its origin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count, islice
from math import log

from numpy.random import Generator

from cato_backend.config import TargetsConfig
from cato_backend.requests import Target
from cato_backend.wire.headers import Task
from cato_lab.workloads.arrival import BLOCK_TOKENS

_TRANSLATION_BASE_S, _TRANSLATION_TOKEN_S, _TRANSLATION_LONGEST_S = 2.0, 0.030, 15.0

_RATIOS = (1.75, 1.85, 2.79, 0.57, 1.2)
"""Output per source token: Python to Java, C++, Rust; Java to Python, C#."""

_LONGEST_PROMPT = 8192

_LONGEST_TRANSLATION = 2048

_SESSION_BITS = 32


_TARGETS = TargetsConfig()


_FILE_SUMMARY = Target(e2e_s=8.0)


INSTRUCTION_TOKENS = {Task.SUMMARIZATION: 120, Task.TRANSLATION: 100}
"""What stands in front of the text, the same for every request of the task."""


class Context(StrEnum):
    """The parts of a completion's prompt."""

    RICH = "rich"
    """The file and pieces of others: the lengths of Azure's code trace."""
    LEAN = "lean"
    """A few lines around the cursor."""


@dataclass(frozen=True, slots=True)
class Size:
    """One request's lengths in tokens, and its target."""

    prompt_tokens: int
    output_tokens: int
    max_tokens: int
    target: Target


def draw_size(task: Task, context: Context, rng: Generator, *, whole_files: bool = True) -> Size:
    """Draw the lengths of one request of the task.

    Without `whole_files`, summaries and translations are of single functions only, as the calls of
    a task that was split into its units.
    """
    match task:
        case Task.COMPLETION:
            return _completion(completion_prompt(context, rng), rng)
        case Task.GENERATION:
            prompt = _clipped(rng.lognormal(6.63, 0.99), 16, _LONGEST_PROMPT)
            output = _clipped(rng.lognormal(5.54, 0.66), 1, 1024)
            return Size(prompt, output, 1024, _TARGETS.of(task))
        case Task.SUMMARIZATION:
            return _summarization(rng, whole_files)
        case Task.TRANSLATION:
            return _translation(rng, whole_files)
        case Task.AGENT:
            raise ValueError("an agent's turns are not drawn one by one: they share their prompt")


def completion_prompt(context: Context, rng: Generator) -> int:
    """Return tokens of a completion's prompt."""
    if context is Context.LEAN:
        return _clipped(rng.lognormal(5.3, 0.7), 16, 1024)
    return _clipped(2020 * rng.weibull(0.97), 16, 7437)


def _completion(prompt: int, rng: Generator) -> Size:
    target = _TARGETS.of(Task.COMPLETION)
    if rng.random() < 0.85:
        return Size(prompt, _clipped(rng.lognormal(2.0, 0.6), 1, 20), 64, target)
    return Size(prompt, _clipped(rng.lognormal(3.9, 0.8), 1, 200), 200, target)


def resized_completion(prompt_tokens: int, rng: Generator) -> Size:
    """Return a completion whose prompt is given."""
    return _completion(prompt_tokens, rng)


def _summarization(rng: Generator, whole_files: bool) -> Size:
    instruction = INSTRUCTION_TOKENS[Task.SUMMARIZATION]
    if whole_files and rng.random() < 0.1:
        source = _clipped(rng.lognormal(7.3, 1.2), 16, _LONGEST_PROMPT - instruction)
        output = _clipped(rng.lognormal(5.2, 0.5), 1, 1024)
        return Size(instruction + source, output, 1024, _FILE_SUMMARY)
    source = _clipped(rng.lognormal(4.9, 0.95), 8, _LONGEST_PROMPT - instruction)
    output = _clipped(rng.lognormal(3.9, 0.7), 1, 256)
    return Size(instruction + source, output, 256, _TARGETS.of(Task.SUMMARIZATION))


def _translation(rng: Generator, whole_files: bool) -> Size:
    whole_class = whole_files and rng.random() < 0.2
    drawn = rng.lognormal(6.5, 0.8) if whole_class else rng.lognormal(4.6, 0.7)
    source = _clipped(drawn, 8, _LONGEST_PROMPT - INSTRUCTION_TOKENS[Task.TRANSLATION])
    expected = source * _RATIOS[rng.integers(len(_RATIOS))]
    output = _clipped(expected * rng.lognormal(0, 0.33), 1, _LONGEST_TRANSLATION)
    prompt = INSTRUCTION_TOKENS[Task.TRANSLATION] + source
    return Size(prompt, output, _LONGEST_TRANSLATION, translation_target(expected))


def translation_target(expected_tokens: float) -> Target:
    """min(15 s, 2 s + 30 ms for each expected output token) (docs/workloads.md)."""
    promised = _TRANSLATION_BASE_S + _TRANSLATION_TOKEN_S * expected_tokens
    return Target(e2e_s=min(_TRANSLATION_LONGEST_S, promised))


def _clipped(value: float, least: int, most: int) -> int:
    return min(most, max(least, round(value)))


def lognormal_of_median(median: float, sigma: float, rng: Generator) -> float:
    """Return a log-normal draw given by its median."""
    return float(rng.lognormal(log(median), sigma))


_INSTRUCTIONS = {
    task: tuple(range(1 + 1000 * n, 1 + 1000 * n + tokens // BLOCK_TOKENS))
    for n, (task, tokens) in enumerate(INSTRUCTION_TOKENS.items())
}
"""Ids of the blocks that all prompts of a task begin with; sessions' own ids start far above."""


class SessionBlocks:
    """New block ids of one session: never used twice, so each stands for one prefix only."""

    def __init__(self, session: int) -> None:
        self._ids: Iterator[int] = count((session + 1) << _SESSION_BITS)

    def fresh(self, tokens: int) -> tuple[int, ...]:
        """Return the blocks of a new prompt."""
        return tuple(islice(self._ids, tokens // BLOCK_TOKENS))

    def edited(self, blocks: tuple[int, ...], kept_tokens: int, tokens: int) -> tuple[int, ...]:
        """Return the blocks of a prompt that changed behind its first `kept_tokens` tokens."""
        kept = blocks[: kept_tokens // BLOCK_TOKENS]
        return kept + self.fresh((tokens // BLOCK_TOKENS - len(kept)) * BLOCK_TOKENS)

    def instructed(self, task: Task, tokens: int) -> tuple[int, ...]:
        """Return a new text behind the task's own instruction."""
        instruction = _INSTRUCTIONS.get(task, ())
        return instruction + self.fresh(tokens - len(instruction) * BLOCK_TOKENS)


class Document:
    """The file that a session works on, as the prompts of its completions show it.

    With suffix-first prompts only the text just typed is new. With prefix-first ones everything
    behind the cursor is sent again: `suffix_share` of the prompt.
    """

    def __init__(self, blocks: SessionBlocks, tokens: int, suffix_share: float = 0.0) -> None:
        self._source = blocks
        self._suffix_share = suffix_share
        self._moving = 0
        self.open(tokens)

    def open(self, tokens: int) -> None:
        """Another file, or another window of it: nothing is shared."""
        self.tokens = tokens
        self.blocks = self._source.fresh(tokens)
        self._moving = int(tokens * self._suffix_share)

    def type(self, tokens: int) -> None:
        """So many tokens are typed at the cursor."""
        kept = self.tokens - self._moving
        self.tokens += tokens
        self.blocks = self._source.edited(self.blocks, kept, self.tokens)
