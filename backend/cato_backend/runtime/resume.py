"""Continuing on another replica an answer whose beginning the client has already seen.

vLLM tells the token ids of prompt and output (`return_token_ids`), so that the continuation is
asked for as a completion of exactly those ids. Where ids are missing, or where stop strings are
in play (vLLM holds back text that may become one, after it has sent its ids), a completion is
continued from its text instead. A chat has no such text, for only its replica knows its template.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cato_backend.runtime.answer import Answer
from cato_backend.runtime.calls import Call, Kind
from cato_backend.runtime.render import Upstream

_CHAT_ONLY = frozenset(
    {"messages", "max_completion_tokens", "add_generation_prompt", "chat_template", "tool_choice"}
)

_UNRESUMABLE = (
    "logprobs",
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
)


def can_resume(call: Call, answer: Answer) -> bool:
    """Whether enough is known of what was sent."""
    if not call.request.resumable or not call.streams:
        return False
    return (
        _by_ids(call.body, answer) or isinstance(call.body.get("prompt"), str) or bool(call.infill)
    )


def render_resumed(call: Call, answer: Answer, first: Upstream) -> Upstream:
    """The body that continues after what was sent; `first` is that of a new start."""
    body = {key: value for key, value in first.body.items() if key not in _CHAT_ONLY}
    if _by_ids(first.body, answer):
        body["prompt"] = [*answer.prompt_ids, *answer.token_ids]
        left = call.request.max_tokens - answer.tokens
    else:
        body["prompt"] = first.body["prompt"] + answer.text
        left = call.request.max_tokens - answer.tokens_shown
    body["max_tokens"] = max(1, left)
    body["stream"] = True
    return Upstream(Kind.COMPLETION, body, first.prompt_chars + len(answer.text))


def is_resumable(body: Mapping[str, Any]) -> bool:
    """Whether a body asks for nothing that a continuation would visibly change."""
    single = body.get("n") in (None, 1) and body.get("best_of") in (None, 1)
    plain = isinstance(body.get("prompt", ""), str) or _is_ids(body.get("prompt"))
    return single and plain and all(_is_absent(body.get(field)) for field in _UNRESUMABLE)


def _is_absent(value: object) -> bool:
    return value is None or value is False or value == []


def _is_ids(prompt: object) -> bool:
    return isinstance(prompt, list) and all(isinstance(item, int) for item in prompt)


def _by_ids(body: Mapping[str, Any], answer: Answer) -> bool:
    return answer.has_every_token_id and not body.get("stop")
