"""What an emulated vLLM serves, and with which of vLLM's options."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Served:
    """The model and the flags that show in answers."""

    model: str
    max_model_len: int
    chat_template: bool = True
    prompt_tokens_details: bool = True
    """`--enable-prompt-tokens-details`: usage tells the cached tokens."""
    priority_scheduling: bool = True
    """`--scheduling-policy priority`; without it a priority other than 0 is refused."""
    logprobs: bool = True
    """False: they are null though they were asked for, as servers answer that do not know them."""
