"""Plans of whole tasks: calls of a model in stages, and the composition of their answers.

A stage's calls do not need each other's answers; a later stage may need those of all before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cato_backend.errors import InvalidRequest
from cato_backend.tasks.fim import FimFormat

_MOST_STEPS = 256
"""Of one task: it shares the replicas with all others."""

Answers = Mapping[int, str]
"""By the number of its step, what the model answered; a step that failed is absent."""


class CallKind(StrEnum):
    """Forms of a call to a model."""

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
    """One call: `messages` of a chat, the `prefix` to continue, or `prefix` and `suffix`.

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

    def without_system_message(self) -> ModelCall:
        """Return the same chat with its system message in front of its first question."""
        if len(self.messages) < 2 or self.messages[0].role != "system":
            return self
        system, question, *others = self.messages
        first = Message(question.role, f"{system.content}\n\n{question.content}")
        return replace(self, messages=(first, *others))

    @property
    def prompt_chars(self) -> int:
        """The length of what is asked."""
        said = sum(len(message.content) for message in self.messages)
        return said + len(self.prefix) + len(self.suffix)


@dataclass(frozen=True, slots=True)
class Abilities:
    """Abilities of the model. `max_model_len` in tokens, None where unknown."""

    fim: FimFormat | None = None
    follows_instructions: bool = False
    """Whether to ask in a chat."""
    takes_system_message: bool = True
    max_model_len: int | None = None
    chars_per_token: float = 3.0

    def room_chars(self, max_tokens: int) -> int | None:
        """Return how many characters of prompt leave room for `max_tokens`; None: no limit."""
        if self.max_model_len is None:
            return None
        return max(0, int((self.max_model_len - max_tokens) * self.chars_per_token))


@dataclass(frozen=True, slots=True)
class TaskStep:
    """One call of the plan. It is made of earlier answers, so only its size is known beforehand."""

    ask: Callable[[Answers], ModelCall]
    prompt_chars: int
    max_tokens: int
    unit: int | None
    """The index of the unit that it is about; None where it is about all."""
    is_shown: bool = True
    """Whether its answer is a part of the result, and streamed as such."""
    expected_tokens: int | None = None
    """Output tokens; None where it is not known."""
    needs: tuple[int, ...] = ()
    """The steps without whose answers, where all of them failed, there is nothing to ask."""


@dataclass(frozen=True, slots=True)
class Composed:
    """The result: the whole text, and the part of each unit, empty where it failed."""

    text: str
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """`steps` stand in the order of the result, `stages` hold their numbers in order of time."""

    steps: tuple[TaskStep, ...]
    stages: tuple[tuple[int, ...], ...]
    compose: Callable[[Answers], Composed]

    @property
    def calls(self) -> tuple[ModelCall, ...]:
        """The calls of the first stage."""
        return tuple(self.steps[number].ask({}) for number in self.stages[0])


@dataclass(slots=True)
class PlanBuilder:
    """Collects steps. Numbers are given in the order of `add`, which must be that of the result."""

    _steps: list[TaskStep] = field(default_factory=list[TaskStep])
    _stages: dict[int, list[int]] = field(default_factory=dict[int, list[int]])

    def add(self, stage: int, step: TaskStep) -> int:
        """Add a step to the stage; return its number.

        Raises InvalidRequest when the task takes too many.
        """
        number = len(self._steps)
        if number >= _MOST_STEPS:
            raise InvalidRequest(
                f"units: they take more than {_MOST_STEPS} calls of this model; send fewer or "
                "shorter units",
                param="units",
            )
        self._steps.append(step)
        self._stages.setdefault(stage, []).append(number)
        return number

    def known(self, stage: int, call: ModelCall, unit: int, *, is_shown: bool = True) -> int:
        """Add a step whose call needs no earlier answer."""
        step = TaskStep(lambda _: call, call.prompt_chars, call.max_tokens, unit, is_shown)
        return self.add(stage, step)

    def plan(self, compose: Callable[[Answers], Composed]) -> TaskPlan:
        """Return what was collected."""
        stages = tuple(tuple(self._stages[stage]) for stage in sorted(self._stages))
        return TaskPlan(tuple(self._steps), stages, compose)


def joined(answers: Answers, numbers: Sequence[int], between: str) -> str:
    """Return the answers of these steps one after another, without those that failed."""
    return between.join(text for number in numbers if (text := answers.get(number, "")).strip())
