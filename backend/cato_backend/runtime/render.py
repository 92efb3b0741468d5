"""Renders the body for a replica: of a new attempt, or of a resume on another replica.

A client may have seen the beginning of an answer that another replica is to continue. vLLM tells
the token ids of prompt and output (`return_token_ids`), so that the continuation is asked for as a
completion of exactly those ids. Where ids are missing, or where stop strings are in play (vLLM
holds back text that may become one, after it has sent its ids), a completion is continued from its
text instead. A chat has no such text, for only its replica knows its template.

Log probabilities continue unseen from ids: they are those of the same tokens behind the same ones.

A chat that is reasoning or calling a tool is not continued: the continuation is plain text, which
no parser of the engine would sort into its fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from cato_backend.prediction.online import CharsPerToken
from cato_backend.requests import value
from cato_backend.runtime.answer import Answer
from cato_backend.runtime.calls import ApiKind, Call, Infill, RenderedInfill
from cato_backend.runtime.facts import ModelFacts, UpstreamRoute
from cato_backend.tasks.detection import Detection
from cato_backend.tasks.infill import RenderedPrompt, trim
from cato_backend.tasks.infill import render as render_infill

_SPARE_TOKENS = 32
"""Left free of the context, for markers and for the error of the estimate."""
_LARGEST_OUTPUT_SHARE = 1 / 2
"""A prompt is never cut below this share of the context to make room for output."""
_RATIO_STEP = 0.25
_SHRINK = 0.2
"""Taken off what a token is reckoned to hold, each time the engine finds the prompt too long."""
_CHAT_ONLY = frozenset(
    {
        "messages",
        "max_completion_tokens",
        "add_generation_prompt",
        "continue_final_message",
        "chat_template",
        "tool_choice",
    }
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


@value
class Upstream:
    """A replica's path and body, and how many characters its prompt has (0: not known)."""

    path: str
    body: dict[str, Any]
    prompt_chars: int


def max_prompt_tokens(facts: ModelFacts, max_tokens: int = 256) -> int | None:
    """Return how long a prompt may be so that `max_tokens` of output still fit.

    None where unknown.
    """
    if facts.max_model_len is None:
        return None
    floor = int(facts.max_model_len * (1 - _LARGEST_OUTPUT_SHARE))
    return max(floor, facts.max_model_len - max_tokens) - _SPARE_TOKENS


def render(call: Call, leg: UpstreamRoute, overflows: int = 0) -> Upstream:
    """Return the body of a fresh start.

    `overflows`: how often this prompt was too long for the engine.
    """
    facts = leg.facts
    body = _addressed(call, leg)
    if call.infill is None:
        prompt = body.get("prompt")
        return Upstream(call.kind, body, len(prompt) if isinstance(prompt, str) else 0)
    limit = max_prompt_tokens(facts, max(call.request.max_tokens, call.reserved_tokens))
    known = call.rendered
    if known is None or overflows or known.limit != limit:
        known = _cut_and_rendered(call.infill, facts, limit, leg.ratio, overflows)
    body["prompt"] = known.prompt.text
    _add_stops(body, known.prompt, facts.fim)
    return Upstream(call.kind, body, len(known.prompt.text))


def rendered_infill(
    infill: Infill, max_tokens: int, facts: ModelFacts, ratio: CharsPerToken
) -> RenderedInfill:
    """Return the infill in the form of the model that will answer, cut to its context."""
    return _cut_and_rendered(infill, facts, max_prompt_tokens(facts, max_tokens), ratio, 0)


def prompt_text(kind: ApiKind, body: Mapping[str, Any]) -> str:
    """Return the prompt as the prefix index takes it; empty where it is not one text.

    A chat's template is not known here, but what it lays around each message is always the same,
    and it puts the tools in front.
    """
    if kind is ApiKind.CHAT:
        tools = orjson.dumps(body["tools"]).decode() if body.get("tools") else ""
        return tools + "".join(map(_said, body["messages"]))
    prompt = body["prompt"]
    return prompt if isinstance(prompt, str) else ""


def _said(message: Mapping[str, Any]) -> str:
    """Return a chat's message, with the tools that it calls."""
    calls = orjson.dumps(message["tool_calls"]).decode() if message.get("tool_calls") else ""
    return f"{message['role']}\n{message.get('content') or ''}{calls}\n"


def _addressed(call: Call, leg: UpstreamRoute) -> dict[str, Any]:
    """Return the client's body for this server, with what ledger and resume need."""
    name = call.request.adapter or leg.endpoint.upstream_model
    body: dict[str, Any] = {**call.body, "model": name}
    if call.cache_salt and leg.endpoint.speaks_vllm:
        body["cache_salt"] = call.cache_salt
        # It names blocks of an engine's cache, whose ever they are.
        body.pop("kv_transfer_params", None)
    context = leg.facts.max_model_len
    if call.caps_max_tokens and context is not None and "max_tokens" in body:
        body["max_tokens"] = min(body["max_tokens"], context)
    if leg.endpoint.takes_priority:
        body["priority"] = leg.priority
    if call.streams:
        options: dict[str, Any] = body.get("stream_options") or {}
        # Without include_usage, vLLM does not heed the other options either.
        kept = options if options.get("include_usage") else {}
        body["stream_options"] = {**kept, "include_usage": True}
        if leg.endpoint.speaks_vllm:
            body["return_token_ids"] = True
    return body


def _steady(ratio: CharsPerToken) -> float:
    """Characters per token in coarse steps, never above the mean.

    A cut that moved with each answer that is learned from would empty the prefix cache.
    """
    half = _RATIO_STEP / 2
    return max(half, (ratio.mean + half) // _RATIO_STEP * _RATIO_STEP - half)


def _cut_and_rendered(
    infill: Infill, facts: ModelFacts, limit: int | None, ratio: CharsPerToken, overflows: int
) -> RenderedInfill:
    parts = trim(
        infill.prefix,
        infill.suffix if facts.fim.format else "",
        infill.context,
        max_prompt_tokens=limit,
        chars_per_token=_steady(ratio) * (1 - _SHRINK * overflows),
    )
    prompt = render_infill(facts.fim.format, parts.prefix, parts.suffix, parts.context)
    return RenderedInfill(prompt, limit)


def _add_stops(body: dict[str, Any], rendered: RenderedPrompt, fim: Detection) -> None:
    """By id where ids are known, for engines skip the text of special tokens."""
    if fim.stop_token_ids:
        body["stop_token_ids"] = [*(body.get("stop_token_ids") or ()), *fim.stop_token_ids]
    elif rendered.stop:
        own: str | list[str] = body.get("stop") or []
        body["stop"] = [*([own] if isinstance(own, str) else own), *rendered.stop]


def can_resume(call: Call, answer: Answer) -> bool:
    """Return whether enough is known of what was sent."""
    if not (call.request.resumable and call.streams and answer.is_in_text):
        return False
    if call.body.get("logprobs") is not None:
        return call.kind is ApiKind.COMPLETION and _by_ids(call.body, answer)
    has_text = call.infill is not None or isinstance(call.body.get("prompt"), str)
    return _by_ids(call.body, answer) or (call.kind is ApiKind.COMPLETION and has_text)


def render_resumed(
    call: Call, answer: Answer, first: Upstream, max_model_len: int | None
) -> Upstream:
    """Return the body that continues after what was sent; `first` is that of a new start.

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
    """Return the answer's limit. A chat that names none may fill its context."""
    named = call.body.get("max_completion_tokens") or call.body.get("max_tokens")
    if call.kind is ApiKind.COMPLETION or named or max_model_len is None:
        return call.request.max_tokens
    return max_model_len - len(answer.prompt_ids)


def is_resumable(body: Mapping[str, Any]) -> bool:
    """Return whether a body asks for nothing that a continuation would visibly change."""
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
