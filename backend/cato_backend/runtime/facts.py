"""What the runtime knows about a model and about the servers that run it."""

from __future__ import annotations

from dataclasses import dataclass

from cato_backend.prediction.ratio import CharsPerToken
from cato_backend.tasks.detection import Detection

_UNKNOWN = Detection(None, "no replica has been asked yet")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One replica as an HTTP client sees it."""

    replica_id: str
    url: str
    upstream_model: str
    """The model's name over there."""
    token: str = ""
    speaks_vllm: bool = False
    """Whether it understands vLLM's own body fields (`return_token_ids`)."""
    takes_priority: bool = False
    """Whether it accepts the body field `priority`, lower first."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model, the same on all its replicas."""

    name: str
    max_model_len: int | None = None
    """Context in tokens; None where the server does not tell."""
    fim: Detection = _UNKNOWN
    has_chat_template: bool = False


@dataclass(frozen=True, slots=True)
class Leg:
    """Where one attempt goes, and what must be known to write its body."""

    endpoint: Endpoint
    facts: ModelFacts
    ratio: CharsPerToken
    priority: int = 0
    """The scheduler's, for the replica's own queue."""
