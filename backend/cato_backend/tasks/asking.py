"""The parts that the chats of all whole tasks share, and units in pieces that fit the model."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import accumulate

from cato_backend.errors import InvalidRequest
from cato_backend.tasks.plans import Abilities, CallKind, Message, ModelCall
from cato_backend.tasks.source_text import Language, neutralized
from cato_backend.wire.tasks import TaskRequest, Unit

FRAME_CHARS = 200
"""What a question holds beside the source: names, fences and the chat template's own tokens."""
_CHARS_PER_TOKEN_AT_LEAST = 2.0
"""How short tokens may get: an answer's limit is counted with it, so that it is not cut off."""
_MARGIN = 0.85
"""For texts that have shorter tokens than usual."""
_MOST_PARTS = 64
"""Of one unit: each is a call."""
_LEAST_CODE_TOKENS, _MOST_CODE_TOKENS = 128, 2048
_CONTINUES = re.compile(
    r"\s*(?:[)\]}.,:;?|&+*/=<>-]|(?:else|elif|except|finally|catch|case|default|and|or|end)\b)"
)
"""How a line begins that belongs to the statement above it."""
_CONTINUED = re.compile(r"(?:[(\[{,\\=|&+*/<-]|=>)\s*$")
"""How a line ends whose statement continues below it."""
_LEAST_SHARE = 0.4
"""Of the room that a piece fills, unless no statement begins behind it."""


def chat(system: str, question: str, max_tokens: int, *, one_block: bool = False) -> ModelCall:
    """Return the call that asks `question`, in which no special token may be left."""
    messages = (Message("system", system), Message("user", question))
    return ModelCall(CallKind.CHAT, max_tokens, messages=messages, one_block=one_block)


def fenced(language: Language, text: str) -> str:
    """Return the text as a block of code, with a fence that is longer than any in the text."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language.id}\n{text}\n{fence}"


def about(unit: Unit) -> str:
    """Return what a question calls the unit."""
    name = " ".join(neutralized(unit.name).split())
    kind = " ".join(neutralized(unit.kind).split())
    return f"the {kind} `{name}`" if name else f"this {kind}"


def with_context(context: str, question: str) -> str:
    """Return the question behind its context, where there is one."""
    return f"Context:\n{neutralized(context)}\n\n{question}" if context else question


def code_tokens(text: str, factor: float = 1.0) -> int:
    """Return the limit of an answer that is code about `factor` times as long as `text`."""
    expected = int(len(text) * factor / _CHARS_PER_TOKEN_AT_LEAST) + 64
    return min(_MOST_CODE_TOKENS, max(_LEAST_CODE_TOKENS, expected))


def room_for_text(model: Abilities, max_tokens: int, *others: str, text: str = "") -> int | None:
    """Return the characters that are left for a unit beside the other texts; None: no limit.

    `text`: the unit's, where it may have more tokens than the model's usual text.
    """
    room = model.room_chars(max_tokens)
    if room is None:
        return None
    left = room - sum(map(len, others)) - FRAME_CHARS
    return int(left * _lightness(text, model.chars_per_token)) if text else left


def room_of_part(request: TaskRequest, index: int, model: Abilities, room: int, least: int) -> int:
    """Return `room`, the characters of each part of a unit that is too long as a whole.

    Raises InvalidRequest naming what leaves less than `least` of them, or the unit where it would
    take too many parts.
    """
    text = request.units[index].text
    if room < least <= room + len(request.context):
        raise too_long(request.context, model, "context")
    if room < least and "max_tokens" in request.limits:
        raise _too_much(request.limits["max_tokens"], model)
    if room < least or len(text) > _MOST_PARTS * room:
        raise too_long(text, model, f"units[{index}].text")
    return room


def _lightness(text: str, chars_per_token: float) -> float:
    """Return the text's characters per token, at least, as a share of the usual ones.

    Each digit is a token of its own for many tokenizers.
    """
    digits = sum(map(text.count, "0123456789"))
    tokens = digits + (len(text) - digits) / chars_per_token
    return _MARGIN * min(1.0, len(text) / tokens / chars_per_token)


def too_long(text: str, model: Abilities, field: str) -> InvalidRequest:
    """Return the refusal of a unit that fits the model's context neither whole nor in parts."""
    return InvalidRequest(
        f"{field}: {len(text)} characters and the answer do not fit the model's context of "
        f"{model.max_model_len} tokens",
        param=field,
    )


def _too_much(max_tokens: int, model: Abilities) -> InvalidRequest:
    return InvalidRequest(
        f"max_tokens: an answer of {max_tokens} tokens leaves no room for the units in the model's "
        f"context of {model.max_model_len} tokens",
        param="max_tokens",
    )


def pieces(text: str, most: int, breaks: Collection[int] = ()) -> tuple[str, ...]:
    """Return the text in pieces of at most `most` characters; together they are the text.

    Each begins with a statement. `breaks`: the lines, counted from 0, at which statements begin,
    where a parser told them. Lines with less indentation are preferred. A line or a statement that
    is longer than `most` is a longer piece.
    """
    lines = text.splitlines(keepends=True)
    allowed = _allowed(lines, breaks)
    ends = [0, *accumulate(map(len, lines))]
    found: list[str] = []
    start = 0
    while start < len(lines):
        stop = _stop(lines, ends, start, most, allowed)
        found.append(text[ends[start] : ends[stop]])
        start = stop
    return tuple(found)


def _stop(
    lines: Sequence[str], ends: Sequence[int], start: int, most: int, allowed: Sequence[int]
) -> int:
    """Return the line behind the piece that begins with line `start`."""
    if ends[-1] - ends[start] <= most:
        return len(lines)
    later = [line for line in allowed if line > start]
    fitting = [line for line in later if ends[line] - ends[start] <= most]
    if not fitting:
        return later[0] if later else len(lines)
    full = [line for line in fitting if ends[line] - ends[start] >= _LEAST_SHARE * most]
    # The last of those that are indented least: a boundary between two parts of the unit.
    return min(full or fitting[-1:], key=lambda line: (_indentation(lines[line]), -line))


def _allowed(lines: Sequence[str], breaks: Collection[int]) -> list[int]:
    if breaks:
        return sorted(line for line in set(breaks) if 0 < line < len(lines))
    return [line for line in range(1, len(lines)) if _begins_statement(lines, line)]


def _begins_statement(lines: Sequence[str], line: int) -> bool:
    here, above = lines[line], lines[line - 1]
    if not here.strip() or _CONTINUES.match(here):
        return False
    return not above.strip() or _CONTINUED.search(above) is None


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
