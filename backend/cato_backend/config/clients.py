"""The sections about clients: coding agents, and what is told of everybody's usage."""

from __future__ import annotations

from pydantic import Field

from cato_backend.config.networks import FilePath
from cato_backend.config.sections import Frozen
from cato_backend.wire.headers import ALIAS

_PATTERNS = ("claude-*", "gpt-*", "codex-*")
"""What Claude Code and Codex ask for unless they are told another model."""


class AgentsConfig(Frozen):
    """[agents]: clients of `/v1/messages` and `/v1/responses`."""

    models: dict[str, str] = Field(
        default_factory=lambda: dict.fromkeys(_PATTERNS, ALIAS),
        description="pattern = model: what answers where a client asks for a model that is not"
        " served; the first pattern that fits counts",
    )


class UsageConfig(Frozen):
    """[usage]: the figures of `/v1/usage/team`, over all people."""

    team: bool = Field(default=False, description="whether it tells anything")
    smallest_group: int = Field(
        default=5,
        ge=1,
        description="days and groups of fewer people are not told; such groups count as others",
    )
    prices: FilePath = Field(
        default="",
        description="file of prices by hardware, as `cato plan --prices` takes it; empty: rental"
        " prices of 2026-09",
    )
