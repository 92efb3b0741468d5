"""One call of a model, as a whole task needs it, and what is known of the model."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cato_backend.tasks.fim import FimFormat


class CallKind(StrEnum):
    """Which form the model is asked in."""

    CHAT = "chat"
    COMPLETION = "completion"
    INFILL = "infill"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What to ask: `messages` of a chat, the `prefix` to continue, or `prefix` and `suffix`.

    Its texts hold no special token. `stop`: strings at which the answer ends. `expected_tokens`:
    how long the answer probably is, where that is known. `one_block`: the answer is one fenced
    block of code. `presence_penalty`: as in OpenAI's interface, to get out of a repetition.
    """

    kind: CallKind
    max_tokens: int
    messages: tuple[Message, ...] = ()
    prefix: str = ""
    suffix: str = ""
    stop: tuple[str, ...] = ()
    expected_tokens: int | None = None
    one_block: bool = False
    presence_penalty: float = 0.0

    @property
    def prompt_chars(self) -> int:
        """The length of what is asked."""
        said = sum(len(message.content) for message in self.messages)
        return said + len(self.prefix) + len(self.suffix)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a plan must know of the model. `max_model_len` in tokens, None where unknown."""

    fim: FimFormat | None = None
    follows_instructions: bool = False
    """Whether to ask in a chat."""
    max_model_len: int | None = None
    chars_per_token: float = 3.0

    def room_chars(self, max_tokens: int) -> int | None:
        """How many characters of prompt leave room for `max_tokens`; None without a limit."""
        if self.max_model_len is None:
            return None
        return max(0, int((self.max_model_len - max_tokens) * self.chars_per_token))
