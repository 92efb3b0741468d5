"""The part of a document that a prompt holds.

An engine reuses what it computed for a prompt as far as the next one begins alike. So the window's
edges do not slide along with the cursor: they stay for many keys, then jump.
"""

from __future__ import annotations

from dataclasses import dataclass

from cato_lsp.text.snapshot import Snapshot

PREFIX_SHARE = 0.75
STEPS = 4
"""The prefix's budget in steps: the head moves by whole steps."""
MOST_CHARACTERS = 6_000
"""The largest window. Most of a larger one would be cached, but each jump pays for all of it."""
MOST_AFTER = {False: 800, True: 2_000}
"""The longest suffix, by whether it comes first in the prompt. If not, each request computes it
again, because what was typed moves it; if it does, it stays cached like everything before it."""


@dataclass(frozen=True, slots=True)
class Window:
    """The text before and after the cursor that the model sees."""

    prefix: str
    suffix: str


def prompt_window(snapshot: Snapshot, offset: int, room: int, *, suffix_first: bool) -> Window:
    """Return the window for a model whose prompts hold `room` characters."""
    budget = min(room, MOST_CHARACTERS)
    return window(snapshot, offset, budget, MOST_AFTER[suffix_first])


def window(snapshot: Snapshot, offset: int, budget: int, most_after: int | None = None) -> Window:
    """Return at most `budget` characters around `offset`, three quarters of them before it.

    At most `most_after` of them lie behind it.

    What one side leaves unused goes to the other. Where the text before the cursor does not fit,
    the prefix begins at a line start that stays the same while the cursor moves by about a fifth
    of the budget.
    """
    text = snapshot.text
    offset = min(max(offset, 0), len(text))
    budget = max(budget, 0)
    share = int(budget * PREFIX_SHARE)
    if most_after is not None:
        share = max(share, budget - most_after)
    step = max(share // STEPS, 1)
    # In whole steps, so that small moves of the cursor near the end change nothing either.
    unused = max(budget - share - (len(text) - offset), 0)
    before = share + unused // step * step
    start = 0 if offset <= before else _head(snapshot, offset, before, step)
    taken = min(before, -(-offset // step) * step)
    end = min(offset + min(budget - taken, most_after or budget), len(text))
    return Window(text[start:offset], text[offset : _tail(snapshot, offset, end)])


def _head(snapshot: Snapshot, offset: int, before: int, step: int) -> int:
    """Return the first line start behind the first mark that leaves the prefix within `before`.

    The marks are multiples of the step from the start of the text, whatever the cursor does.
    """
    mark = -(-(offset - before) // step) * step
    lines = snapshot.lines
    line = lines.line_at(mark)
    if lines.start(line) < mark:
        line += 1
    start = lines.start(line) if line < lines.count else offset
    # Within one endless line there is no line start to begin at.
    return start if start <= offset and start - mark < step else min(mark, offset)


def _tail(snapshot: Snapshot, offset: int, end: int) -> int:
    """Return the end of the last whole line before `end`, if there is one: half a line misleads."""
    if end == len(snapshot.text):
        return end
    line_start = snapshot.lines.start(snapshot.lines.line_at(end))
    return line_start if line_start > offset else end
