"""What the scheduler was told and what it decided, as JSON lines, and their replay.

The first line of each part of a log tells what the scheduler was; every other line is one event:

    {"log": "cato-events", "version": 1, "run": "...", "part": 1, "policy": "cato", ...}
    {"t": 12.5, "event": "Submitted", "told": {...}, "decided": [["Dispatch", {...}]]}

Times are seconds on the scheduler's clock. A request has no byte of its prompt in it, and in its
place of token, session, document and blocks stand pseudonyms (see `Pseudonyms`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from types import UnionType
from typing import Any, Literal, get_args

import orjson
from pydantic import TypeAdapter, ValidationError

from cato_backend.errors import ConfigError
from cato_backend.requests import Origin
from cato_backend.scheduling.decisions import Decision
from cato_backend.scheduling.events import Event, Submitted, Woke
from cato_backend.scheduling.limits import Limits
from cato_backend.scheduling.policies import Setup, make_policy, policy_names
from cato_backend.scheduling.scheduler import Scheduler

_BYTES = 8
_REMEMBERED = 65_536


class Pseudonyms:
    """Keyed hashes: equal stays equal, so that a replay decides alike, and nothing can be guessed.

    The hash of a prompt's block would tell whoever holds the log whether a text he knows was in it.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._block = lru_cache(_REMEMBERED)(self._hash)

    def of(self, event: Event) -> Event:
        """The same event about a request that nobody knows."""
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


@dataclass(frozen=True, slots=True)
class Difference:
    """The first event on which something else is decided now."""

    number: int
    """Of the event, counted from 1."""
    entry: Entry
    decided: tuple[Decision, ...]
    """Now; what was decided then is in `entry`."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it."""

    opening: Opening
    events: int
    decisions: int
    seconds: float
    """Between the first event and the last, on the scheduler's clock."""
    difference: Difference | None = None


def replay(parts: Sequence[Iterable[bytes]]) -> Replayed:
    """Tells the lines of a log, in all its parts, to a scheduler like the one that wrote them.

    Raises ConfigError where the log has no beginning, is damaged, or names an unknown policy. A
    last line that a crash cut short is left out.
    """
    opening, entries = _read(parts)
    if opening.policy not in policy_names():
        raise ConfigError.of(
            "policy", opening.policy, "one of " + ", ".join(sorted(policy_names()))
        )
    limits = opening.limits
    setup = Setup(seed=opening.seed, long_prompts=limits.long_prompts)
    scheduler = Scheduler(make_policy(opening.policy, setup), limits)
    decisions = 0
    for number, entry in enumerate(entries, start=1):
        decided = tuple(scheduler.handle(entry.event, entry.t))
        decisions += len(decided)
        if decided != entry.decisions:
            found = Difference(number, entry, decided)
            return Replayed(opening, number, decisions, entry.t - entries[0].t, found)
    seconds = entries[-1].t - entries[0].t if entries else 0.0
    return Replayed(opening, len(entries), decisions, seconds)


def _read(parts: Sequence[Iterable[bytes]]) -> tuple[Opening, list[Entry]]:
    openings: list[Opening] = []
    entries: list[Entry] = []
    for number, part in enumerate(parts, start=1):
        lines = list(part)
        opening = decode_opening(lines[0] if lines else b"")
        if opening.part != number or (openings and opening.run != openings[0].run):
            raise ConfigError.of("part", opening.part, f"part {number}: the log begins later")
        openings.append(opening)
        whole = lines if not lines or lines[-1].endswith(b"\n") else lines[:-1]
        entries += [decode(line, at) for at, line in enumerate(whole[1:], start=2)]
    if not openings:
        raise ConfigError("no event log was given")
    return openings[0], entries
