"""Whether a model follows instructions, so that it is asked in a chat: recognized by what it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cato_backend.tasks.families import EMBEDDED
from cato_backend.tasks.fim import FimFormat

_INSTRUCT = re.compile(r"instruct|chat|(^|[-_.])it($|[-_.])|reasoning")
_BASE = re.compile(r"(^|[-_.])(base|pt)($|[-_.])")


@dataclass(frozen=True, slots=True)
class Recognition:
    """The outcome, and for people why."""

    follows: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ModelTraits:
    """What is known of a model. `ends_turns`: whether the token that ends its answers is the one
    that its chat template ends a turn with, None where its files cannot be read. `configured`: what
    the configuration says, None where it says nothing."""

    names: tuple[str, ...]
    fim: FimFormat | None = None
    has_chat_template: bool = False
    ends_turns: bool | None = None
    configured: bool | None = None


def recognize(traits: ModelTraits) -> Recognition:
    """Whether the model is to be asked in a chat.

    Base models often carry a chat template, too: so the configuration decides first, then a name,
    then the end of its answers, then the family.
    """
    if traits.configured is not None:
        return Recognition(traits.configured, "by the configuration")
    if traits.fim == EMBEDDED:
        return Recognition(False, "the embedded model is a base model")
    if not traits.has_chat_template:
        return Recognition(False, "it has no chat template")
    for name in map(_last_part, traits.names):
        if _BASE.search(name) or _INSTRUCT.search(name):
            return Recognition(not _BASE.search(name), f"by its name {name}")
    if traits.ends_turns is not None:
        how = "ends" if traits.ends_turns else "does not end"
        return Recognition(traits.ends_turns, f"its answer {how} as its chat template ends a turn")
    if traits.fim is None:
        return Recognition(True, "by its chat template")
    return Recognition(traits.fim.instruct, f"by its family {traits.fim.name}")


def _last_part(name: str) -> str:
    return name.rstrip("/").rsplit("/", 1)[-1].lower()
