"""The models that agents see: which one answers for a name, and their list in Anthropic's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from cato_backend.runtime.catalog import Catalog
from cato_backend.wire.headers import ALIASES

ANTHROPIC_VERSION = "anthropic-version"
"""The header that every client of Anthropic's API sends."""


def served_name(name: str, catalog: Catalog, patterns: Mapping[str, str]) -> str:
    """Return what answers for a name: a model of that name, else by the first pattern that fits.

    A name that nothing fits stands for itself, and is refused as unknown later.
    """
    if name in ALIASES or name in catalog:
        return name
    fitting = (served for pattern, served in patterns.items() if fnmatchcase(name, pattern))
    return next(fitting, name)


def messages_models(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the entries of OpenAI's list as Anthropic's, in one page."""
    names = [entry["id"] for entry in entries]
    return {
        "data": [_entry(entry) for entry in entries],
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    created = datetime.fromtimestamp(entry["created"], UTC)
    return {
        "type": "model",
        "id": entry["id"],
        "display_name": entry["id"],
        "created_at": created.isoformat().replace("+00:00", "Z"),
    }
