"""A prompt in a family's own fill-in-the-middle form, cut to what the model can read.

User text is made harmless. The prefix loses its head and the suffix its tail, at line starts where
there are any. The prefix's cut moves in steps of a quarter of the room: between two steps the
prompt only grows at its end, and the engine's prefix cache keeps hitting.
"""

from __future__ import annotations

from dataclasses import dataclass

from cato_backend.tasks.fim import ContextStyle, FimFormat, FimOrder, Part
from cato_backend.tasks.source_text import line_comment, neutralized

_REPOSITORY = "workspace"
"""The repository's name in prompts; the gateway is not told the real one."""
_STEPS = 4
_LEAST_SUFFIX = 1 / 4
_MOST_CONTEXT = 1 / 4


@dataclass(frozen=True, slots=True)
class ContextFile:
    """A piece of another file that belongs in front of the prompt."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """The prompt's text and the special tokens that end the infill."""

    text: str
    stop: tuple[str, ...]


def render(
    format: FimFormat | None,
    prefix: str,
    suffix: str,
    context: tuple[ContextFile, ...] = (),
    order: FimOrder | None = None,
    path: str = "",
) -> RenderedPrompt:
    """Return the prompt that continues `prefix` towards `suffix`.

    `format` is None: the model takes no suffix, the prompt is context and prefix. `path`: the
    document's own, where it is known. An `order` that the family was not trained for is replaced by
    its best.
    """
    if format is None:
        return RenderedPrompt(neutralized(_commented(context) + prefix), ())
    head = ""
    if context and format.context is ContextStyle.COMMENTS:
        prefix = _commented(context) + prefix
    elif context:
        head = _files(format, context, path)
    parts = {Part.PREFIX: neutralized(prefix), Part.SUFFIX: neutralized(suffix)}
    layout = format.layout(order)
    body = "".join(piece if isinstance(piece, str) else parts[piece] for piece in layout)
    return RenderedPrompt(head + body, format.stop)


def _files(format: FimFormat, context: tuple[ContextFile, ...], path: str) -> str:
    """Return the other files under the family's own tokens, up to where the document begins."""
    if format.context is ContextStyle.BARE_FILES:
        pieces = (neutralized(file.text) + format.file_token for file in context)
        return format.file_token + "".join(pieces)
    texts = [f"{_one_line(file.path)}\n{file.text}" for file in context] + [_one_line(path)]
    files = "".join(f"{format.file_token}{neutralized(text)}\n" for text in texts)
    return f"{format.repository_token}{_REPOSITORY}\n{files}"


def _commented(context: tuple[ContextFile, ...]) -> str:
    return "".join(
        f"{line_comment(file.path)} {_one_line(file.path)}\n{file.text.rstrip()}\n\n"
        for file in context
    )


def _one_line(path: str) -> str:
    return " ".join(path.split())


@dataclass(frozen=True, slots=True)
class Trimmed:
    """The remaining text of each part."""

    prefix: str
    suffix: str
    context: tuple[ContextFile, ...] = ()


def trim(
    prefix: str,
    suffix: str,
    context: tuple[ContextFile, ...] = (),
    *,
    max_prompt_tokens: int | None,
    chars_per_token: float,
) -> Trimmed:
    """Return the parts, cut to at most `max_prompt_tokens` together at that ratio.

    None: no limit is known, nothing is cut. Whole context files are dropped, the last first; they
    never take more than a quarter of the room from a document that needs it.
    """
    if max_prompt_tokens is None:
        return Trimmed(prefix, suffix, context)
    room = max(0, int(max_prompt_tokens * chars_per_token))
    free = room - len(prefix) - len(suffix)
    kept, used = _whole_files(context, max(free, int(room * _MOST_CONTEXT)))
    prefix, suffix = trim_document(prefix, suffix, room - used)
    return Trimmed(prefix, suffix, kept)


def trim_document(prefix: str, suffix: str, room: int) -> tuple[str, str]:
    """Return prefix and suffix, cut to `room` characters together.

    The suffix keeps a quarter of the room if it needs it, and whatever the prefix leaves.
    """
    if len(prefix) + len(suffix) <= room:
        return prefix, suffix
    step = max(1, room // _STEPS)
    taken = -(-len(prefix) // step) * step
    suffix = _head_of(suffix, max(int(room * _LEAST_SUFFIX), room - taken))
    return _tail_of(prefix, room - len(suffix), step), suffix


def _tail_of(text: str, room: int, step: int) -> str:
    excess = len(text) - room
    if excess <= 0:
        return text
    cut = -(-excess // step) * step
    if cut >= len(text):
        cut = excess
    line = text.find("\n", cut - 1)
    if 0 <= line < len(text) - (len(text) - cut) // 2:
        cut = line + 1
    return text[cut:]


def _head_of(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    kept = text[: max(0, room)]
    line = kept.rfind("\n")
    return kept[: line + 1] if line >= room // 2 else kept


def _whole_files(
    context: tuple[ContextFile, ...], room: int
) -> tuple[tuple[ContextFile, ...], int]:
    kept: list[ContextFile] = []
    used = 0
    for file in context:
        size = len(file.path) + len(file.text) + 4
        if used + size > room:
            break
        kept.append(file)
        used += size
    return tuple(kept), used
