"""Scaling rules, chosen by name.

A rule is an entry point of the group `cato.scaling_rules`: its name, and a `RuleKind`. Those that
ship with the provisioner are listed below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from importlib.metadata import entry_points
from math import isfinite
from typing import Any

from cato_backend.errors import ConfigError
from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning.rules.base import ScalingRule, StaticPeak, StaticSettings
from cato_backend.provisioning.rules.planned import Planned, PlannedSettings


@dataclass(frozen=True, slots=True)
class RuleKind:
    """A scaling rule that is made by name."""

    settings: type[Any]
    """A frozen dataclass of numbers, each with a default."""
    make: Callable[[Profile, Any], ScalingRule]


GROUP = "cato.scaling_rules"

_SHIPPED: Mapping[str, RuleKind] = {
    "planned": RuleKind(PlannedSettings, Planned),
    "static": RuleKind(StaticSettings, lambda _, chosen: StaticPeak(int(chosen.replicas))),
}


def rule_names() -> list[str]:
    """Return the names that `make_rule` takes.

    First the shipped rules, then the registered ones.
    """
    registered = {point.name for point in entry_points(group=GROUP)}
    return [*_SHIPPED, *sorted(registered - _SHIPPED.keys())]


def make_rule(
    name: str, profile: Profile, settings: Mapping[str, float] | None = None
) -> ScalingRule:
    """Return the rule of this name for replicas of this profile.

    Its defaults apply where `settings` has no value. Raises ConfigError for a name, a setting or a
    value that it does not have.
    """
    kind = _SHIPPED.get(name) or _registered(name)
    known = [field.name for field in fields(kind.settings)]
    for key, value in (settings or {}).items():
        where = f"provisioning.settings.{key}"
        if key not in known:
            raise ConfigError.of(where, value, f"one of the rule {name}'s: {', '.join(known)}")
        if not (isfinite(value) and value >= 0):
            raise ConfigError.of(where, value, "a number, 0 or more")
    return kind.make(profile, kind.settings(**(settings or {})))


def _registered(name: str) -> RuleKind:
    for point in entry_points(group=GROUP, name=name):
        kind: RuleKind = point.load()
        return kind
    raise ConfigError.of("provisioning.rule", name, f"one of {', '.join(rule_names())}")


__all__ = ["RuleKind", "ScalingRule", "make_rule", "rule_names"]
