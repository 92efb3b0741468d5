"""Recognizes and parses prompts that a client has rendered around a cursor.

Editors that speak to a plain OpenAI server render the fill-in-the-middle or next-edit form of the
model themselves. Its markers tell such a prompt from any other text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, permutations

from cato_backend.tasks.families import FORMATS
from cato_backend.tasks.fim import Layout, Part

_LOW_BAR = "▁"

LONGEST_PROMPT = 262_144
"""Characters. A longer prompt belongs to no keystroke, and is not searched."""


@dataclass(frozen=True, slots=True)
class CursorText:
    """The text before and behind a cursor, as far as it is known."""

    prefix: str
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class NextEditForm:
    """Prompt format of a model family for the next edit.

    `markers`: all of them are in every prompt. `cursor`: the marker at the cursor, empty where
    there is none. `begins`: what stands before the region that is to be edited.
    """

    markers: tuple[str, ...]
    cursor: str = ""
    begins: tuple[str, ...] = ()


NEXT_EDIT_FORMS = (
    NextEditForm(
        markers=("<|editable_region_start|>", "<|user_cursor_is_here|>"),
        cursor="<|user_cursor_is_here|>",
        begins=("<|editable_region_start|>\n",),
    ),
    NextEditForm(
        markers=("<|user_cursor|>",),
        cursor="<|user_cursor|>",
        begins=("<<<<<<< CURRENT\n", "<|fim_middle|>current\n", "<|marker_1|>\n"),
    ),
    NextEditForm(markers=("<|file_sep|>original/", "<|file_sep|>updated/")),
    NextEditForm(markers=("<|code_to_edit|>", "<|cursor|>"), cursor="<|cursor|>"),
)
"""Zeta (zed-industries/zed, `zeta1.rs`) and Instinct (continuedev/continue, `templating/instinct`);
Zeta 2 and 2.1 (zed-industries/zed, `crates/zeta_prompt`); Sweep (zed-industries/zed,
`sweep_prompt.rs`; its window has no cursor); Mercury (continuedev/continue,
`templating/mercuryCoderNextEdit`)."""

_CHAT_FORMS = (
    ("<contextBeforeCursor>", "<cursorPosition>"),
    ("<beginCode>", "<cursorPosition>"),
    ("{{FILL_HERE}}", "<COMPLETION>"),
)
"""Completions asked for in a chat: milanglacier/minuet-ai.nvim (`config.lua`, and its older
prompt), continuedev/continue (`holeFillerTemplate`)."""

_CODE_MARKERS = ("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>")
"""GLM and CodeGeeX (zed-industries/zed, `fim.rs`; continuedev/continue, `codegeexFimTemplate`)."""


def cursor_text(prompt: str) -> CursorText | None:
    """Return what a completion's prompt says of the text around a cursor; None for plain text."""
    if len(prompt) > LONGEST_PROMPT:
        return None
    # Most prompts have no marker at all.
    if any(map(prompt.__contains__, _FIRST_MARKERS)):
        found = _next_edit(prompt) or _infill(prompt)
        if found is not None:
            return found
    return _files(prompt)


def asks_at_cursor(message: str) -> bool:
    """Return whether the last message of a chat asks for a completion or a next edit."""
    if len(message) > LONGEST_PROMPT:
        return False
    forms = (*(form.markers for form in NEXT_EDIT_FORMS), *_CHAT_FORMS)
    return any(all(marker in message for marker in markers) for markers in forms)


def _next_edit(prompt: str) -> CursorText | None:
    for form in NEXT_EDIT_FORMS:
        first, *others = form.markers
        if first not in prompt or not all(marker in prompt for marker in others):
            continue
        if not form.cursor:
            return CursorText(prompt)
        before, _, behind = prompt.rpartition(form.cursor)
        begin = max(
            (at + len(text) for text in form.begins if (at := before.rfind(text)) >= 0), default=0
        )
        return CursorText(before[begin:], behind)
    return None


def _infill(prompt: str) -> CursorText | None:
    for first, layout in _LAYOUTS:
        found = _parts(prompt, layout) if first in prompt else None
        if found is not None:
            return found
    return None


def _files(prompt: str) -> CursorText | None:
    """Return the parts of a prompt of several files that ends in the middle of the last one."""
    return CursorText(prompt) if prompt.lstrip().startswith(_FILE_TOKENS) else None


def _parts(prompt: str, layout: Layout) -> CursorText | None:
    """Return the parts of a prompt that is laid out so, whatever stands before its first marker."""
    texts = {Part.PREFIX: "", Part.SUFFIX: ""}
    at, part = 0, None
    for piece in (*layout, None):
        if isinstance(piece, Part):
            part = piece
            continue
        found = len(prompt) if piece is None else prompt.find(piece, at)
        if found < 0:
            return None
        if part is not None:
            texts[part], part = prompt[at:found], None
        at = found + len(piece or "")
    return CursorText(texts[Part.PREFIX], texts[Part.SUFFIX])


def _joined(layout: Layout) -> Layout:
    """Return the layout with neighbouring markers joined."""
    pieces: list[str | Part] = []
    for is_text, group in groupby(layout, key=lambda piece: isinstance(piece, str)):
        texts = [*group]
        pieces.extend(["".join(str(text) for text in texts)] if is_text else texts)
    return tuple(pieces)


def _spellings(layout: Layout) -> Iterator[Layout]:
    """Yield the layout in all spellings of its markers.

    Clients also write a space, or nothing, for SentencePiece's low bar.
    """
    yield layout
    if not any(str(piece).startswith(_LOW_BAR) for piece in layout):
        return
    first, *rest = layout
    with_spaces = (_without_bar(piece, " ") for piece in rest)
    yield (_without_bar(first, ""), *with_spaces)
    yield tuple(
        piece.strip(f"{_LOW_BAR} ") if isinstance(piece, str) else piece for piece in layout
    )


def _without_bar(piece: str | Part, instead: str) -> str | Part:
    if isinstance(piece, str) and piece.startswith(_LOW_BAR):
        return instead + piece.removeprefix(_LOW_BAR)
    return piece


def _known_layouts() -> Iterator[Layout]:
    """Those of every family, then every order of their markers in which the middle comes last."""
    own = [_joined(layout) for known in FORMATS for _, layout in known.layouts]
    for layout in own:
        yield from _spellings(layout)
    for prefix, suffix, middle in _marker_triples(own):
        for first, second in permutations(((prefix, Part.PREFIX), (suffix, Part.SUFFIX))):
            yield (*first, *second, middle)


def _marker_triples(layouts: Iterable[Layout]) -> Iterator[tuple[str, str, str]]:
    """Markers of prefix, suffix and middle, of those prefix-first layouts that have all three."""
    yield _CODE_MARKERS
    for layout in layouts:
        match layout:
            case (str(prefix), Part.PREFIX, str(suffix), Part.SUFFIX, str(middle)):
                yield prefix, suffix, middle
            case _:
                pass


def _first_marker(layout: Layout) -> str:
    return next(piece for piece in layout if not isinstance(piece, Part))


_LAYOUTS = tuple((_first_marker(layout), layout) for layout in dict.fromkeys(_known_layouts()))
_FIRST_MARKERS = tuple(
    dict.fromkeys(
        (*(form.markers[0] for form in NEXT_EDIT_FORMS), *(first for first, _ in _LAYOUTS))
    )
)
_FILE_TOKENS = tuple(
    dict.fromkeys(
        token for known in FORMATS for token in (known.repository_token, known.file_token) if token
    )
)
