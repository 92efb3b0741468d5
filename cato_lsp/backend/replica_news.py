"""What a backend tells of its replicas at `/health`, as far as it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class ReplicaNews:
    """One replica, and what was learned of its speed."""

    id: str
    model: str
    token_ms: float
    """Of a token that is decoded alone."""
    prompt_ms: float
    """Of a prompt of 1,000 tokens."""
    spread: float
    """Relative standard deviation of both."""
    windows: int
    """Stretches of its work that this was learned from."""
    age_s: float | None
    """Since the last of them; None before the first of this run."""


def replica_news(health: object) -> tuple[ReplicaNews, ...]:
    """Of the answer's body; what is not as it should be is left out."""
    listed = cast("Mapping[str, Any]", health).get("replicas") if _is_object(health) else None
    if not isinstance(listed, list):
        return ()
    found = (_news(each) for each in cast("list[object]", listed))
    return tuple(news for news in found if news is not None)


def _news(value: object) -> ReplicaNews | None:
    try:
        replica = cast("Mapping[str, Any]", value)
        law: Mapping[str, Any] = replica["law"]
        age_s = law["age_s"]
        return ReplicaNews(
            id=str(replica["id"]),
            model=str(replica["model"]),
            token_ms=float(law["token_ms"]),
            prompt_ms=float(law["prompt_1k_ms"]),
            spread=float(law["spread"]),
            windows=int(law["windows"]),
            age_s=None if age_s is None else float(age_s),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
