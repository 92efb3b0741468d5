"""The part of a document that a prompt holds."""

from __future__ import annotations

from dataclasses import dataclass

from cato_lsp.text.snapshot import Snapshot

PREFIX_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class Window:
    """The text before and after the cursor that the model sees."""

    prefix: str
    suffix: str


def window(snapshot: Snapshot, offset: int, budget: int) -> Window:
    """At most `budget` characters around `offset`."""
    prefix_budget = int(budget * PREFIX_SHARE)
    start = max(offset - prefix_budget, 0)
    end = min(offset + budget - prefix_budget, len(snapshot.text))
    return Window(snapshot.text[start:offset], snapshot.text[offset:end])
