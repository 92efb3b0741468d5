"""Names of what changes while the server runs."""

from __future__ import annotations

LIVE = (
    "agents",
    "log",
    "scheduling.supersede_plain",
    "scheduling.warm_burst",
    "scheduling.warm_per_minute",
    "server.drain_s",
    "server.trusted_proxies",
    "targets",
    "team.isolation",
    "team.over_budget",
    "usage",
)
"""Sections and fields that change while the server runs; all others need a restart."""


def is_live(name: str) -> bool:
    """Return whether a running server takes over a changed field."""
    return any(name == live or name.startswith(f"{live}.") for live in LIVE)
