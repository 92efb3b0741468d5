"""Argument types of numbers with bounds. Each raises ArgumentTypeError."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from math import inf


def at_least(least: int) -> Callable[[str], int]:
    """The type of a whole number, `least` or more."""

    def checked(text: str) -> int:
        if (value := _whole(text)) is None or value < least:
            raise _unexpected(text, f"a whole number, {least} or more")
        return value

    return checked


def port(text: str) -> int:
    """A TCP port; 0 stands for any free one."""
    if (value := _whole(text)) is None or not 0 <= value <= 65_535:
        raise _unexpected(text, "a port from 0 to 65535")
    return value


def not_negative(text: str) -> float:
    """A time or an amount, 0 or more."""
    if not 0 <= (value := _number(text)) < inf:
        raise _unexpected(text, "a number, 0 or more")
    return value


def above_zero(text: str) -> float:
    """A number above 0."""
    if not 0 < (value := _number(text)) < inf:
        raise _unexpected(text, "a number above 0")
    return value


def share(text: str) -> float:
    """A share of a whole."""
    if not 0 <= (value := _number(text)) <= 1:
        raise _unexpected(text, "a share from 0 to 1")
    return value


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -inf


def _unexpected(text: str, expected: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"got {text}, expected {expected}")
