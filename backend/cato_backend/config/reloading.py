"""What of a changed configuration a running server takes over, and what waits for a restart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from cato_backend.config.live import LIVE, is_live
from cato_backend.config.loading import Config


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """A new configuration beside the one in force."""

    config: Config
    """What is in force from now on: the live fields are new, the others as before."""
    applied: tuple[str, ...]
    """Names of the live fields that differ."""
    waiting: tuple[str, ...]
    """Names of the other fields that differ: they need a restart."""

    def __str__(self) -> str:
        """Name the fields. Values are left out, as some are tokens."""
        applied = f"changed: {', '.join(self.applied)}" if self.applied else "nothing changed"
        return applied + (f"; needs a restart: {', '.join(self.waiting)}" if self.waiting else "")


def change_of(current: Config, new: Config) -> ConfigChange:
    """Return what a new configuration changes while the server runs."""
    names = tuple(_differences(current, new))
    return ConfigChange(
        _with_live_fields(current, new),
        tuple(name for name in names if is_live(name)),
        tuple(name for name in names if not is_live(name)),
    )


def _differences(current: BaseModel, new: BaseModel, prefix: str = "") -> Iterator[str]:
    for name in type(current).model_fields:
        before, after = getattr(current, name), getattr(new, name)
        if isinstance(before, BaseModel) and isinstance(after, BaseModel):
            yield from _differences(before, after, f"{prefix}{name}.")
        elif before != after:
            yield prefix + name


def _with_live_fields(current: Config, new: Config) -> Config:
    for live in LIVE:
        section, _, field = live.partition(".")
        value: object = getattr(new, section)
        if field:
            update = {field: getattr(value, field)}
            value = getattr(current, section).model_copy(update=update)
        current = current.model_copy(update={section: value})
    return current
