"""Detects a model's fill-in-the-middle format, and whether it follows instructions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cato_backend.tasks.families import BY_NAME, BY_TOKENS, EMBEDDED, FORMATS
from cato_backend.tasks.fim import FimFormat

TokenIds = Mapping[str, Sequence[int]]
"""For each probed text its token ids, without the tokens that a tokenizer adds by itself."""

AUTO, NONE = "auto", "none"
_INSTRUCT = re.compile(r"instruct|chat|(^|[-_.])it($|[-_.])|reasoning")
_BASE = re.compile(r"(^|[-_.])(base|pt)($|[-_.])")


@dataclass(frozen=True, slots=True)
class Detection:
    """A format, or None. `reason` explains either for people.

    `marker_ids`: token ids of those special tokens of the format that the tokenizer has.
    """

    format: FimFormat | None
    reason: str
    marker_ids: tuple[tuple[str, int], ...] = ()

    @property
    def stop_token_ids(self) -> tuple[int, ...]:
        """Ids of the tokens that end an infill; engines skip their text, so the ids must stop."""
        stops = set(self.format.stop) if self.format else set[str]()
        return tuple(number for text, number in self.marker_ids if text in stops)


def family_names() -> tuple[str, ...]:
    """Return what `fim` may be in the configuration."""
    return (AUTO, NONE, *(known.name for known in FORMATS))


def probe_texts(model: str, family: str = AUTO) -> tuple[str, ...]:
    """Return the texts whose token ids `detect` needs for this model.

    Each is to be tokenized alone, without added special tokens. Raises ValueError for an unknown
    family.
    """
    formats = _candidates(model, family)[0] or (BY_TOKENS if family == AUTO else ())
    texts = (text for known in formats for text in _special_tokens(known))
    return tuple(dict.fromkeys(texts))


def detect(model: str, ids: TokenIds | None, family: str = AUTO) -> Detection:
    """Return the format of `model`. Raises ValueError for an unknown family.

    `ids`: the probed texts' token ids, or None where the server cannot tell; then the name alone
    decides.
    """
    formats, reason = _candidates(model, family)
    if reason:
        return Detection(None, f"{reason}: served prefix-only")
    if ids is None:
        return _by_name_alone(formats)
    for known in formats or BY_TOKENS:
        if _has_all(known, ids):
            how = "its name" if formats else "its tokenizer"
            return Detection(known, f"{known.name}, by {how}", _marker_ids(known, ids))
    if formats:
        needed = (*formats[0].markers, *formats[0].identity)
        missing = [text for text in needed if not _is_special(text, ids)]
        text = f"its tokenizer does not know {', '.join(missing)}"
        return Detection(None, f"{text} ({formats[0].name}): served prefix-only")
    return Detection(None, "no known fill-in-the-middle tokens: served prefix-only")


def _candidates(model: str, family: str) -> tuple[tuple[FimFormat, ...], str]:
    """Return the formats to try, and the reason if there can be none."""
    if family == NONE:
        return (), "switched off by the configuration"
    if family != AUTO:
        named = tuple(known for known in FORMATS if known.name == family)
        if not named:
            raise ValueError(f"got {family!r}, expected one of {', '.join(family_names())}")
        return named, ""
    name = model.rstrip("/").rsplit("/", 1)[-1].lower()
    for entry in BY_NAME:
        if entry.pattern.search(name):
            return entry.formats, entry.reason
    return (), ""


def _by_name_alone(formats: tuple[FimFormat, ...]) -> Detection:
    if not formats:
        return Detection(None, "neither name nor tokenizer tells a format: served prefix-only")
    return Detection(formats[0], f"{formats[0].name}, by its name alone")


def _has_all(known: FimFormat, ids: TokenIds) -> bool:
    return all(_is_special(text, ids) for text in (*known.markers, *known.identity))


def _is_special(text: str, ids: TokenIds) -> bool:
    return len(ids.get(text, ())) == 1


def _special_tokens(known: FimFormat) -> tuple[str, ...]:
    texts = (*known.markers, *known.identity, *known.stop, known.repository_token, known.file_token)
    return tuple(dict.fromkeys(text for text in texts if text))


def _marker_ids(known: FimFormat, ids: TokenIds) -> tuple[tuple[str, int], ...]:
    found = ((text, ids.get(text, ())) for text in _special_tokens(known))
    return tuple((text, tokens[0]) for text, tokens in found if len(tokens) == 1)


@dataclass(frozen=True, slots=True)
class Recognition:
    """The result, with a reason for people."""

    follows: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ModelTraits:
    """Known traits of a model.

    `ends_turns`: whether the token that ends its answers is the one that its chat template ends a
    turn with, None where its files cannot be read. `configured`: what the configuration says, None
    where it says nothing.
    """

    names: tuple[str, ...]
    fim: FimFormat | None = None
    has_chat_template: bool = False
    ends_turns: bool | None = None
    configured: bool | None = None


def recognize(traits: ModelTraits) -> Recognition:
    """Return whether the model is to be asked in a chat, and why.

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
