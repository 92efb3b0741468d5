"""Summarizing one unit: how to ask for it, and what of the answer is the summary."""

from __future__ import annotations

import re

from cato_backend.tasks.calls import Abilities, CallKind, Message, ModelCall
from cato_backend.tasks.clean import without_comment_marks, without_fences
from cato_backend.tasks.languages import Language, language_of
from cato_backend.tasks.markers import neutralized
from cato_backend.wire.tasks import TaskRequest, Unit

_MAX_TOKENS = 160
_SYSTEM = (
    "You explain source code to programmers. Answer with a summary in Markdown: first one sentence "
    "on what the code does, then, only where they matter, what it takes, what it returns, what it "
    "changes and how it fails. Five sentences at most. No code, no heading, no preamble."
)


def summary_call(request: TaskRequest, unit: Unit, model: Abilities) -> ModelCall:
    """The call whose answer is the unit's summary. A text too long for the model loses its tail."""
    max_tokens = request.limits.get("max_tokens", _MAX_TOKENS)
    language = language_of(request.language)
    text = _head(neutralized(unit.text.rstrip()), model.room_chars(max_tokens), request.context)
    if model.follows_instructions:
        return _chat(request, unit, language, text, max_tokens)
    if model.fim is None:
        return _continuation(unit, language, text, max_tokens)
    return _docstring(language, text, max_tokens)


def clean_summary(text: str) -> str:
    """The summary without fences, quotes and comment marks."""
    return without_comment_marks(without_fences(text)).strip().strip('"').strip()


def _chat(
    request: TaskRequest, unit: Unit, language: Language, text: str, max_tokens: int
) -> ModelCall:
    name = neutralized(unit.name)
    about = f"the {unit.kind} `{name}`" if name else f"this {unit.kind}"
    context = f"Context:\n{neutralized(request.context)}\n\n" if request.context else ""
    question = f"{context}Summarize {about} ({language.title}):\n\n```{language.id}\n{text}\n```"
    messages = (Message("system", _SYSTEM), Message("user", question))
    return ModelCall(CallKind.CHAT, max_tokens, messages=messages)


def _docstring(language: Language, text: str, max_tokens: int) -> ModelCall:
    """The summary as the documentation that belongs at its place in the code."""
    if language.id == "python":
        head, body, indent = _split_python(text)
        prefix, suffix, stop = f'{head}{indent}"""', f'"""\n{body}', '"""'
    elif language.block is not None:
        opening, mark, closing = language.block
        prefix, suffix, stop = f"{opening}{mark}", f"\n{closing}\n{text}", closing.strip()
    else:
        prefix, suffix, stop = f"{language.line} ", f"\n{text}", f"\n{text.splitlines()[0]}"
    return ModelCall(
        CallKind.INFILL, max_tokens, prefix=prefix, suffix=suffix, stop=(stop, "\n\n\n")
    )


def _continuation(unit: Unit, language: Language, text: str, max_tokens: int) -> ModelCall:
    name = " ".join(neutralized(unit.name).split()) or f"this {unit.kind}"
    prefix = f"{text}\n\n{language.line} Summary of {name}: it"
    return ModelCall(CallKind.COMPLETION, max_tokens, prefix=prefix, stop=("\n\n", "\ndef "))


_HEADER_END = re.compile(r":[ \t]*(#[^\n]*)?\n")
_PYTHON_UNIT = re.compile(r"\s*(@|(async\s+)?def\b|class\b)")


def _split_python(text: str) -> tuple[str, str, str]:
    """Header with its line end, body, and the body's indentation; a text without a header is all
    body."""
    header = _python_header(text) if _PYTHON_UNIT.match(text) else 0
    body = text[header:]
    indent = re.match(r"[ \t]*", body.lstrip("\n"))
    return text[:header], body, indent[0] if indent and header else ""


def _python_header(text: str) -> int:
    """Where the first line after the unit's signature begins; 0 where it has no body of its own."""
    start = re.search(r"(?m)^[ \t]*((async\s+)?def|class)\b", text)
    if start is None:
        return 0
    for end in _HEADER_END.finditer(text, start.end()):
        head = text[start.start() : end.start()]
        if all(head.count(a) == head.count(b) for a, b in ("()", "[]", "{}")):
            return end.end()
    return 0


def _head(text: str, room: int | None, context: str) -> str:
    if room is None:
        return text
    kept = text[: max(200, room - len(context) - len(_SYSTEM) - 200)]
    return kept if len(kept) == len(text) else kept[: kept.rfind("\n") + 1] or kept
