"""A prompt in a family's own fill-in-the-middle form, with user text made harmless."""

from __future__ import annotations

from dataclasses import dataclass

from cato_backend.tasks.fim import ContextStyle, FimFormat, FimOrder, Part
from cato_backend.tasks.languages import line_comment
from cato_backend.tasks.markers import neutralized

_REPOSITORY = "workspace"
"""The repository's name in prompts; the gateway is not told the real one."""


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
    """The prompt that continues `prefix` towards `suffix`.

    None: the model takes no suffix, the prompt is context and prefix. `path`: the document's own,
    where it is known. An `order` that the family was not trained for is replaced by its best.
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
    """The other files under the family's own tokens, up to where the document's prompt begins."""
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
