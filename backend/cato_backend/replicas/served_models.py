"""Reads a server's `/v1/models` without trust, because routers and proxies fill it too.

vLLM lists every served name of its model with the same `root`, and every LoRA adapter with its base
model as `parent`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import orjson

from cato_backend.errors import ReplicaUnavailable

_LOADING = "it may still be loading its model; it is asked again"


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One entry of the list that names a model."""

    id: str
    root: str | None = None
    parent: str | None = None
    max_model_len: int | None = None


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The model that a replica is used for, and the other names that it serves."""

    name: str
    max_model_len: int | None
    """Context in tokens; None where the server does not report it."""
    adapters: tuple[str, ...] = ()
    """LoRA adapters of the model, and further names of the model itself."""
    root: str = ""
    """The source of the model, where the server reports it."""


def read_listing(data: bytes) -> tuple[ListedModel, ...]:
    """Return the entries that name a model, at least one. Raises ReplicaUnavailable."""
    try:
        value: Any = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _not_a_list("not JSON") from error
    entries = cast("dict[str, Any]", value).get("data") if isinstance(value, dict) else value
    if entries is None or entries == []:
        raise ReplicaUnavailable("its /v1/models lists no model", _LOADING)
    if not isinstance(entries, list):
        raise _not_a_list(f"a JSON {type(entries).__name__} in place of the list of models")
    listed = tuple(filter(None, map(_entry, cast("list[object]", entries))))
    if not listed:
        raise _not_a_list("a list without a model that has an id")
    return listed


def choose(listed: tuple[ListedModel, ...], wanted: str = "") -> ServedModel:
    """Return the model of this name, the first one where none is wanted.

    Raises ReplicaUnavailable.
    """
    bases = [entry for entry in listed if entry.parent is None] or list(listed)
    chosen = next((entry for entry in listed if entry.id == wanted), None) if wanted else bases[0]
    if chosen is None:
        names = ", ".join(repr(entry.id) for entry in listed)
        raise ReplicaUnavailable(
            f"it serves {names}, not {wanted!r}",
            "correct `model` of this replica in cato.toml, or leave it out to take the first",
            is_certain=True,
        )
    length = chosen.max_model_len or _length_of_parent(chosen, bases)
    adapters = _adapters(chosen, bases, listed)
    return ServedModel(chosen.id, length, adapters, chosen.root or "")


def _adapters(
    chosen: ListedModel, bases: list[ListedModel], listed: tuple[ListedModel, ...]
) -> tuple[str, ...]:
    if chosen.parent is not None:
        return ()
    same = {e.id for e in bases if e.id == chosen.id or (e.root and e.root == chosen.root)}
    # A parent is named as the command line of the server names it, which need not be a listed name.
    is_only_base = same >= {entry.id for entry in bases}
    parents = {*same, *([chosen.root] if chosen.root else [])}
    names = [
        entry.id
        for entry in listed
        if (entry.id in same if entry.parent is None else is_only_base or entry.parent in parents)
    ]
    return tuple(dict.fromkeys(name for name in names if name != chosen.id))


def _length_of_parent(chosen: ListedModel, bases: list[ListedModel]) -> int | None:
    """Return the context of an adapter, which is that of its base model."""
    if chosen.parent is None:
        return None
    named = [entry for entry in bases if chosen.parent in (entry.id, entry.root)]
    return next((entry.max_model_len for entry in named or bases), None)


def _entry(value: object) -> ListedModel | None:
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, object]", value)
    name, length = fields.get("id"), fields.get("max_model_len")
    if not isinstance(name, str) or not name:
        return None
    is_length = isinstance(length, int) and not isinstance(length, bool) and length > 0
    return ListedModel(
        id=name,
        root=_text(fields.get("root")),
        parent=_text(fields.get("parent")),
        max_model_len=cast(int, length) if is_length else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _not_a_list(got: str) -> ReplicaUnavailable:
    return ReplicaUnavailable(
        f"its /v1/models is no list of models: {got}",
        "is its url that of an OpenAI-compatible server?",
    )
