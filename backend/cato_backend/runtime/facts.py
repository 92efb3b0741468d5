"""What the runtime knows about a model and about the servers that run it."""

from __future__ import annotations

from dataclasses import dataclass, field

from cato_backend.prediction.online import CharsPerToken
from cato_backend.requests import value
from cato_backend.tasks.detection import Detection, ModelTraits, Recognition, recognize

_UNKNOWN = Detection(None, "no replica has been asked yet")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One replica as an HTTP client sees it."""

    replica_id: str
    url: str
    upstream_model: str
    """The model's name over there."""
    token: str = field(default="", repr=False)
    max_model_len: int | None = None
    """Context in tokens; None where the server does not tell."""
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
    """Context in tokens; None where no server tells."""
    fim: Detection = _UNKNOWN
    has_chat_template: bool = False
    takes_system_message: bool = True
    """Whether its chat template lays out a system message, where that is known."""
    root: str = ""
    """What its server loaded it from, where the server tells."""
    ends_turns: bool | None = None
    """Whether its answers end as its chat template ends a turn; None where that is not known."""
    configured_instruct: bool | None = None
    """Whether it follows instructions, where the configuration says so."""
    parent: str = ""
    """Of an adapter, the model that it belongs to."""

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
    """Where one attempt goes, and what must be known to write its body."""

    endpoint: Endpoint
    facts: ModelFacts
    """With the context of this replica."""
    ratio: CharsPerToken
    priority: int = 0
    """The scheduler's, for the replica's own queue."""
    largest_context: int | None = None
    """Of any replica of the model."""

    @property
    def larger_context(self) -> int | None:
        """The least context that another replica of the model has and this one has not."""
        own, largest = self.facts.max_model_len, self.largest_context
        return own + 1 if own is not None and largest is not None and largest > own else None
