"""How long the answers of a whole task's calls will probably be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cato_backend.tasks.calls import ModelCall
from cato_backend.wire.headers import Task
from cato_backend.wire.lengths import translation_tokens
from cato_backend.wire.tasks import TaskRequest, Unit


def with_expected(
    calls: Sequence[ModelCall],
    request: TaskRequest,
    expected_tokens: int | None,
    chars_per_token: float,
) -> tuple[ModelCall, ...]:
    """The calls of the units, each with its expected output tokens.

    The client's estimate for the unit counts first, then the unit's share of the client's estimate
    for the whole task. Without both, a translation's length is taken from its source, and a
    summary's is not known.
    """
    rest = _share_per_char(request.units, expected_tokens)
    return tuple(
        replace(call, expected_tokens=_expected(request, unit, rest, chars_per_token))
        for call, unit in zip(calls, request.units, strict=True)
    )


def _share_per_char(units: Sequence[Unit], expected_tokens: int | None) -> float | None:
    """Tokens per character of those units that have no estimate of their own."""
    if expected_tokens is None:
        return None
    chars = sum(len(unit.text) for unit in units if unit.output_tokens is None)
    left = expected_tokens - sum(unit.output_tokens or 0 for unit in units)
    return left / chars if left > 0 and chars else None


def _expected(
    request: TaskRequest, unit: Unit, share_per_char: float | None, chars_per_token: float
) -> int | None:
    if unit.output_tokens is not None:
        return unit.output_tokens
    if share_per_char is not None:
        return max(1, round(len(unit.text) * share_per_char))
    if request.task is not Task.TRANSLATION:
        return None
    target = request.target_language or ""
    return translation_tokens(len(unit.text), chars_per_token, request.language, target)
