"""The options for shares and limits that teams and people have in common."""

from __future__ import annotations

import argparse
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import replace

from cato_backend.commands.arguments import above_zero, at_least
from cato_backend.team.records import UsageLimits

_NONE = "none"
_HEAVIEST = 1000.0
_LIMITS: dict[str, tuple[Callable[[str], float], str]] = {
    "requests_per_minute": (at_least(1), "requests in any 60 seconds"),
    "concurrent_requests": (at_least(1), "requests at once"),
    "output_tokens_per_day": (at_least(1), "output tokens a day, UTC"),
    "engine_seconds_per_day": (above_zero, "seconds of an engine a day, UTC"),
}


def weight(text: str) -> float:
    """Return the type of a weight."""
    value = above_zero(text)
    if not 1 / _HEAVIEST <= value <= _HEAVIEST:
        raise ArgumentTypeError(f"got {text}, expected a weight from 0.001 to 1000")
    return value


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add one option for each limit."""
    for name, (kind, text) in _LIMITS.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=_or_none(kind),
            metavar="N",
            help=f"at most so many {text}; 'none' for no limit",
        )


def changed_limits(limits: UsageLimits, arguments: argparse.Namespace) -> UsageLimits:
    """Return the limits with those that were given."""
    given = {name: getattr(arguments, name) for name in _LIMITS}
    changes = {name: value for name, value in given.items() if value is not None}
    return replace(limits, **{n: None if v == _NONE else v for n, v in changes.items()})


def _or_none(kind: Callable[[str], float]) -> Callable[[str], float | str]:
    return lambda text: _NONE if text == _NONE else kind(text)
