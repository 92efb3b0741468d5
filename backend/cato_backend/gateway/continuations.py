"""Recognizes plain completions that continue each other, where clients do not name documents.

A person has one cursor. Where a newer prompt holds the text of a live one with some characters more
or less before the cursor, the person has typed on, and the older one is of no use. Both get the
same document, so that the scheduler replaces the older one as if the client had asked for it.

The text is kept for as long as its request lives, and no more of it than tells one place in a file
from another.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from cato_backend.tasks.cursor import CursorText

MOST_TYPED = 16
"""Visible characters that a person adds or takes away between two requests: a word at most."""
MOST_TYPED_WITH_LINE_END = 2
"""The same where a line end is among them, as in `):` and Enter. A program that evaluates a model
goes by whole lines: with 16, 38% of the requests of HumanEval's multi-line infilling would replace
each other, with 2 it is 0.2% (`python -m bench.continuations`)."""
MOST_BLANKS = 64
"""White space that an automatic indentation adds or takes away."""
LEAST_SHARED = 16
"""Characters that both prompts must have in common: less could be two files that begin alike."""
_MOST_SLID = 512
"""How far a client's window may have moved along with the cursor: by what was typed, or a line."""
_SLID_SHARED = 64
"""Characters at a window's edge by which it is found in the older one."""
_KEPT_PREFIX, _KEPT_SUFFIX = 4096, 1024
_ANCHOR_CHARS = 64
_MOST_COMPARED = 16
_MOST_LINES = 4096


@dataclass(frozen=True, slots=True)
class TypingClient:
    """The client whose keystrokes are compared with each other.

    Never those of different tokens, sessions, addresses or models.
    """

    tenant: str
    session: str
    source: str
    """The client's address and program, as far as they are known."""
    model: str


@dataclass(frozen=True, slots=True)
class Keystroke:
    """The document of a request, and whether the request replaces older ones."""

    document: str
    supersedes: bool
    number: int
    """Number of the prompt within its document; requests with the same prompt share it."""


@dataclass(slots=True)
class _Line:
    """A series of prompts that continue each other. Only the newest is kept."""

    typist: TypingClient
    text: CursorText
    number: int = 0
    live: int = 1
    """Requests with the newest prompt."""


class Continuations:
    """Live plain completions."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, _Line] = OrderedDict()
        """By document, the one that was typed on last at the end."""
        self._by_anchor: dict[tuple[TypingClient, str], dict[str, _Line]] = {}
        self._made = 0

    def __len__(self) -> int:
        return len(self._lines)

    def begin(self, typist: TypingClient, text: CursorText) -> Keystroke:
        """Take in a request that arrives now. `end` must follow."""
        text = CursorText(text.prefix[-_KEPT_PREFIX:], text.suffix[:_KEPT_SUFFIX])
        for document, line in self._near(typist, text):
            if line.text == text:
                line.live += 1
                return Keystroke(document, False, line.number)
            if continues(line.text, text):
                self._drop(document)
                line.text, line.number, line.live = text, line.number + 1, 1
                self._keep(document, line)
                return Keystroke(document, True, line.number)
        self._made += 1
        # No client can name such a document: a header's value has no space in front.
        document = f" typed-{self._made}"
        self._keep(document, _Line(typist, text))
        return Keystroke(document, False, 0)

    def end(self, keystroke: Keystroke) -> None:
        """Record that the request is over."""
        line = self._lines.get(keystroke.document)
        if line is None or line.number != keystroke.number:
            return
        line.live -= 1
        if not line.live:
            self._drop(keystroke.document)

    def _near(self, typist: TypingClient, text: CursorText) -> list[tuple[str, _Line]]:
        """Return those that may be at the same place, the newest first."""
        found: dict[str, _Line] = {}
        for anchor in _anchors(text.prefix):
            found |= self._by_anchor.get((typist, anchor), {})
        return list(reversed(found.items()))[:_MOST_COMPARED]

    def _keep(self, document: str, line: _Line) -> None:
        self._lines[document] = line
        for anchor in _anchors(line.text.prefix):
            self._by_anchor.setdefault((line.typist, anchor), {})[document] = line
        if len(self._lines) > _MOST_LINES:
            self._drop(next(iter(self._lines)))

    def _drop(self, document: str) -> None:
        line = self._lines.pop(document)
        for anchor in _anchors(line.text.prefix):
            key = (line.typist, anchor)
            lines = self._by_anchor[key]
            del lines[document]
            if not lines:
                del self._by_anchor[key]


def continues(older: CursorText, newer: CursorText) -> bool:
    """Return whether the newer text is the older one after some keys.

    Characters typed or taken away before the cursor, and nothing else. Equal texts do not continue
    each other.

    Either window may have moved along with the cursor.
    """
    typed = _typed(older.prefix, newer.prefix)
    if typed is None:
        typed = _typed(newer.prefix, older.prefix)
    shared = min(len(older.prefix), len(newer.prefix)) + min(len(older.suffix), len(newer.suffix))
    return (
        typed is not None
        and _is_keystroke(typed)
        and shared >= LEAST_SHARED
        and _same_start(older.suffix, newer.suffix)
    )


def _typed(older: str, newer: str) -> str | None:
    """Return what `newer` has behind the end of `older`; None where it is another text."""
    if newer.startswith(older):
        return newer[len(older) :]
    head = newer[:_SLID_SHARED]
    slid = older.find(head, 0, _MOST_SLID + _SLID_SHARED) if len(head) == _SLID_SHARED else -1
    if slid < 0 or not newer.startswith(older[slid:]):
        return None
    return newer[len(older) - slid :]


def _is_keystroke(typed: str) -> bool:
    """Return whether a person may have typed this much between two requests."""
    visible = len("".join(typed.split()))
    most = MOST_TYPED_WITH_LINE_END if "\n" in typed else MOST_TYPED
    return bool(typed) and visible <= most and len(typed) - visible <= MOST_BLANKS


def _same_start(one: str, other: str) -> bool:
    """Return whether both suffixes are the same, but for where a window may have cut them off."""
    if one == other:
        return True
    shorter, longer = sorted((one, other), key=len)
    slid = len(longer) - len(shorter)
    return len(shorter) >= _SLID_SHARED and slid <= _MOST_SLID and longer.startswith(shorter)


def _anchors(prefix: str) -> tuple[str, ...]:
    """Return the text before the cursor's line, and before the line above.

    One of the two is the same for two keystrokes between which at most one line end was typed or
    taken away.
    """
    line = prefix.rfind("\n") + 1
    above = prefix.rfind("\n", 0, max(0, line - 1)) + 1
    return tuple(dict.fromkeys(prefix[max(0, at - _ANCHOR_CHARS) : at] for at in (above, line)))
