"""How long the answers of a whole task's units will probably be."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.wire.lengths import translation_tokens
from cato_backend.wire.tasks import TaskKind, TaskRequest, Unit


def expected_tokens(
    request: TaskRequest, given: int | None, chars_per_token: float
) -> tuple[int | None, ...]:
    """Returns the expected output tokens of each unit, None where nothing tells.

    The client's estimate for the unit counts first, then the unit's share of `given`, the client's
    estimate for the whole task. Without both, a translation's length is taken from its source, and
    that of other answers is not known.
    """
    rest = _share_per_char(request.units, given)
    return tuple(_expected(request, unit, rest, chars_per_token) for unit in request.units)


def _share_per_char(units: Sequence[Unit], given: int | None) -> float | None:
    """Tokens per character of those units that have no estimate of their own."""
    if given is None:
        return None
    chars = sum(len(unit.text) for unit in units if unit.output_tokens is None)
    left = given - sum(unit.output_tokens or 0 for unit in units)
    return left / chars if left > 0 and chars else None


def _expected(
    request: TaskRequest, unit: Unit, share_per_char: float | None, chars_per_token: float
) -> int | None:
    if unit.output_tokens is not None:
        return unit.output_tokens
    if share_per_char is not None:
        return max(1, round(len(unit.text) * share_per_char))
    if request.task is not TaskKind.TRANSLATION:
        return None
    target = request.target_language or ""
    return translation_tokens(len(unit.text), chars_per_token, request.language, target)
