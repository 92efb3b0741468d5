"""Translating one unit to another language: how to ask for it, and what of the answer is code."""

from __future__ import annotations

from cato_backend.errors import InvalidRequest
from cato_backend.tasks.calls import Abilities, CallKind, Message, ModelCall
from cato_backend.tasks.clean import cut_at, without_fences
from cato_backend.tasks.languages import Language, language_of
from cato_backend.tasks.markers import neutralized
from cato_backend.wire.tasks import TaskRequest, Unit

_SYSTEM = (
    "You translate source code between programming languages. Answer with the translated code "
    "alone, in one fenced code block."
)
_LEAST_TOKENS = 128
_MOST_TOKENS = 2048
_CHARS_PER_TOKEN_AT_LEAST = 2.0
"""How short tokens may get: the answer's limit is counted with it, so that it is not cut off."""


def translation_call(request: TaskRequest, unit: Unit, model: Abilities, field: str) -> ModelCall:
    """The call whose answer is the unit in the target language.

    Raises InvalidRequest naming `field` where unit and answer do not fit the model's context: a
    translation of half a function is none.
    """
    source, target = language_of(request.language), language_of(request.target_language or "")
    text = neutralized(unit.text.strip("\n"))
    max_tokens = request.limits.get("max_tokens") or _output_limit(text)
    room = model.room_chars(max_tokens)
    if room is not None and len(text) + len(_SYSTEM) > room:
        raise InvalidRequest(
            f"{field}: {len(text)} characters and their translation do not fit the model's context "
            f"of {model.max_model_len} tokens",
            param=field,
        )
    if model.follows_instructions:
        return _chat(request, unit, source, target, text, max_tokens)
    return _continuation(source, target, text, max_tokens)


def clean_translation(text: str, language: str, target_language: str) -> str:
    """The code alone: no fence, no second section."""
    headers = (_header(language_of(language)), _header(language_of(target_language)))
    return cut_at(without_fences(text), tuple(f"\n{header}" for header in headers)).strip("\n")


def _output_limit(text: str) -> int:
    expected = int(len(text) / _CHARS_PER_TOKEN_AT_LEAST) + 64
    return min(_MOST_TOKENS, max(_LEAST_TOKENS, expected))


def _chat(
    request: TaskRequest, unit: Unit, source: Language, target: Language, text: str, max_tokens: int
) -> ModelCall:
    context = f"Context:\n{neutralized(request.context)}\n\n" if request.context else ""
    question = (
        f"{context}Translate this {unit.kind} from {source.title} to {target.title}:\n\n"
        f"```{source.id}\n{text}\n```"
    )
    messages = (Message("system", _SYSTEM), Message("user", question))
    return ModelCall(CallKind.CHAT, max_tokens, messages=messages, one_block=True)


def _continuation(source: Language, target: Language, text: str, max_tokens: int) -> ModelCall:
    """A file that holds the same code twice, each part under a comment in its own language."""
    prefix = f"{_header(source)}\n{text}\n\n{_header(target)}\n"
    stop = (f"\n{_header(source)}", f"\n{_header(target)}", "\n\n\n\n")
    return ModelCall(CallKind.COMPLETION, max_tokens, prefix=prefix, stop=stop)


def _header(language: Language) -> str:
    return f"{language.line} The same code in {language.title}:"
