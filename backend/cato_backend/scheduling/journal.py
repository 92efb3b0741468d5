"""The event log: the scheduler's events and decisions, and notes on requests, as JSON lines.

The first line of each part of a log tells what the scheduler was; every other line is one event, or
a note of what the scheduler is not told:

    {"log": "cato-events", "version": 2, "run": "...", "part": 1, "policy": "cato", ...}
    {"t": 12.5, "event": "Submitted", "told": {...}, "decided": [["Dispatch", {...}]]}
    {"t": 12.5, "note": "PredictionNote", "told": {...}}

Times are seconds on the scheduler's clock. A request has no byte of its prompt in it, and in its
place of token, session, document, team and blocks stand pseudonyms (see `Pseudonyms`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from types import UnionType
from typing import Any, Literal, NamedTuple, TypeAlias, cast, get_args

import orjson
from pydantic import TypeAdapter, ValidationError

from cato_backend.errors import ConfigError
from cato_backend.requests import Origin
from cato_backend.scheduling.decisions import Decision
from cato_backend.scheduling.events import Event, Submitted, Woke
from cato_backend.scheduling.limits import Limits

_BYTES = 8

_REMEMBERED = 65_536


class PredictionNote(NamedTuple):
    """Predictions for an attempt at its dispatch, in seconds from then."""

    request_id: str
    attempt: int
    promised_s: float
    """To the promised event: the first token, or the last one under an end-to-end target."""
    bound_s: float
    """Not exceeded by it nine times in ten."""
    first_token_s: float
    alone_s: float
    """To the first token, were nothing else on the replica: its own prefill."""


class OutcomeNote(NamedTuple):
    """The outcome of a request: `met`, `late`, `enough`, `cancelled`, or a refusal."""

    request_id: str
    outcome: str


Note: TypeAlias = PredictionNote | OutcomeNote


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The first line: which scheduler, and which part of which run."""

    log: Literal["cato-events"] = "cato-events"
    version: Literal[1, 2] = 2
    """The first version had no notes."""
    run: str
    policy: str
    limits: Limits
    part: int = 1
    """Counted from 1; a log that has rotated begins with a later one."""
    seed: int = 0
    """Seed of the policy's random numbers."""
    epoch: float | None = None
    """The offset from a time to Unix time; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event and the decisions on it."""

    t: float
    event: Event
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class NoteEntry:
    """One note."""

    t: float
    note: Note


def _adapters(union: UnionType) -> dict[str, TypeAdapter[Any]]:
    return {kind.__name__: TypeAdapter(kind) for kind in get_args(union)}


_EVENTS, _DECISIONS, _NOTES = _adapters(Event), _adapters(Decision), _adapters(Note)


_OPENING = TypeAdapter(Opening)


def encode_opening(opening: Opening) -> bytes:
    """Return the first line of a part."""
    return orjson.dumps(opening) + b"\n"


def encode(event: Event, decisions: Sequence[Decision], now: float) -> bytes:
    """One line."""
    decided = [(type(decision).__name__, decision._asdict()) for decision in decisions]
    told = {} if isinstance(event, Woke) else event._asdict()
    line = {"t": now, "event": type(event).__name__, "told": told, "decided": decided}
    return orjson.dumps(line, default=_as_list) + b"\n"


def encode_note(note: Note, now: float) -> bytes:
    """One line."""
    return orjson.dumps({"t": now, "note": type(note).__name__, "told": note._asdict()}) + b"\n"


def _as_list(value: object) -> list[object]:
    """Return a named tuple within an event as JSON has it. Raises TypeError for anything else."""
    if isinstance(value, tuple):
        return list(cast("tuple[object, ...]", value))
    raise TypeError(f"{type(value).__name__} cannot be written to an event log")


def decode_opening(line: bytes) -> Opening:
    """Raise ConfigError where the line is none."""
    try:
        return _OPENING.validate_python(orjson.loads(line))
    except (orjson.JSONDecodeError, ValidationError) as error:
        raise ConfigError(f"line 1: {_first(error)}; expected the head of an event log") from error


def decode(line: bytes, number: int) -> Entry | NoteEntry:
    """Return the entry of line `number`, counted from 1.

    Raises ConfigError naming what is wrong.
    """
    try:
        value = orjson.loads(line)
        if "note" in value:
            note = _NOTES[value["note"]].validate_python(value["told"])
            return NoteEntry(float(value["t"]), note)
        decided = [_DECISIONS[name].validate_python(told) for name, told in value["decided"]]
        event = _EVENTS[value["event"]].validate_python(value["told"])
        return Entry(float(value["t"]), event, tuple(decided))
    except KeyError as error:
        raise ConfigError(f"line {number}: {error} is missing or unknown") from error
    except (ValidationError, TypeError, ValueError) as error:
        raise ConfigError(f"line {number}: {_first(error)}; expected one event") from error


def entries_of(lines: Iterable[bytes]) -> Iterator[Entry | NoteEntry]:
    """Yield what follows the first line of a part, without a last line that is not whole.

    Raises ConfigError naming what is wrong.
    """
    for number, line in enumerate(lines, start=2):
        if line.endswith(b"\n"):
            yield decode(line, number)


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


class Pseudonyms:
    """Replaces values by keyed hashes. Equal values stay equal, so a replay decides alike.

    The hash of a prompt's block would tell a reader of the log whether a known text was in it.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._block = lru_cache(_REMEMBERED)(self._hash)

    def of(self, event: Event) -> Event:
        """Return the same event about an unknown request."""
        if not isinstance(event, Submitted):
            return event
        request = event.request
        origin = request.origin
        return Submitted(
            replace(
                request,
                origin=Origin(
                    self._name(origin.tenant),
                    self._name(origin.session),
                    self._name(origin.document),
                    self._name(origin.team),
                ),
                workflow=None if request.workflow is None else self._name(request.workflow),
                prompt_blocks=tuple(self._block(block) for block in request.prompt_blocks),
            )
        )

    def _name(self, name: str) -> str:
        if not name:
            return ""
        data = name.encode(errors="surrogateescape")
        return blake2b(data, key=self._key, digest_size=_BYTES).hexdigest()

    def _hash(self, block: int) -> int:
        data = block.to_bytes(_BYTES)
        return int.from_bytes(blake2b(data, key=self._key, digest_size=_BYTES).digest())
