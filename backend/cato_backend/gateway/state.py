"""What every handler needs, kept under one typed key of the application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from cato_backend.config import Config
from cato_backend.fleet.learning import ModelSizes
from cato_backend.fleet.standing import ReplicaStatus
from cato_backend.gateway.connections import Connections
from cato_backend.gateway.continuations import Continuations
from cato_backend.gateway.credentials import Credentials
from cato_backend.gateway.drain import Drain
from cato_backend.gateway.feedback_store import FeedbackStore
from cato_backend.gateway.hardware_targets import HardwareTargets, ModelTargets
from cato_backend.gateway.incoming import BodyReader
from cato_backend.gateway.rate_cap import RateCap
from cato_backend.runtime.runtime import Runtime
from cato_backend.wire.headers import Task


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway's own dependencies."""

    config: Config
    runtime: Runtime
    credentials: Credentials
    drain: Drain
    connections: Connections
    bodies: BodyReader
    feedback: FeedbackStore
    warm_cap: RateCap
    targets: HardwareTargets
    standings: Callable[[], tuple[ReplicaStatus, ...]]
    """How each replica is."""
    sizes: ModelSizes
    continuations: Continuations = field(default_factory=Continuations)


GATEWAY = web.AppKey("gateway", Gateway)
DOCUMENT = web.AppKey("document", bytes)
"""The OpenAPI document."""
TENANT = web.RequestKey("tenant", str)
"""Whose token the request carried."""


def targets_of(gateway: Gateway, model: str, task: Task) -> ModelTargets:
    """Return the targets on the replicas that a request for a model or an alias is sent to."""
    return gateway.targets.of_model(gateway.runtime.catalog.model_of(model, task))
