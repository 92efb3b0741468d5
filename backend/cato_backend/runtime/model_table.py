"""The table of models and adapters that described replicas make together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from cato_backend.runtime.facts import ModelFacts


@dataclass(slots=True)
class DescribedReplica:
    """A replica as it was last described."""

    away_since: float
    wanted: str = ""
    """The model that the configuration names for it."""
    facts: ModelFacts | None = None
    adapters: tuple[str, ...] = ()
    serves: bool = False
    is_watched: bool = False
    """Whether it may come back with another model."""


def model_table(
    configured: Iterable[str], members: Collection[DescribedReplica]
) -> dict[str, ModelFacts]:
    """Return the facts of all models and adapters by name, in the order of the configuration."""
    found = {name: ModelFacts(name) for name in configured}
    for member in members:
        if member.facts is None:
            if member.wanted:
                found.setdefault(member.wanted, ModelFacts(member.wanted))
            continue
        name = member.facts.name
        found[name] = _merged(found.get(name), member.facts, serves=member.serves)
    for member in members:
        if member.facts is not None:
            base = found[member.facts.name]
            for adapter in member.adapters:
                found.setdefault(adapter, replace(base, name=adapter, parent=base.name))
    return found


def serving(facts: ModelFacts, members: Iterable[DescribedReplica]) -> Iterator[ModelFacts]:
    """Yield the facts of each replica in service that serves the model or the adapter."""
    for member in members:
        if member.facts is None or not member.serves:
            continue
        if member.facts.name == facts.model and (not facts.parent or facts.name in member.adapters):
            yield member.facts


def _merged(known: ModelFacts | None, facts: ModelFacts, *, serves: bool) -> ModelFacts:
    """Merge the facts of a model from two replicas.

    The largest context, the rest from a replica in service.
    """
    if known is None:
        return facts
    lengths = [len_ for len_ in (known.max_model_len, facts.max_model_len) if len_ is not None]
    newest = facts if serves else known
    return replace(newest, max_model_len=max(lengths, default=None))
