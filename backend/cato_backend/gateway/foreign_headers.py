"""Request headers of other projects that mean what ours mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

SLO_TTFT_MS = ("x-llm-d-slo-ttft-ms", "x-dynamo-slo-ttft-ms", "x-dynamo-meta-slo-ttft-ms")
"""Dynamo's proposal and its gateway spell the name differently; both are read."""
SLO_TPOT_MS = ("x-llm-d-slo-tpot-ms",)
"""Dynamo has none."""
AGENT_SESSIONS = (
    "x-claude-code-session-id",
    "session-id",
    "session_id",
    "x-session-affinity",
)
"""What coding agents call their session: Claude Code, Codex (new and old spelling), OpenCode."""
LONGEST_BUDGET_MS = 3_600_000
_SHORTEST_BUDGET_S = 1e-6
IDENTIFIER = re.compile(r"[\x21-\x7e]{1,200}")


def seconds_of(milliseconds: float) -> float:
    """Return a budget in seconds: at least a microsecond, for laws and logarithms divide by it."""
    return max(_SHORTEST_BUDGET_S, milliseconds / 1e3)


def foreign_session(headers: Mapping[str, str]) -> str | None:
    """Return the session of a coding agent; None where no header holds a usable one."""
    for name in AGENT_SESSIONS:
        value = headers.get(name)
        if value is not None and IDENTIFIER.fullmatch(value):
            return value
    return None


def foreign_budget_s(headers: Mapping[str, str], names: Iterable[str]) -> float | None:
    """Seconds, from the first of these headers that holds a usable number of milliseconds."""
    for name in names:
        value = headers.get(name)
        milliseconds = None if value is None else _number(value)
        if milliseconds is not None and 0 < milliseconds <= LONGEST_BUDGET_MS:
            return seconds_of(milliseconds)
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
