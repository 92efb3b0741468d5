"""From a call to the body that its replica is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from cato_backend.prediction.averages import CharsPerToken
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


@dataclass(frozen=True, slots=True)
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
        said = (f"{m['role']}\n{m.get('content') or ''}\n" for m in body["messages"])
        return tools + "".join(said)
    prompt = body["prompt"]
    return prompt if isinstance(prompt, str) else ""


def _addressed(call: Call, leg: UpstreamRoute) -> dict[str, Any]:
    """Return the client's body for this server, with what ledger and resume need."""
    name = call.request.adapter or leg.endpoint.upstream_model
    body: dict[str, Any] = {**call.body, "model": name}
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
