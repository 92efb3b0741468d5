"""Facts about models and the servers that run them, and the table of models that they form."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from cato_backend.prediction.online import CharsPerToken
from cato_backend.requests import value
from cato_backend.tasks.detection import Detection, ModelTraits, Recognition, recognize

_UNKNOWN = Detection(None, "no replica has been asked yet")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of one replica, and what an HTTP client must know of it."""

    replica_id: str
    url: str
    upstream_model: str
    """The model's name over there."""
    token: str = field(default="", repr=False)
    max_model_len: int | None = None
    """Context in tokens; None where the server does not report it."""
    adapters: tuple[str, ...] = ()
    """Further names that it serves."""
    speaks_vllm: bool = False
    """Whether it understands vLLM's own body fields (`return_token_ids`)."""
    takes_priority: bool = False
    """Whether it accepts the body field `priority`, lower first."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model, or one adapter of a model."""

    name: str
    max_model_len: int | None = None
    """Context in tokens; None where no server reports it."""
    fim: Detection = _UNKNOWN
    has_chat_template: bool = False
    takes_system_message: bool = True
    """Whether its chat template lays out a system message, where that is known."""
    root: str = ""
    """The source of the model, where the server reports it."""
    ends_turns: bool | None = None
    """Whether its answers end as its chat template ends a turn; None where that is not known."""
    configured_instruct: bool | None = None
    """Whether it follows instructions, where the configuration says so."""
    parent: str = ""
    """The model that an adapter belongs to."""

    @property
    def model(self) -> str:
        """The model whose replicas and queue it shares."""
        return self.parent or self.name

    @property
    def instruct(self) -> Recognition:
        """Whether it follows instructions, and why that is believed."""
        return recognize(
            ModelTraits(
                names=(self.name, self.root),
                fim=self.fim.format,
                has_chat_template=self.has_chat_template,
                ends_turns=self.ends_turns,
                configured=self.configured_instruct,
            )
        )


@value
class UpstreamRoute:
    """The replica of one attempt, and the facts for its body."""

    endpoint: Endpoint
    facts: ModelFacts
    """With the context of this replica."""
    ratio: CharsPerToken
    priority: int = 0
    """The scheduler's, for the replica's own queue."""
    largest_context: int | None = None
    """The largest context of the model's replicas."""

    @property
    def larger_context(self) -> int | None:
        """The least context that another replica of the model has and this one has not."""
        own, largest = self.facts.max_model_len, self.largest_context
        return own + 1 if own is not None and largest is not None and largest > own else None


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
