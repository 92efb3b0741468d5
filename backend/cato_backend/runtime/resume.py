"""Continuing on another replica an answer whose beginning the client has already seen.

vLLM tells the token ids of prompt and output (`return_token_ids`), so that the continuation is
asked for as a completion of exactly those ids. Where ids are missing, or where stop strings are
in play (vLLM holds back text that may become one, after it has sent its ids), a completion is
continued from its text instead. A chat has no such text, for only its replica knows its template.

Log probabilities go on unseen from ids: they are those of the same tokens behind the same ones.

A chat that is reasoning or calling a tool is not continued: the continuation is plain text, which
no parser of the engine would sort into its fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from cato_backend.runtime.answer import Answer
from cato_backend.runtime.calls import ApiKind, Call
from cato_backend.runtime.render import Upstream

_CHAT_ONLY = frozenset(
    {"messages", "max_completion_tokens", "add_generation_prompt", "chat_template", "tool_choice"}
)

_UNRESUMABLE = frozenset(
    {
        "top_logprobs",
        "prompt_logprobs",
        "seed",
        "echo",
        "tools",
        "functions",
        "response_format",
        "structured_outputs",
        "guided_json",
        "guided_regex",
        "guided_choice",
        "guided_grammar",
        "use_beam_search",
    }
)


def can_resume(call: Call, answer: Answer) -> bool:
    """Whether enough is known of what was sent."""
    if not (call.request.resumable and call.streams and answer.is_in_text):
        return False
    if call.body.get("logprobs") is not None:
        return call.kind is ApiKind.COMPLETION and _by_ids(call.body, answer)
    has_text = call.infill is not None or isinstance(call.body.get("prompt"), str)
    return _by_ids(call.body, answer) or (call.kind is ApiKind.COMPLETION and has_text)


def render_resumed(
    call: Call, answer: Answer, first: Upstream, max_model_len: int | None
) -> Upstream:
    """The body that continues after what was sent; `first` is that of a new start.

    `can_resume` must hold.
    """
    body = {key: value for key, value in first.body.items() if key not in _CHAT_ONLY}
    by_ids = _by_ids(first.body, answer)
    answer.resume(by_ids)
    if by_ids:
        body["prompt"] = [*answer.prompt_ids, *answer.token_ids]
    else:
        body["prompt"] = first.body["prompt"] + answer.text
    body["max_tokens"] = max(1, _most_tokens(call, answer, max_model_len) - answer.tokens)
    if body.get("min_tokens"):
        body["min_tokens"] = max(0, body["min_tokens"] - answer.tokens)
    return Upstream(ApiKind.COMPLETION, body, first.prompt_chars)


def _most_tokens(call: Call, answer: Answer, max_model_len: int | None) -> int:
    """The answer's limit. A chat that names none may fill its context."""
    named = call.body.get("max_completion_tokens") or call.body.get("max_tokens")
    if call.kind is ApiKind.COMPLETION or named or max_model_len is None:
        return call.request.max_tokens
    return max_model_len - len(answer.prompt_ids)


def is_resumable(body: Mapping[str, Any]) -> bool:
    """Whether a body asks for nothing that a continuation would visibly change."""
    single = body.get("n") in (None, 1) and body.get("best_of") in (None, 1)
    plain = isinstance(body.get("prompt", ""), str) or _is_ids(body.get("prompt"))
    if not single or not plain:
        return False
    return _UNRESUMABLE.isdisjoint(body) or all(
        _is_absent(body[field]) for field in _UNRESUMABLE.intersection(body)
    )


def _is_absent(value: object) -> bool:
    return value is None or value is False or value == [] or value == {"type": "text"}


def _is_ids(prompt: object) -> bool:
    return isinstance(prompt, list) and all(
        isinstance(item, int) for item in cast("list[object]", prompt)
    )


def _by_ids(body: Mapping[str, Any], answer: Answer) -> bool:
    return answer.has_every_token_id and not body.get("stop")
