"""The parts that the chats of all whole tasks share."""

from __future__ import annotations

from cato_backend.errors import InvalidRequest
from cato_backend.tasks.languages import Language
from cato_backend.tasks.markers import neutralized
from cato_backend.tasks.plans import Abilities, CallKind, Message, ModelCall
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


def chat(system: str, question: str, max_tokens: int, *, one_block: bool = False) -> ModelCall:
    """Returns the call that asks `question`, in which no special token may be left."""
    messages = (Message("system", system), Message("user", question))
    return ModelCall(CallKind.CHAT, max_tokens, messages=messages, one_block=one_block)


def fenced(language: Language, text: str) -> str:
    """Returns the text as a block of code, with a fence that is longer than any in the text."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language.id}\n{text}\n{fence}"


def about(unit: Unit) -> str:
    """Returns what a question calls the unit."""
    name = " ".join(neutralized(unit.name).split())
    kind = " ".join(neutralized(unit.kind).split())
    return f"the {kind} `{name}`" if name else f"this {kind}"


def with_context(context: str, question: str) -> str:
    """Returns the question behind its context, where there is one."""
    return f"Context:\n{neutralized(context)}\n\n{question}" if context else question


def code_tokens(text: str, factor: float = 1.0) -> int:
    """Returns the limit of an answer that is code about `factor` times as long as `text`."""
    expected = int(len(text) * factor / _CHARS_PER_TOKEN_AT_LEAST) + 64
    return min(_MOST_CODE_TOKENS, max(_LEAST_CODE_TOKENS, expected))


def room_for_text(model: Abilities, max_tokens: int, *others: str, text: str = "") -> int | None:
    """Returns the characters that are left for a unit beside the other texts; None: no limit.

    `text`: the unit's, where it may have more tokens than the model's usual text.
    """
    room = model.room_chars(max_tokens)
    if room is None:
        return None
    left = room - sum(map(len, others)) - FRAME_CHARS
    return int(left * _lightness(text, model.chars_per_token)) if text else left


def room_of_part(request: TaskRequest, index: int, model: Abilities, room: int, least: int) -> int:
    """Returns `room`, the characters of each part of a unit that is too long as a whole.

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
    """The text's characters per token, at least, as a share of the usual ones: each digit is a
    token of its own for many tokenizers."""
    digits = sum(map(text.count, "0123456789"))
    tokens = digits + (len(text) - digits) / chars_per_token
    return _MARGIN * min(1.0, len(text) / tokens / chars_per_token)


def too_long(text: str, model: Abilities, field: str) -> InvalidRequest:
    """Returns the refusal of a unit that fits the model's context neither whole nor in parts."""
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
