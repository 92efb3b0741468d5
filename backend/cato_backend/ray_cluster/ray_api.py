"""The parts of Ray that are used, imported at first use: Ray is an extra, and loads for seconds."""

from __future__ import annotations

import importlib
from typing import Any


def ray_module() -> Any:
    """Return the package `ray`. Raises ModuleNotFoundError."""
    return importlib.import_module("ray")


def placement() -> Any:
    """Return Ray's functions for placement groups."""
    return importlib.import_module("ray.util.placement_group")


def group_strategy(group: Any) -> Any:
    """Return the strategy that schedules an actor into the first bundle of `group`."""
    strategies = importlib.import_module("ray.util.scheduling_strategies")
    return strategies.PlacementGroupSchedulingStrategy(group, 0)


def exceptions() -> Any:
    """Return Ray's exceptions."""
    return importlib.import_module("ray.exceptions")


def in_a_line(error: Exception, most: int = 400) -> str:
    """Return at most so many characters of an error of Ray's, which may hold pages, in one line."""
    return " ".join(str(error).split())[:most] or type(error).__name__
