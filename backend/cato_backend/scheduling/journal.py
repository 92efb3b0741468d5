"""What the scheduler was told and what it decided, as JSON lines.

The first line of each part of a log tells what the scheduler was; every other line is one event:

    {"log": "cato-events", "version": 1, "run": "...", "part": 1, "policy": "cato", ...}
    {"t": 12.5, "event": "Submitted", "told": {...}, "decided": [["Dispatch", {...}]]}

Times are seconds on the scheduler's clock. A request has no byte of its prompt in it, and in its
place of token, session, document and blocks stand pseudonyms (see `pseudonyms`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, get_args

import orjson
from pydantic import TypeAdapter, ValidationError

from cato_backend.errors import ConfigError
from cato_backend.scheduling.decisions import Decision
from cato_backend.scheduling.events import Event, Woke
from cato_backend.scheduling.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The first line: which scheduler, and which part of which run."""

    log: Literal["cato-events"] = "cato-events"
    version: Literal[1] = 1
    run: str
    policy: str
    limits: Limits
    part: int = 1
    """Counted from 1; a log that has rotated begins with a later one."""
    seed: int = 0
    """Of the policy's dice."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event and what was decided on it."""

    t: float
    event: Event
    decisions: tuple[Decision, ...]


def _adapters(union: UnionType) -> dict[str, TypeAdapter[Any]]:
    return {kind.__name__: TypeAdapter(kind) for kind in get_args(union)}


_EVENTS, _DECISIONS = _adapters(Event), _adapters(Decision)
_OPENING = TypeAdapter(Opening)


def encode_opening(opening: Opening) -> bytes:
    """The first line of a part."""
    return orjson.dumps(opening) + b"\n"


def encode(event: Event, decisions: Sequence[Decision], now: float) -> bytes:
    """One line."""
    decided = [(type(decision).__name__, decision._asdict()) for decision in decisions]
    told = {} if isinstance(event, Woke) else event._asdict()
    line = {"t": now, "event": type(event).__name__, "told": told, "decided": decided}
    return orjson.dumps(line) + b"\n"


def decode_opening(line: bytes) -> Opening:
    """Raises ConfigError where the line is none."""
    try:
        return _OPENING.validate_python(orjson.loads(line))
    except (orjson.JSONDecodeError, ValidationError) as error:
        raise ConfigError(f"line 1: {_first(error)}; expected the head of an event log") from error


def decode(line: bytes, number: int) -> Entry:
    """The entry of line `number`, counted from 1. Raises ConfigError naming what is wrong."""
    try:
        value = orjson.loads(line)
        decided = [_DECISIONS[name].validate_python(told) for name, told in value["decided"]]
        event = _EVENTS[value["event"]].validate_python(value["told"])
        return Entry(float(value["t"]), event, tuple(decided))
    except KeyError as error:
        raise ConfigError(f"line {number}: {error} is missing or unknown") from error
    except (ValidationError, TypeError, ValueError) as error:
        raise ConfigError(f"line {number}: {_first(error)}; expected one event") from error


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
