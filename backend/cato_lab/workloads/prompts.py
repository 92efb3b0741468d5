"""What prompts have in common: block identities of documents that change at their end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

from cato_backend.wire.headers import Task
from cato_lab.workloads.arrival import BLOCK_TOKENS
from cato_lab.workloads.lengths import INSTRUCTION_TOKENS

_SESSION_BITS = 32
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
