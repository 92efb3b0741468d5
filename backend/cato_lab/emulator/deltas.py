"""One sequence's generation, step by step: stop strings, stop tokens, length, EOS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, repeat

from cato_lab.emulator.calls import Call
from cato_lab.emulator.text import EmittedToken
from cato_lab.emulator.tokenizer import EOS, Tokenizer


@dataclass(frozen=True, slots=True)
class Delta:
    """The tokens and the text that one engine step adds to a sequence."""

    token_ids: list[int]
    logprobs: list[float]
    offset: int
    """Where `text` begins in the sequence's."""
    text: str
    finish_reason: str | None = None
    stop_reason: str | int | None = None


def deltas(tokens: Iterator[EmittedToken], call: Call, tokenizer: Tokenizer) -> Iterator[Delta]:
    """Yield the steps of a sequence that would say `tokens`; the last one has a finish reason.

    As in vLLM, text that may turn out to be the start of a stop string is held back.
    """
    held_back = max((len(stop) - 1 for stop in call.stop), default=0)
    text, sent = "", 0
    for count, said in enumerate(chain(tokens, repeat(EmittedToken(EOS))), start=1):
        token, logprob = said.token, said.logprob
        text += tokenizer.decode([token], skip_special_tokens=True)
        finish, reason, end = _finish(token, count, text, call)
        if finish is not None:
            yield Delta([token], [logprob], sent, text[sent:end], finish, reason)
            return
        until = max(sent, len(text) - held_back)
        yield Delta([token], [logprob], sent, text[sent:until])
        sent = until


def _finish(
    token: int, count: int, text: str, call: Call
) -> tuple[str | None, str | int | None, int]:
    """Return the finish reason, the stop reason, and where the text ends."""
    if count >= call.min_tokens:
        if token == EOS and not call.ignore_eos:
            return "stop", None, len(text)
        if token in call.stop_token_ids:
            return "stop", token, len(text)
        found = [(at, stop) for stop in call.stop if (at := text.find(stop)) >= 0]
        if found:
            at, stop = min(found)
            return "stop", stop, at
    return ("length" if count >= call.max_tokens else None), None, len(text)


def merged(group: list[Delta]) -> Delta:
    """Several steps of one sequence as one, as when the stream interval is longer than a token."""
    ids = [token for step in group for token in step.token_ids]
    logprobs = [logprob for step in group for logprob in step.logprobs]
    text, last = "".join(step.text for step in group), group[-1]
    return Delta(ids, logprobs, group[0].offset, text, last.finish_reason, last.stop_reason)


def stamped(steps: Iterator[Delta]) -> Iterator[Delta]:
    """Replace each step's text with the monotonic clock, in nanoseconds, when it is taken."""
    for step in steps:
        yield replace(step, text=f"{time.monotonic_ns()} ", stop_reason=None)
