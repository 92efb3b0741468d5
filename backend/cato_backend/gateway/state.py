"""What every handler needs, kept under one typed key of the application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from cato_backend.config import Config
from cato_backend.gateway.auth import Tokens
from cato_backend.gateway.feedback_store import FeedbackStore
from cato_backend.gateway.rate_cap import RateCap
from cato_backend.runtime.runtime import Runtime
from cato_backend.runtime.standing import Standing


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway's own dependencies."""

    config: Config
    runtime: Runtime
    tokens: Tokens
    feedback: FeedbackStore
    warm_cap: RateCap
    standings: Callable[[], tuple[Standing, ...]]
    """How each replica is."""


GATEWAY = web.AppKey("gateway", Gateway)
TENANT = web.RequestKey("tenant", str)
"""Whose token the request carried."""
