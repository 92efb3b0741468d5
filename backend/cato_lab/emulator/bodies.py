"""vLLM's response bodies: the same fields in the same order."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from cato_lab.emulator.behaviour import Behaviour
from cato_lab.emulator.calls import Call
from cato_lab.emulator.deltas import Delta
from cato_lab.emulator.markup import MarkupReader, whole_message
from cato_lab.emulator.tokenizer import Tokenizer

_FINGERPRINT = "vllm-0.32.0-emulated"


class Bodies:
    """The bodies of one call's answer."""

    def __init__(self, call: Call, behaviour: Behaviour, tokenizer: Tokenizer) -> None:
        self._call, self._tokenizer = call, tokenizer
        self._details = behaviour.prompt_tokens_details
        self._tells_logprobs = behaviour.tells_logprobs and call.logprobs is not None
        self._parses = behaviour.parses and call.chat
        self._markup: defaultdict[int, MarkupReader] = defaultdict(MarkupReader)
        """The reader of each sequence of a stream."""
        kind = "chat.completion.chunk" if call.chat else "text_completion"
        self._head = {"id": call.id, "object": kind, "created": int(time.time())}

    def role_chunk(self, index: int) -> dict[str, Any]:
        """Return the chunk that opens each choice of a chat stream."""
        delta = {"role": "assistant", "content": ""}
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
        ids = self._call.prompts[0] if self._call.return_token_ids else None
        chunk = self._with_usage(self._chunk(choice), 0)
        return {**chunk, "prompt_token_ids": ids, "prompt_text": None}

    def chunk(self, index: int, delta: Delta, emitted: int, *, first: bool) -> dict[str, Any]:
        """One step's chunk; `emitted` counts the sequence's tokens up to and with it."""
        make = self._chat_choice if self._call.chat else self._text_choice
        chunk = self._chunk(make(index, delta, first))
        if delta.finish_reason is not None and not self._call.include_usage:
            chunk["system_fingerprint"] = _FINGERPRINT
        return self._with_usage(chunk, emitted)

    def usage_chunk(self, completion_tokens: int, cached_tokens: int) -> dict[str, Any]:
        """Return the last chunk of a stream that was asked for its usage."""
        usage = self._usage(self._call.prompt_tokens, completion_tokens)
        if self._details:
            created = {"created_cache_tokens": 0} if self._call.chat else {}
            usage["prompt_tokens_details"] = {"cached_tokens": cached_tokens, **created}
        return {
            **self._head,
            "model": self._call.model,
            "choices": [],
            "usage": usage,
            "system_fingerprint": _FINGERPRINT,
        }

    def whole(self, sequences: Sequence[Delta], cached_tokens: int) -> dict[str, Any]:
        """Return the body of an answer that is not streamed."""
        make = self._message if self._call.chat else self._whole_text
        completion = sum(len(delta.token_ids) for delta in sequences)
        details = {
            "cached_tokens": cached_tokens,
            "created_cache_tokens": 0 if self._call.chat else None,
        }
        usage: dict[str, Any] = self._usage(self._call.prompt_tokens, completion)
        usage["prompt_tokens_details"] = (
            {**details, "multimodal_tokens": None} if self._details else None
        )
        usage["completion_tokens_details"] = None
        body = {
            **self._head,
            "object": "chat.completion" if self._call.chat else "text_completion",
            "model": self._call.model,
            "choices": [make(index, delta) for index, delta in enumerate(sequences)],
            "service_tier": None,
            "system_fingerprint": _FINGERPRINT,
            "usage": usage,
        }
        if self._call.chat:
            ids = self._call.prompts[0] if self._call.return_token_ids else None
            body |= {"prompt_logprobs": None, "prompt_token_ids": ids, "prompt_text": None}
        return body | {"kv_transfer_params": None, "ec_transfer_params": None, "metrics": None}

    def _chunk(self, choice: dict[str, Any]) -> dict[str, Any]:
        return {**self._head, "model": self._call.model, "choices": [choice]}

    def _with_usage(self, chunk: dict[str, Any], emitted: int) -> dict[str, Any]:
        if self._call.continuous_usage:
            details = {"completion_tokens_details": None} if self._call.chat else {}
            chunk["usage"] = self._usage(len(self._call.prompts[0]), emitted) | details
        return chunk

    def _usage(self, prompt: int, completion: int) -> dict[str, Any]:
        """Return the token counts, as vLLM orders them."""
        return {
            "prompt_tokens": prompt,
            "total_tokens": prompt + completion,
            "completion_tokens": completion,
        }

    def _text_choice(self, index: int, delta: Delta, first: bool) -> dict[str, Any]:
        shown = self._call.return_token_ids
        return {
            "index": index,
            "text": delta.text,
            "logprobs": self._text_logprobs(delta),
            "finish_reason": delta.finish_reason,
            "stop_reason": delta.stop_reason,
            "prompt_token_ids": self._prompt_of(index) if shown and first else None,
            "token_ids": delta.token_ids if shown else None,
        }

    def _chat_choice(self, index: int, delta: Delta, first: bool) -> dict[str, Any]:
        ids = delta.token_ids if self._call.return_token_ids else None
        shown: dict[str, Any] = {"content": delta.text}
        reason = delta.finish_reason
        if self._parses:
            markup = self._markup[index]
            shown = markup.feed(delta.text, is_last=reason is not None)
            reason = "tool_calls" if reason == "stop" and markup.calls else reason
        choice = {
            "index": index,
            "delta": shown,
            "logprobs": self._chat_logprobs(delta),
            "finish_reason": reason,
        }
        if delta.finish_reason is not None:
            choice["stop_reason"] = delta.stop_reason
        return {**choice, "token_ids": ids}

    def _whole_text(self, index: int, delta: Delta) -> dict[str, Any]:
        shown = self._call.return_token_ids
        prompt = self._prompt_of(index)
        return {
            "index": index,
            "text": self._tokenizer.decode(prompt) + delta.text if self._call.echo else delta.text,
            "logprobs": self._text_logprobs(delta),
            "finish_reason": delta.finish_reason,
            "stop_reason": delta.stop_reason,
            "token_ids": delta.token_ids if shown else None,
            "prompt_logprobs": None,
            "prompt_token_ids": prompt if shown else None,
            "routed_experts": None,
        }

    def _message(self, index: int, delta: Delta) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": delta.text,
            "refusal": None,
            "annotations": None,
            "audio": None,
            "function_call": None,
            "reasoning": None,
        }
        reason = delta.finish_reason
        if self._parses:
            message |= {"content": None, **whole_message(delta.text)}
            reason = "tool_calls" if reason == "stop" and "tool_calls" in message else reason
        return {
            "index": index,
            "message": message,
            "logprobs": self._chat_logprobs(delta),
            "finish_reason": reason,
            "stop_reason": delta.stop_reason,
            "token_ids": delta.token_ids if self._call.return_token_ids else None,
            "routed_experts": None,
        }

    def _text_logprobs(self, delta: Delta) -> dict[str, Any] | None:
        if not self._tells_logprobs:
            return None
        tokens = [self._tokenizer.decode([token]) for token in delta.token_ids]
        offsets = [delta.offset + sum(map(len, tokens[:i])) for i in range(len(tokens))]
        return {
            "text_offset": offsets,
            "token_logprobs": delta.logprobs,
            "tokens": tokens,
            "top_logprobs": [{token: p} for token, p in zip(tokens, delta.logprobs, strict=True)],
        }

    def _chat_logprobs(self, delta: Delta) -> dict[str, Any] | None:
        if not self._tells_logprobs:
            return None
        tokens = [self._tokenizer.decode([token]) for token in delta.token_ids]
        return {"content": [*map(self._chat_logprob, tokens, delta.logprobs)]}

    def _chat_logprob(self, token: str, value: float) -> dict[str, Any]:
        logprob = {"token": token, "logprob": value, "bytes": list(token.encode())}
        return {**logprob, "top_logprobs": [logprob] if self._call.logprobs else []}

    def _prompt_of(self, index: int) -> list[int]:
        return self._call.prompts[index // self._call.n]
