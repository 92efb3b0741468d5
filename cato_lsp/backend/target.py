"""Which backend: the one that the settings name, else the one that this user runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from cato_backend.wire.discovery import discover
from cato_lsp.settings.settings import BackendSettings


class Origin(StrEnum):
    """How a backend was found."""

    SETTINGS = "settings"
    DISCOVERED = "discovered"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a backend listens and what opens it."""

    url: str
    token: str | None = field(repr=False)
    origin: Origin


def locate(settings: BackendSettings) -> Target | None:
    """The backend to use, or None where none is known. It need not be alive.

    Raises wire.discovery.UntrustedAnnouncement.
    """
    if settings.url:
        return Target(settings.url, settings.token or None, Origin.SETTINGS)
    announcement = discover()
    if announcement is None:
        return None
    return Target(announcement.url.rstrip("/"), announcement.token, Origin.DISCOVERED)
