"""The dependencies of all handlers, kept under one typed key of the application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from cato_backend.config import Config
from cato_backend.fleet.inventory import Inventory
from cato_backend.fleet.launch import ScaleFromZero
from cato_backend.fleet.learning import ModelSizes
from cato_backend.fleet.states import ReplicaStatus, SourceStatus
from cato_backend.gateway.client_records import FeedbackStore, SignInCaps, WarmCaps
from cato_backend.gateway.connections import Connections
from cato_backend.gateway.continuations import Continuations
from cato_backend.gateway.costs import ReplicaPrices
from cato_backend.gateway.credentials import Credentials
from cato_backend.gateway.drain import Drain
from cato_backend.gateway.hardware_targets import HardwareTargets, ModelTargets
from cato_backend.gateway.headers import GivenHeaders, parse_headers
from cato_backend.gateway.incoming import BodyReader
from cato_backend.gateway.trusted_proxies import TrustedProxies
from cato_backend.logs import NewsLog
from cato_backend.metrics import Metrics
from cato_backend.runtime.runtime import Runtime
from cato_backend.team.index import Requester
from cato_backend.wire.headers import Task

if TYPE_CHECKING:
    from cato_backend.sign_in.sign_in import SignIn


@dataclass(slots=True)
class Gateway:
    """The gateway's own dependencies. `Reloading` alone replaces some of them."""

    config: Config
    runtime: Runtime
    credentials: Credentials
    drain: Drain
    connections: Connections
    bodies: BodyReader
    feedback: FeedbackStore
    warm_caps: WarmCaps
    targets: HardwareTargets
    statuses: Callable[[], tuple[ReplicaStatus, ...]]
    """How each replica is."""
    sources: Callable[[], tuple[SourceStatus, ...]]
    """How each source of replicas is that others run."""
    scale_from_zero: ScaleFromZero
    """Models that have no replica until they are asked for something."""
    inventory: Inventory
    """What replicas are placed on."""
    sizes: ModelSizes
    news: NewsLog
    began: float
    """When it was made, on the runtime's clock."""
    now: Callable[[], float]
    """Seconds since the epoch."""
    sign_in: SignIn | None
    """None where sign-in is off; its packages may be missing then."""
    sign_in_caps: SignInCaps
    prices: ReplicaPrices
    """What an hour of each replica costs."""
    prove: Callable[[str], str]
    """The proof of this process for a nonce."""
    proxies: TrustedProxies
    """Tells the addresses of clients behind proxies."""
    continuations: Continuations = field(default_factory=Continuations)

    @property
    def metrics(self) -> Metrics:
        """The counters of the server."""
        return self.runtime.metrics


GATEWAY = web.AppKey("gateway", Gateway)
DOCUMENT = web.AppKey("document", bytes)
"""The OpenAPI document."""
TENANT = web.RequestKey("tenant", str)
"""Whose token the request carried."""
REQUESTER = web.RequestKey("requester", Requester)
"""Who sends the request."""


def targets_of(gateway: Gateway, model: str, task: Task) -> ModelTargets:
    """Return the targets on the replicas that a request for a model or an alias is sent to."""
    return gateway.targets.of_model(gateway.runtime.catalog.model_of(model, task))


def given_headers(request: web.Request) -> GivenHeaders:
    """Return what the headers of an admitted request say. Raises InvalidRequest."""
    return parse_headers(request.headers, request[TENANT], request[REQUESTER].token_id)
