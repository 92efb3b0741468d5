"""The text that the fake writes: a function of the prompt alone, whatever came before.

So a prompt that already holds the first tokens of an answer is answered with the rest of it, on
this fake or on any other: that is what makes resuming from token ids testable.
"""

from __future__ import annotations

from collections.abc import Iterator

from cato_lab.emulator.corpus import split_infill
from cato_lab.emulator.text import Said, pseudo_code
from cato_lab.emulator.tokenizer import EOS, Tokenizer
from tests.fakes.vllm.script import Script


def tokens_after(prompt: list[int], script: Script, tokenizer: Tokenizer) -> Iterator[Said]:
    """The answer's tokens, ending with EOS where the text is known to end."""
    text = tokenizer.decode(prompt)
    if script.document is not None:
        rest = _rest_of_document(text, script.document)
    elif script.reply is not None:
        rest = _rest_of_reply(text, script.reply, tokenizer)
    else:
        rest = None
    if rest is None:
        yield from map(Said, pseudo_code(text, tokenizer))
    else:
        for token in tokenizer.encode(rest):
            yield Said(token, script.logprobs.get(tokenizer.decode([token]), 0.0))
        yield Said(EOS)


def _rest_of_reply(text: str, reply: str, tokenizer: Tokenizer) -> str:
    """What is left of `reply` after the longest of its token-aligned starts that ends `text`."""
    ids = tokenizer.encode(reply)
    starts = [""]
    for token in ids:
        starts.append(starts[-1] + tokenizer.decode([token]))
    said = next(start for start in reversed(starts) if text.endswith(start))
    return reply[len(said) :]


def _rest_of_document(text: str, document: str) -> str | None:
    """What follows the prompt in the document, up to the prompt's suffix if it has one."""
    before, suffix = split_infill(text)
    at = document.find(before)
    if at < 0:
        return None
    rest = document[at + len(before) :]
    end = rest.find(suffix) if suffix else -1
    return rest if end < 0 else rest[:end]
