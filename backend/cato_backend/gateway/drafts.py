"""Makes a call of a model from a validated body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cato_backend.errors import InvalidRequest
from cato_backend.gateway.bodies import (
    CatoField,
    ChatBody,
    CompletionBody,
    for_engine,
)
from cato_backend.gateway.classify import PLAIN, Shape, chat_shape, completion_shape
from cato_backend.gateway.headers import RequestHeaders
from cato_backend.gateway.incoming import validated
from cato_backend.requests import Request, prompt_blocks, value
from cato_backend.runtime.calls import ApiKind, Call, Infill
from cato_backend.runtime.render import is_resumable, prompt_text, rendered_infill
from cato_backend.runtime.runtime import Runtime
from cato_backend.tasks.infill import ContextFile
from cato_backend.tasks.plans import CallKind, ModelCall
from cato_backend.team.terms import mixed_salt
from cato_backend.wire.headers import ALIASES

_ENGINE_DEFAULT_MAX_TOKENS = 16
"""What OpenAI and vLLM take for `/v1/completions` where the body names none."""
_CHAT_EXPECTED_TOKENS = 1024
"""A chat without max_tokens may fill its context; the ledger counts on this many."""


@value
class Draft:
    """A call whose model and deadline are not resolved yet."""

    kind: ApiKind
    model: str
    body: dict[str, Any]
    max_tokens: int
    prompt_chars: int = 0
    prompt_tokens: int = 0
    """Known where the prompt came as token ids."""
    prompts: int = 1
    """How many prompts the body holds; each has a context of its own."""
    names_max_tokens: bool = True
    """Whether the body says how long the answer may be; else it may fill the context."""
    caps_max_tokens: bool = False
    """Whether a limit beyond the model's context is cut to it, and not refused."""
    infill: Infill | None = None
    shape: Shape = PLAIN


Drafting = Callable[[dict[str, Any]], Draft]


def completion_draft(value: dict[str, Any]) -> Draft:
    """From the body of `/v1/completions`. Raises InvalidRequest."""
    body = validated(CompletionBody, value)
    infill = _infill(body)
    chars, tokens = _prompt_size(body.prompt)
    return Draft(
        kind=ApiKind.COMPLETION,
        model=body.model,
        body=_engine_body(value, body.cato),
        max_tokens=body.max_tokens or _ENGINE_DEFAULT_MAX_TOKENS,
        prompt_chars=chars + (len(infill.suffix) if infill else 0),
        prompt_tokens=tokens,
        prompts=_prompt_count(body.prompt),
        infill=infill,
        shape=completion_shape(body),
    )


def chat_draft(value: dict[str, Any]) -> Draft:
    """From the body of `/v1/chat/completions`. Raises InvalidRequest."""
    body = validated(ChatBody, value)
    return Draft(
        kind=ApiKind.CHAT,
        model=body.model,
        body=_engine_body(value, body.cato),
        max_tokens=body.max_completion_tokens or body.max_tokens or _CHAT_EXPECTED_TOKENS,
        prompt_chars=sum(len(m.content) for m in body.messages if isinstance(m.content, str)),
        names_max_tokens=bool(body.max_completion_tokens or body.max_tokens),
        shape=chat_shape(body),
    )


def model_draft(call: ModelCall, model: str) -> Draft:
    """Return a whole task's call as if it had come as a body of its own."""
    body: dict[str, Any] = {"stream": True, "temperature": 0, "max_tokens": call.max_tokens}
    if call.stop:
        body["stop"] = list(call.stop)
    if call.presence_penalty:
        body["presence_penalty"] = call.presence_penalty
    chars = call.prompt_chars
    if call.kind is CallKind.CHAT:
        messages = [{"role": m.role, "content": m.content} for m in call.messages]
        return Draft(ApiKind.CHAT, model, {**body, "messages": messages}, call.max_tokens, chars)
    infill = Infill(call.prefix, call.suffix) if call.kind is CallKind.INFILL else None
    body["prompt"] = call.prefix
    return Draft(ApiKind.COMPLETION, model, body, call.max_tokens, chars, infill=infill)


def within_workflow(headers: RequestHeaders, runtime: Runtime, arrival: float) -> RequestHeaders:
    """Return the headers with what their workflow has left as the budget."""
    tenant, workflow = headers.origin.tenant, headers.workflow
    target = runtime.workflows.target(tenant, workflow, headers.target, arrival)
    return replace(headers, target=target)


async def make_call(
    draft: Draft,
    headers: RequestHeaders,
    runtime: Runtime,
    arrival: float,
    reserved_tokens: int = 0,
    least_context: int = 0,
) -> Call:
    """Return the call, addressed to a model of the catalog.

    `least_context`: tokens of context that it has proved to need. Raises NotFound, NoReplica,
    InvalidRequest.
    """
    left_s = headers.target.budget_s - (runtime.clock() - arrival)
    name = await runtime.catalog.resolve(draft.model, headers.task, left_s)
    facts, ratio = runtime.catalog.facts(name), runtime.catalog.ratio(name)
    limit = facts.max_model_len
    if limit is not None and draft.max_tokens > limit and draft.kind is ApiKind.COMPLETION:
        raise InvalidRequest(
            f"max_tokens: got {draft.max_tokens}, expected at most the context of {limit}",
            param="max_tokens",
        )
    room = max(draft.max_tokens, reserved_tokens)
    served = runtime.catalog.served_context(name) or limit
    rendered = None
    if draft.infill is not None:
        at_hand = facts if served == limit else replace(facts, max_model_len=served)
        rendered = rendered_infill(draft.infill, room, at_hand, ratio)
    text = rendered.prompt.text if rendered else prompt_text(draft.kind, draft.body)
    prompt_tokens = draft.prompt_tokens or ratio.tokens(len(text) or draft.prompt_chars)
    least, wanted = _contexts(draft, -(-prompt_tokens // draft.prompts), room)
    least = _capped(max(least, least_context), limit)
    terms = runtime.teams.terms(headers.origin.tenant)
    salt = mixed_salt(terms.cache_salt, draft.body.get("cache_salt"))
    request = Request(
        id=headers.request_id,
        task=headers.task,
        model=facts.model,
        arrival=arrival,
        target=headers.target,
        prompt_tokens=prompt_tokens,
        max_tokens=_capped(draft.max_tokens, limit) if draft.caps_max_tokens else draft.max_tokens,
        origin=replace(headers.origin, team=terms.team) if terms.team else headers.origin,
        supersede=headers.supersede,
        resumable=is_resumable(draft.body),
        workflow=headers.workflow,
        adapter=facts.name if facts.parent else "",
        prompt_blocks=prompt_blocks(text, facts.name if facts.parent else "", salt),
        expected_tokens=headers.expected_tokens,
        context_tokens=max(least, _capped(wanted, served)),
        streams=bool(draft.body.get("stream")),
        declared=headers.declared,
        names_pace=headers.names_pace,
        share=terms.share,
    )
    return Call(
        request,
        draft.kind,
        draft.body,
        draft.infill,
        rendered,
        reserved_tokens,
        by_alias=draft.model in ALIASES,
        least_context=least,
        cache_salt=salt,
        token_id=headers.token_id,
        trace_context=headers.trace_context,
        caps_max_tokens=draft.caps_max_tokens,
        compared=headers.compared,
    )


def _contexts(draft: Draft, prompt_tokens: int, room: int) -> tuple[int, int]:
    """Return the least tokens of context that serve the call, and those that serve it whole.

    An infill is cut to what there is, and an answer without a limit takes what room there is.
    """
    if draft.infill is not None:
        return 0, prompt_tokens + room
    if not draft.names_max_tokens:
        return prompt_tokens + 1, prompt_tokens + room
    return prompt_tokens + draft.max_tokens, prompt_tokens + draft.max_tokens


def _capped(tokens: int, limit: int | None) -> int:
    """Return the length, at most what any context holds; the engine refuses the rest."""
    return tokens if limit is None else min(tokens, limit)


def _infill(body: CompletionBody) -> Infill | None:
    """Return the fill-in-the-middle parts, where the client leaves the rendering to us."""
    if body.suffix is None and body.cato is None:
        return None
    if not isinstance(body.prompt, str):
        raise InvalidRequest("prompt: with suffix or cato, a string is expected", param="prompt")
    pieces = body.cato.context if body.cato else []
    context = tuple(ContextFile(piece.path, piece.text) for piece in pieces)
    return Infill(body.prompt, body.suffix or "", context)


def _engine_body(value: dict[str, Any], cato: CatoField | None) -> dict[str, Any]:
    body = for_engine(value)
    if cato is not None and cato.stop:
        own: str | list[str] = body.get("stop") or []
        body["stop"] = [*_listed(own), *_listed(cato.stop)]
    return body


def _listed(stop: str | list[str]) -> list[str]:
    return [stop] if isinstance(stop, str) else stop


def _prompt_size(prompt: str | list[int] | list[str] | list[list[int]]) -> tuple[int, int]:
    """Characters and token ids of a prompt or a batch of prompts."""
    if isinstance(prompt, str):
        return len(prompt), 0
    chars = sum(len(item) for item in prompt if isinstance(item, str))
    return chars, sum(
        1 if isinstance(item, int) else len(item) for item in prompt
    ) if not chars else 0


def _prompt_count(prompt: str | list[int] | list[str] | list[list[int]]) -> int:
    return 1 if isinstance(prompt, str) or isinstance(prompt[0], int) else len(prompt)
